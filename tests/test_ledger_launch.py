"""A job is launched once: whatever is lost, whoever dies, however many ask at once."""

import json
import multiprocessing
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from fake_provider import BROKEN, LOST, REFUSED, FakeProvider, Killed, Script, request

from ftbuild.errors import ProviderError, StoreError
from ftbuild.ledger.journal import Asked, Journal
from ftbuild.ledger.launch import Launched, launch_once
from ftbuild.ledger.port import CREATE_TIMEOUT_SECONDS, JobRequest, JobState

KEY = "c0ffee" * 4
SETTLE = 30.0
ASKED = Asked(("+experiment=x",), "tone", {"kind": "embedded"})


class Bench:
    """One client's view: a journal, a provider, a clock. `again` is the next client on the same machine."""

    def __init__(self, folder: Path, faults: list[str] | None = None, *, looks_late: int = 0) -> None:
        self.folder = folder
        (folder / "provider").mkdir(exist_ok=True)
        self.provider = FakeProvider(folder / "provider", faults or [], looks_late=looks_late)
        self.script = Script()
        self.journal = Journal(folder / "ledger", KEY)

    def launch(self, make: Callable[[dict[str, str]], JobRequest] = request, retried: str | None = None) -> Launched:
        return launch_once(self.journal, self.provider, make, self.script.clock, SETTLE, ASKED, retried=retried)

    def jobs(self) -> list[JobState]:
        return self.provider.jobs()

    def events(self) -> list[str]:
        path = self.folder / "ledger" / f"{KEY}.jsonl"
        return [json.loads(line)["event"] for line in path.read_bytes().splitlines()]


def test_a_launch_is_one_create_that_carries_our_key(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert bench.launch() == Launched("ftjob-1", "launched")
    assert [job.raw["metadata"] for job in bench.jobs()] == [{"ftbuild_key": KEY, "ftbuild_attempt": "1"}]
    assert bench.events() == ["intent", "launched"]
    assert bench.script.slept == []


def test_a_second_call_attaches_without_asking_the_provider(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.launch()
    looks = bench.provider.looks
    assert bench.launch() == Launched("ftjob-1", "attached")
    assert (bench.provider.creates, bench.provider.looks) == (1, looks)


def test_a_job_of_another_clone_is_adopted(tmp_path: Path) -> None:
    Bench(tmp_path).launch()
    (tmp_path / "ledger" / f"{KEY}.jsonl").unlink()
    bench = Bench(tmp_path)
    assert bench.launch() == Launched("ftjob-1", "adopted")
    assert (len(bench.jobs()), bench.events()) == (1, ["launched"])


class Racing(FakeProvider):
    """A provider at which another clone launches the same: right before us, or right after."""

    first = True

    def create_job(self, asked: JobRequest) -> JobState:
        jobs = [super(Racing, self).create_job(asked) for _ in range(2)]
        return jobs[1] if self.first else jobs[0]


def raced(folder: Path, *, first: bool) -> Bench:
    bench = Bench(folder)
    bench.provider = Racing(folder / "provider", [])
    bench.provider.first = first
    return bench


def test_of_two_clones_that_launch_at_once_both_take_the_older_job_and_tell_of_the_other(tmp_path: Path) -> None:
    bench = raced(tmp_path, first=True)
    assert bench.launch() == Launched("ftjob-1", "raced", ("ftjob-2",))
    assert (bench.events(), bench.journal.state().job_id) == (["intent", "launched", "launched"], "ftjob-1")
    assert bench.launch() == Launched("ftjob-1", "attached", ("ftjob-2",))
    other = tmp_path / "other"
    other.mkdir()
    assert raced(other, first=False).launch() == Launched("ftjob-1", "launched", ("ftjob-2",))


def test_a_look_after_the_launch_that_gets_no_answer_takes_nothing_back(tmp_path: Path) -> None:
    bench = raced(tmp_path, first=True)
    looks = iter([[], REFUSED])

    def find_jobs(_metadata: Mapping[str, str]) -> list[JobState]:
        answer = next(looks)
        if isinstance(answer, ProviderError):
            raise answer
        return answer

    bench.provider.find_jobs = find_jobs  # type: ignore[method-assign]
    assert bench.launch() == Launched("ftjob-2", "launched")


def test_an_answer_lost_after_the_commit_makes_one_job_that_is_adopted(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ["lost_after"], looks_late=4)
    assert bench.launch() == Launched("ftjob-1", "adopted")
    assert (len(bench.jobs()), bench.provider.creates) == (1, 1)
    assert bench.events() == ["intent", "lost", "launched"]
    assert bench.script.slept == [1.0] * 3  # the list was three looks behind


def test_an_answer_lost_before_the_commit_is_launched_again_once_settled(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ["lost_before"])
    assert bench.launch() == Launched("ftjob-1", "launched")
    assert (len(bench.jobs()), bench.provider.creates) == (1, 2)
    assert bench.events() == ["intent", "lost", "intent", "launched"]
    assert sum(bench.script.slept) == SETTLE


def test_a_provider_that_never_answers_is_asked_twice_and_no_more(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ["lost_before", "lost_before"])
    with pytest.raises(ProviderError) as caught:
        bench.launch()
    assert (caught.value, bench.provider.creates, bench.jobs()) == (LOST, 2, [])
    assert sum(bench.script.slept) == 2 * SETTLE


@pytest.mark.parametrize("seconds", [3600.0, -3600.0])
def test_a_clock_that_is_set_while_the_list_is_behind_launches_nothing_more(seconds: float, tmp_path: Path) -> None:
    bench = Bench(tmp_path, ["lost_after"], looks_late=4)

    class Setting(FakeProvider):
        def find_jobs(self, metadata: Mapping[str, str]) -> list[JobState]:
            bench.script.time += seconds if self.looks == 1 else 0.0
            return super().find_jobs(metadata)

    bench.provider = Setting(bench.provider.folder, bench.provider.faults, bench.provider.looks_late)
    assert bench.launch() == Launched("ftjob-1", "adopted")
    assert (len(bench.jobs()), sum(bench.script.slept) < SETTLE) == (1, True)


def test_a_loss_that_a_clock_set_back_puts_into_the_future_is_waited_for_no_longer(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.journal.append(bench.script.time + 9000, "intent", request={}, **ASKED.to_json())
    bench.journal.append(bench.script.time + 9000, "lost", error="no answer")
    assert bench.launch() == Launched("ftjob-1", "launched")
    assert sum(bench.script.slept) == SETTLE


def test_a_second_lost_answer_after_the_commit_is_adopted(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ["lost_before", "lost_after"])
    assert bench.launch() == Launched("ftjob-1", "adopted")
    assert len(bench.jobs()) == 1


def test_a_lost_answer_is_settled_from_its_loss_on_and_in_a_later_call_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    def slow_and_lost(_request: JobRequest) -> JobState:
        bench.script.time += 100  # longer than SETTLE
        raise LOST

    bench.provider.create_job = slow_and_lost  # type: ignore[method-assign]
    with pytest.raises(ProviderError, match=r"^fake: no answer$"):
        bench.launch()
    assert sum(bench.script.slept) == 2 * SETTLE
    again = Bench(tmp_path)
    again.script.time = bench.script.time - 10
    assert again.launch() == Launched("ftjob-1", "launched")
    assert sum(again.script.slept) == 10


def test_a_refusal_launches_nothing_and_the_next_call_may(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ["refused"])
    with pytest.raises(ProviderError) as caught:
        bench.launch()
    assert (caught.value, bench.jobs(), bench.script.slept) == (REFUSED, [], [])
    assert bench.launch() == Launched("ftjob-1", "launched")
    assert bench.events() == ["intent", "refused", "intent", "launched"]
    assert bench.script.slept == []


class Edge:
    """Somewhere a client can die: a way to make it die there, and whether the job exists then."""

    def before_the_look(self, bench: Bench) -> None:
        def die(_metadata: object) -> list[JobState]:
            raise Killed

        bench.provider.find_jobs = die  # type: ignore[method-assign, assignment]
        bench.launch()

    def before_the_intent(self, bench: Bench) -> None:
        def die(_metadata: dict[str, str]) -> JobRequest:
            raise Killed

        bench.launch(die)

    def in_the_middle_of_the_intent(self, bench: Bench) -> None:
        path = bench.folder / "ledger" / f"{KEY}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b'{"v": 1, "at": 1000.0, "event": "int')
        raise Killed

    def after_the_intent(self, bench: Bench) -> None:
        bench.provider.faults = ["dies_before"]
        bench.launch()

    def after_the_post(self, bench: Bench) -> None:
        bench.provider.faults = ["dies_after"]
        bench.launch()

    def in_the_middle_of_the_launched_line(self, bench: Bench) -> None:
        bench.launch()
        path = bench.folder / "ledger" / f"{KEY}.jsonl"
        path.write_bytes(path.read_bytes()[:-20])
        raise Killed

    def with_only_the_line_end_missing(self, bench: Bench) -> None:
        bench.launch()
        path = bench.folder / "ledger" / f"{KEY}.jsonl"
        path.write_bytes(path.read_bytes()[:-1])
        raise Killed

    def after_everything(self, bench: Bench) -> None:
        bench.launch()
        raise Killed


@pytest.mark.parametrize("edge", [name for name in vars(Edge) if not name.startswith("_")])
def test_a_client_that_dies_anywhere_and_comes_again_makes_one_job(edge: str, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        getattr(Edge(), edge)(Bench(tmp_path))
    again = Bench(tmp_path)
    assert again.launch().job_id == "ftjob-1"
    assert again.launch() == Launched("ftjob-1", "attached")
    assert len(again.jobs()) == 1


@pytest.mark.parametrize(("late", "waits"), [(0, SETTLE), (CREATE_TIMEOUT_SECONDS, SETTLE), (86400, 0)])
def test_after_a_death_the_list_is_watched_as_long_as_the_request_may_have_lasted(
    late: float, waits: float, tmp_path: Path
) -> None:
    bench = Bench(tmp_path, ["dies_before"])
    with pytest.raises(Killed):
        bench.launch()
    again = Bench(tmp_path)
    again.script.time += late
    assert again.launch() == Launched("ftjob-1", "launched")
    assert sum(again.script.slept) == waits


def test_a_retry_is_another_job_with_other_metadata(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.launch()
    bench.journal.append(1, "ended", status="failed", error="out of memory")
    bench.journal.append(2, "retry")
    assert bench.launch() == Launched("ftjob-2", "launched")
    assert [job.raw["metadata"]["ftbuild_attempt"] for job in bench.jobs()] == ["1", "2"]
    assert bench.launch() == Launched("ftjob-2", "attached")


def test_what_is_launched_once_more_is_allowed_when_it_is_launched(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.launch()
    assert bench.launch(retried="ftjob-1") == Launched("ftjob-1", "attached")  # it has not ended
    bench.journal.append(1, "ended", status="failed", error="out of memory")
    assert bench.launch(retried="ftjob-7") == Launched("ftjob-1", "attached")
    assert bench.launch(retried="ftjob-1") == Launched("ftjob-2", "launched")
    assert bench.launch(retried="ftjob-1") == Launched("ftjob-2", "attached")  # somebody else was quicker, or we before
    assert bench.events() == ["intent", "launched", "ended", "retry", "intent", "launched"]


def test_a_clone_that_knows_nothing_takes_the_latest_attempt(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.launch()
    bench.journal.append(1, "ended", status="failed", error="out of memory")
    bench.journal.append(2, "retry")
    bench.launch()
    (tmp_path / "ledger" / f"{KEY}.jsonl").unlink()
    assert bench.launch() == Launched("ftjob-2", "adopted")
    assert (bench.journal.state().attempt, len(bench.jobs())) == (2, 2)


class Forgetful(FakeProvider):
    """Tells no metadata of its jobs."""

    def find_jobs(self, metadata: Mapping[str, str]) -> list[JobState]:  # noqa: ARG002
        self.looks += 1
        return [replace(job, raw={**job.raw, "metadata": None}, created_at=1000) for job in self.jobs()]


def test_where_no_metadata_is_told_a_lost_job_is_known_by_its_file(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ["lost_after"])
    bench.provider.__class__ = Forgetful
    assert bench.launch() == Launched("ftjob-1", "adopted")
    assert len(bench.jobs()) == 1


def test_where_no_metadata_is_told_a_strangers_job_is_not_ours(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ["", "lost_before"])
    bench.provider.__class__ = Forgetful
    bench.provider.create_job(replace(request({}), training_file="file-of-others"))
    assert bench.launch() == Launched("ftjob-2", "launched")


class Listless(FakeProvider):
    """Has no list of jobs."""

    def find_jobs(self, metadata: Mapping[str, str]) -> list[JobState]:  # noqa: ARG002
        raise ProviderError("fake: Invalid URL", status=404)


def test_a_provider_without_a_list_is_asked_about_by_a_person_after_a_lost_answer(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ["lost_after"])
    bench.provider.__class__ = Listless
    for _ in range(2):
        with pytest.raises(ProviderError) as caught:
            bench.launch()
        assert str(caught.value) == (
            "whether the job was launched is not known: its answer was lost (fake: Invalid URL)\n"
            "    This provider has no list of jobs to look into, and a second job would be paid too.\n"
            "    Fix: see at the provider: if it is there, ftbuild adopt JOB +experiment=NAME; if not, "
            f"ftbuild retry {KEY[:12]}"
        )
    assert bench.provider.creates == 1


def test_a_provider_without_a_list_launches_where_no_answer_is_missing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.provider.__class__ = Listless
    assert bench.launch() == Launched("ftjob-1", "launched")


def test_a_look_without_an_answer_is_repeated_until_the_list_has_settled(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ["lost_after"])
    answers = [[], LOST, BROKEN, LOST]
    find = bench.provider.find_jobs

    def flaky(metadata: Mapping[str, str]) -> list[JobState]:
        answer = answers.pop(0) if answers else find(metadata)
        if isinstance(answer, ProviderError):
            raise answer
        return answer

    bench.provider.find_jobs = flaky  # type: ignore[method-assign]
    assert bench.launch() == Launched("ftjob-1", "adopted")
    assert (bench.script.slept, len(bench.jobs())) == ([1.0] * 3, 1)


def test_nothing_is_launched_again_while_the_look_gets_no_answer(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ["lost_before"])
    looks = iter([True])

    def silent(_metadata: Mapping[str, str]) -> list[JobState]:
        if next(looks, False):
            return []
        raise LOST

    bench.provider.find_jobs = silent  # type: ignore[method-assign]
    with pytest.raises(ProviderError):
        bench.launch()
    assert (bench.provider.creates, sum(bench.script.slept)) == (1, SETTLE)


def test_nothing_is_sent_when_the_intent_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "ledger").write_bytes(b"")
    bench = Bench(tmp_path)
    with pytest.raises(StoreError) as caught:
        bench.launch()
    assert str(caught.value) == (
        f"{tmp_path}/ledger/{KEY}.lock: cannot be written: file exists\n"
        "    Fix: free space or rights there, then again."
    )
    assert bench.provider.creates == 0


def test_a_damaged_journal_launches_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.launch()
    path = tmp_path / "ledger" / f"{KEY}.jsonl"
    path.write_bytes(b"{\n" + path.read_bytes())
    with pytest.raises(StoreError, match=r"this line is damaged"):
        bench.launch()
    assert bench.provider.creates == 1


def race(folder: str, start: "multiprocessing.synchronize.Barrier", out: "multiprocessing.Queue[str]") -> None:
    bench = Bench(Path(folder))
    start.wait()
    out.put(bench.launch().how)


def test_two_processes_at_once_make_one_job(tmp_path: Path) -> None:
    (tmp_path / "provider").mkdir()
    context = multiprocessing.get_context("spawn")
    start, out = context.Barrier(2), context.Queue()
    clients = [context.Process(target=race, args=(str(tmp_path), start, out)) for _ in range(2)]
    for client in clients:
        client.start()
    said = sorted(out.get(timeout=60) for _ in clients)
    for client in clients:
        client.join()
    out.close()
    assert said == ["attached", "launched"]
    assert len(FakeProvider(tmp_path / "provider").jobs()) == 1
