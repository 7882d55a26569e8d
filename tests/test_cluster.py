"""Pure actions on a cluster of Ray that is started here, whose workers cannot open the store of the build."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cluster_fixture import HIDDEN, Head, own_environment, started
from embedded_fixture import until
from test_partitions import RECIPE, SOURCE, digests
from test_workers import lives
from toy_fixture import Toy, join
from training_lines import supervised

from ftbuild.cluster import connection
from ftbuild.cluster.lodging import Lodger, LostError, room
from ftbuild.cluster.tasks import Tasks, begun, door, facts
from ftbuild.cluster.workers import RayWorkers
from ftbuild.digest import of_bytes
from ftbuild.errors import ConfigError, DataError, EvaluationError, Interrupted
from ftbuild.example import USUAL
from ftbuild.partitions import SMALL_BYTES, mapped, pool_of
from ftbuild.problem import Problem
from ftbuild.runners import data, rendering
from ftbuild.runners.pure import OVER_PARTITIONS
from ftbuild.source_files import Place
from ftbuild.store.store import Store
from ftbuild.stream import Content
from ftbuild.workers import Compute, Inline, Kept, Made, Order, carry_out

ROOT = Path(__file__).parents[1]


# --- what is computed ----------------------------------------------------------------------------


def shout(settings: Any, inputs: Mapping[str, Content], given: Mapping[str, Any]) -> Made:
    """Say what is read in capitals, twice, and whether a file of the store can be opened."""
    print(f"{settings['word']} was printed")
    os.system("echo and so was this")
    heard = b"".join(each for each in inputs.values() if isinstance(each, bytes)).upper()
    warning = Problem("loud", severity="warning")
    return Made({"out": heard, "again": heard}, _look(given["look_at"]), [warning])


def _look(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError as error:
        return str(error.strerror)


def refuses(settings: Any, _inputs: Mapping[str, Content], _given: Mapping[str, Any]) -> Made:
    if settings["word"] == "data":
        raise DataError(Problem("broken", "a.jsonl", 3, fix="mend it."))
    raise ZeroDivisionError("a mistake of ours")


def dies(settings: Any, _inputs: Mapping[str, Content], given: Mapping[str, Any]) -> Made:
    """Kill this process in the first attempts, of which each is a line of a file."""
    with open(given["attempts"], "a") as attempts:
        attempts.write("one\n")
    if len(Path(given["attempts"]).read_text().splitlines()) <= settings["deaths"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return Made({"out": b"alive"}, "")


def sleeps(_settings: Any, _inputs: Mapping[str, Content], given: Mapping[str, Any]) -> Made:
    Path(given["pid"]).write_text(str(os.getpid()))
    signal.pause()
    return Made({}, "")


def spread(_settings: Any, _inputs: Mapping[str, Content], given: Mapping[str, Any]) -> Made:
    """Say of six partitions what this process is, then what worked on each is."""
    told = [f"{os.environ.get(HIDDEN, 'here')}"]
    told += mapped(_where, range(6), pool_of(given), lambda _: SMALL_BYTES)
    return Made({"out": "\n".join(told).encode()}, "")


def _where(number: int) -> str:
    print(f"partition {number}")
    return "away" if HIDDEN in os.environ else "here"


def order(compute: Compute, *above: str, given: Mapping[str, Any] | None = None, **settings: Any) -> Order:
    return Order(compute, json.dumps(settings), {f"in{at}": digest for at, digest in enumerate(above)}, given or {})


@pytest.fixture(scope="module", autouse=True)
def environment() -> Iterator[None]:
    with own_environment():
        yield


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return a source of three files, each a partition, that are too large for one process to bother nobody else."""
    base = tmp_path_factory.mktemp("several")
    for part in range(3):
        lines = [json.dumps(supervised(f"City{part * 2700 + n}")).encode() + b"\n" for n in range(2700)]
        (base / f"{part}.jsonl").write_bytes(b"".join(lines))
        assert (base / f"{part}.jsonl").stat().st_size > SMALL_BYTES / 2
    return Place(base, "*.jsonl")


def read_of(source: Place) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the settings of an ingest, and where its files are."""
    digest = source.digest(lambda path: of_bytes(path.read_bytes()))
    return {"source": {**SOURCE, "path": source.path}, "name": "many", "bytes": digest}, source.given()


# --- without Ray ---------------------------------------------------------------------------------


@dataclass
class Recorded(Inline):
    """Workers that write down what they are asked for."""

    asked: list[str] = field(default_factory=list)

    async def run(self, store: Store, order: Order) -> Kept:
        self.asked.append(json.loads(order.settings_text)["label"])
        return await super().run(store, order)


def test_workers_get_pure_actions_and_nothing_that_is_paid_for(tmp_path: Path) -> None:
    workers = Recorded()
    toy = Toy(tmp_path / "toy", workers=workers)
    done = toy.build()
    assert sorted(ran.action.label for ran in done.ran.values()) == ["a", "b", "c", "d", "pay"]
    assert sorted(workers.asked) == ["a", "b", "c", "d"]
    assert toy.build().ran.keys() == done.ran.keys()
    assert len(workers.asked) == 4


@dataclass
class Backwards:
    """Works on nothing before it is asked for a result, and then on the partition that came last."""

    n: int = 3
    worked_on: int = 0
    sees_files: bool = False

    @contextmanager
    def open(self, work: Callable[[Any], Any]) -> Iterator[Callable[[Any], Callable[[], Any]]]:
        waiting: list[tuple[int, Any]] = []
        done: dict[int, Any] = {}

        def result(number: int) -> Any:
            while number not in done:
                at, partition = waiting.pop()
                done[at] = work(partition)
                self.worked_on += 1
            return done[number]

        def submit(partition: Any) -> Callable[[], Any]:
            number = len(waiting) + len(done)
            waiting.append((number, partition))
            return lambda: result(number)

        yield submit


@pytest.mark.slow
def test_a_pool_that_works_in_another_order_gives_the_same_bytes(several: Place) -> None:
    pool = Backwards()
    settings, given = read_of(several)
    made = data.ingest(settings, {}, {**given, "pool": pool}).outputs
    assert pool.worked_on == 3
    assert digests(made) == digests(data.ingest(settings, {}, given).outputs)


def test_the_door_refuses_another_program_before_it_reads_what_that_sent() -> None:
    how, value, said = door()({**facts(), "ftbuild": "0.0.1 (0123456789ab)"}, b"no pickle")
    assert (how, said, value) == ("refused", "", {**facts(), "host": socket.gethostname()})
    assert facts()["ftbuild"] != facts()["Python"]
    how, value, _ = begun(b"no pickle", ())
    assert (how, type(value).__name__) == ("raised", "UnpicklingError")


def test_a_changed_source_of_ours_is_another_program(tmp_path: Path) -> None:
    """A file that is no module of ours changes nothing, a comment in one does."""
    copy = tmp_path / "ftbuild"
    subprocess.run(["cp", "-r", str(ROOT / "ftbuild"), str(copy)], check=True)

    def said() -> str:
        words = [sys.executable, "-c", "from ftbuild.cluster.tasks import facts; print(facts()['ftbuild'])"]
        return subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True, env={"PATH": ""}).stdout

    assert said() == facts()["ftbuild"] + "\n"
    (copy / "conf").mkdir(exist_ok=True)
    (copy / "conf" / "mine.py").write_text("")
    assert said() == facts()["ftbuild"] + "\n"
    with (copy / "digits.py").open("a") as file:
        file.write("# more\n")
    assert said() != facts()["ftbuild"] + "\n"


@pytest.mark.parametrize("address", ["head", "ray://head:10001", "10.0.0.1:", "local:"])
def test_an_address_that_is_none_is_refused_with_what_may_be_said(address: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RayWorkers(address, 1, None, ())
    assert str(caught.value) == (
        f"command line: --ray takes local, auto or HOST:PORT, not {address!r}\n"
        "    Fix: --ray auto, on a machine that is a node of the cluster."
    )


def test_without_the_extra_the_command_that_brings_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError) as caught:
        RayWorkers("local", 1, None, ())
    assert str(caught.value) == (
        "command line: --ray needs Ray, which is not installed\n    Fix: pip install 'ftbuild[ray]'"
    )


@contextmanager
def answering(answer: bytes | None) -> Iterator[str]:
    """Give the address of a server that answers so, of none where there is no answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        if answer is not None:
            threading.Thread(target=_answer, args=(server, answer), daemon=True).start()
            yield address
    if answer is None:
        yield address


def _answer(server: socket.socket, answer: bytes) -> None:
    with server.accept()[0] as client:
        client.recv(1000)
        client.sendall(answer)


@pytest.mark.parametrize(
    ("answer", "said"),
    [(None, "Connection refused"), (b"HTTP/1.1 505 HTTP Version Not Supported", "what answers there is not Ray")],
)
def test_an_address_without_a_cluster_is_said_before_ray_waits_for_it(answer: bytes | None, said: str) -> None:
    with answering(answer) as address, pytest.raises(ConfigError) as caught:
        connection.connect(address)
    assert str(caught.value) == (
        f"command line: --ray {address}: no cluster that can be used: {said}\n"
        "    Fix: ray start --head on one machine, ray start --address=HOST:PORT on others; or --ray local."
    )


# --- with a cluster that is started here ---------------------------------------------------------


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    with started(tmp_path_factory.mktemp("c")) as found:
        yield found


@pytest.fixture
def workers(head: Head) -> Iterator[RayWorkers]:
    found = RayWorkers(head.address, 1, None, (*OVER_PARTITIONS, spread))
    yield found
    found.stop()


@pytest.fixture
def store(head: Head, tmp_path: Path) -> Store:
    return Store(head.hidden / tmp_path.name / "store")


def ran(workers: RayWorkers, store: Store, order: Order) -> Kept:
    return asyncio.run(workers.run(store, order))


@pytest.mark.slow
def test_what_a_task_makes_is_what_is_made_here_though_it_cannot_open_the_store(
    workers: RayWorkers, store: Store, tmp_path: Path
) -> None:
    above = [store.put(b"one, "), store.put(b"two")]
    given = {"look_at": str(store.path(above[0])), "scratch": str(store.folder)}
    asked = Order(shout, '{"word": "this"}', {"first": above[0], "second": above[1]}, given, str(tmp_path / "log"))
    kept = ran(workers, store, asked)
    assert {name: store.get(digest) for name, digest in kept.outputs.items()} == {
        "out": b"ONE, TWO",
        "again": b"ONE, TWO",
    }
    assert (kept.note, kept.warnings) == ("another machine", [Problem("loud", severity="warning")])
    assert carry_out(store, asked) == Kept(kept.outputs, "one, ", kept.warnings)
    assert (tmp_path / "log").read_text() == "this was printed\nand so was this\n"


@pytest.mark.slow
def test_what_a_task_raises_is_raised_here_whole(workers: RayWorkers, store: Store) -> None:
    with pytest.raises(DataError) as refused:
        ran(workers, store, order(refuses, word="data"))
    assert refused.value.problems == (Problem("broken", "a.jsonl", 3, fix="mend it."),)
    with pytest.raises(ZeroDivisionError, match="a mistake of ours") as bug:
        ran(workers, store, order(refuses, word="code"))
    assert 'raise ZeroDivisionError("a mistake of ours")' in bug.value.__notes__[0]


@pytest.mark.slow
@pytest.mark.parametrize("deaths", [1, 9])
def test_a_task_whose_process_dies_is_computed_once_more_and_no_more(
    deaths: int, workers: RayWorkers, store: Store, tmp_path: Path
) -> None:
    attempts = tmp_path / "attempts"
    asked = order(dies, deaths=deaths, given={"attempts": str(attempts)})
    if deaths == 1:
        assert store.get(ran(workers, store, asked).outputs["out"]) == b"alive"
    else:
        with pytest.raises(EvaluationError) as caught:
            ran(workers, store, asked)
        told = str(caught.value).splitlines()
        assert told[0] == "Ray lost who computed dies, and once more on the next attempt"
        assert told[1].startswith("    WorkerCrashedError: ")
        assert told[2] == "    Fix: the same command goes on from here; without --ray this machine computes."
    assert attempts.read_text() == "one\n" * 2


@pytest.mark.slow
def test_partitions_go_away_and_what_holds_them_together_stays_here(
    workers: RayWorkers, store: Store, tmp_path: Path
) -> None:
    asked = Order(spread, "{}", {}, {"jobs": 2}, str(tmp_path / "log"))
    assert store.get(ran(workers, store, asked).outputs["out"]).decode().splitlines() == ["here", *["away"] * 6]
    assert (tmp_path / "log").read_text() == "".join(f"partition {number}\n" for number in range(6))


@pytest.mark.slow
def test_a_large_source_becomes_the_same_dataset_and_lines(workers: RayWorkers, store: Store, several: Place) -> None:
    hidden, here = store.folder.parent, Store(store.folder.parent / "here")
    for name, path in several.files():
        hidden.mkdir(parents=True, exist_ok=True)
        (hidden / name).write_bytes(path.read_bytes())
    settings, given = read_of(replace(several, base=hidden))

    def both(compute: Compute, settings: Any, inputs: Mapping[str, str], **given: Any) -> Mapping[str, str]:
        asked = Order(compute, json.dumps(settings), inputs, given)
        found = ran(workers, store, asked)
        assert carry_out(here, asked) == found
        return found.outputs

    examples = both(data.ingest, settings, {}, **given)["examples.jsonl"]
    twice = dict.fromkeys(("many", "more"), examples)
    built = both(data.dataset, {**RECIPE, "licences": dict.fromkeys(twice, "CC0-1.0")}, twice)
    both(rendering.render, {"method": "supervised"}, {split: built[f"{split}.jsonl"] for split in USUAL})


@pytest.mark.slow
def test_a_worker_with_another_ftbuild_is_refused_by_name(
    workers: RayWorkers, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = facts()["ftbuild"]
    monkeypatch.setattr("ftbuild.cluster.tasks.facts", lambda: {**facts(), "ftbuild": "9.9.9 (0123456789ab)"})
    with pytest.raises(ConfigError) as caught:
        ran(workers, store, order(join))
    assert str(caught.value) == (
        f"command line: a worker of Ray on {socket.gethostname()} has ftbuild {own}, "
        "this build has ftbuild 9.9.9 (0123456789ab)\n"
        "    The same bytes come from the same program.\n"
        "    Fix: install the same ftbuild and Python on every machine of the cluster."
    )


@pytest.mark.slow
def test_bytes_that_changed_on_their_way_are_computed_with_by_nobody(
    workers: RayWorkers, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = store.put(b"right")
    monkeypatch.setattr(Tasks, "put", _wrong(Tasks.put))
    with pytest.raises(EvaluationError, match="bytes changed on their way to a worker"):
        ran(workers, store, order(shout, digest, given={"look_at": ""}, word="never"))


def _wrong(put: Callable[[Tasks, bytes], Any]) -> Callable[[Tasks, bytes], Any]:
    return lambda tasks, content: put(tasks, content.replace(b"right", b"wrong"))


@pytest.mark.slow
def test_what_is_stopped_is_killed_and_ends_as_interrupted(workers: RayWorkers, store: Store, tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    async def interrupted() -> None:
        task = asyncio.ensure_future(workers.run(store, order(sleeps, given={"pid": str(pid)})))
        while not (pid.exists() and pid.read_text()):
            await asyncio.sleep(0.05)
        workers.stop()
        with pytest.raises(Interrupted):
            await task

    asyncio.run(interrupted())
    until(lambda: not lives(int(pid.read_text())))


@pytest.fixture
def connected(head: Head) -> Iterator[None]:
    connection.connect(head.address)
    yield
    connection.package().shutdown()


@pytest.mark.slow
@pytest.mark.usefixtures("connected")
def test_who_lives_in_the_cluster_remembers_and_is_lost_with_its_process() -> None:
    assert room(1) == (2, {"num_cpus": 1})
    assert room(8) == (1, {"num_cpus": 2})
    lodger = Lodger(partial(list, [os.getpid()]), {"num_cpus": 1})
    until(lambda: lodger.is_there(1))
    lodger.ask("append", "more")
    assert lodger.ask("copy") == [os.getpid(), "more"]
    with pytest.raises(IndexError, match="pop index out of range"):
        lodger.ask("pop", 7)
    killer = Lodger(Deadly, {"num_cpus": 1})
    until(lambda: killer.is_there(1))
    with pytest.raises(LostError, match=r"^ActorDiedError: "):
        killer.ask("die")
    lodger.end()
    with pytest.raises(LostError, match=r"^ActorDiedError: "):
        until(lambda: lodger.ask("copy") is None)


class Deadly:
    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.usefixtures("connected")
def test_a_place_where_another_ftbuild_is_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ftbuild.cluster.lodging.facts", lambda: {**facts(), "ftbuild": "9.9.9 (0123456789ab)"})
    lodger = Lodger(list, {"num_cpus": 1})
    with pytest.raises(ConfigError, match=r"this build has ftbuild 9\.9\.9 \(0123456789ab\)"):
        until(lambda: lodger.is_there(1))
    lodger.end()


@pytest.mark.slow
def test_a_cluster_of_a_build_listens_to_this_machine_alone_and_ends_with_it(head: Head) -> None:
    of_cluster = _processes(str(head.folder))
    assert len(of_cluster) > 2
    assert head.address.startswith("127.0.0.1:")
    assert _listening(of_cluster) <= {"0100007F"}
    head.process.kill()
    until(lambda: not any(lives(pid) for pid in of_cluster))


def _processes(word: str) -> Sequence[int]:
    """Return the processes with a word in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word in path.read_text() and int(path.parent.name) != os.getpid():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def _listening(pids: Sequence[int]) -> set[str]:
    """Return the addresses of IPv4 that processes listen on, in hexadecimal as the kernel writes them."""
    sockets = set()
    for pid in pids:
        for path in Path(f"/proc/{pid}/fd").iterdir():
            try:
                sockets.add(os.readlink(path))
            except OSError:
                continue
    rows = [
        line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    mine = [row[1].partition(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets]
    return {each[-8:] if each.startswith("0000000000000000FFFF0000") else each for each in mine}
