"""Every edge of the ledger, a client killed or stopped there and another beside it: one job, no more and no less."""

import json
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from fake_provider import BROKEN, LOST, request
from job_fixture import Child, Jobs, MadeUpTime
from job_provider import Bare, Denied, FolderProvider
from ledger_edges import strike, traced
from paying_fixture import folder_in_memory

from ftbuild.errors import ExitCode, Interrupted, JobError, ProviderError
from ftbuild.ledger.journal import Asked, Journal, journals
from ftbuild.ledger.launch import Clock, launch_once
from ftbuild.ledger.port import JobRequest, JobState
from ftbuild.ledger.steer import steer
from ftbuild.plan.action import JOB
from ftbuild.plan.graph import Graph

# What a client does to a job from first to last, in order; a new step must be named here.
STEPS = (
    *("look", "upload", "remember the file", "upload 2", "remember the file 2"),
    *("write intent", "post", "write launched", "look 2"),
    *("retrieve", "events", "write status", "write status 2", "write ended", "result file", "checkpoints"),
    *("keep a copy", "keep a copy 2", "write fetched", "write the record"),
)
LOST_AFTER = ("write lost", "look 2")
LOST_BEFORE = ("write lost", "look 2", "look 7", "write intent 2", "post 2")
SCENES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "": ((), STEPS),
    "answer lost after the commit": (("lost_after",), LOST_AFTER),
    "answer lost before the commit": (("lost_before",), LOST_BEFORE),
}
EDGES = [
    pytest.param(faults, f"{when} {step}", id=f"{when} {step}{', ' if name else ''}{name}")
    for name, (faults, steps) in SCENES.items()
    for step in steps
    for when in ("before", "after")
]
Mutate = Callable[[], None]


@pytest.fixture
def folder() -> Iterator[Path]:
    with folder_in_memory() as found:
        yield found


def once(folder: Path) -> None:
    """Say nothing if exactly one job was ever created, all is done, and the ledger knows the job."""
    toy = Jobs(folder)
    assert list(toy.provider.creates_by_key().values()) == [1]
    assert toy.all_done
    [journal] = journals(toy.ledger.folder)
    state = journal.state()
    assert (state.phase, state.job_id, state.others) == ("fetched", "ftjob-1", ())


def killed_at(folder: Path, edge: str, faults: tuple[str, ...], mutate: Mutate = lambda: None) -> None:
    """Kill a client at an edge, then let another build."""

    def work(_: object) -> None:
        mutate()
        strike(edge, signal.SIGKILL)
        Jobs(folder, faults=faults).build_on()

    assert Child(work).code() == -signal.SIGKILL, f"{edge} is not reached"
    assert Child(lambda _: (mutate(), Jobs(folder).build_on())).code() == 0


def stopped_at(folder: Path, edge: str, faults: tuple[str, ...], mutate: Mutate = lambda: None) -> None:
    """Stop a client at an edge, let another come as far as it can, wake the first; both end well."""

    def work(waits: Callable[[], None]) -> None:
        mutate()
        strike(edge, signal.SIGSTOP)
        Jobs(folder, faults=faults).job_alone(waits)

    def beside(waits: Callable[[], None]) -> None:
        mutate()
        Jobs(folder).job_alone(waits)

    first = Child(work)
    assert first.stopped(), f"{edge} is not reached"
    second = Child(beside)
    second.waits_or_ends()
    first.send(signal.SIGCONT)
    assert (first.code(), second.code()) == (0, 0)
    assert Child(lambda _: Jobs(folder).build_on()).code() == 0


def test_a_client_does_this_and_in_this_order(folder: Path) -> None:
    def trace(name: str, faults: tuple[str, ...]) -> list[str]:
        told = folder / f"{name}.told"

        def work(_: object) -> None:
            traced(str(told))
            Jobs(folder / name, faults=faults).build_on()

        assert Child(work).code() == 0
        return told.read_text().splitlines()

    assert trace("plain", ()) == [f"{when} {step}" for step in STEPS for when in ("before", "after")]
    for name, (faults, steps) in SCENES.items():
        assert {f"{when} {step}" for step in steps for when in ("before", "after")} <= set(trace(f"x{name}", faults))


FEW = ("after write intent", "before post", "after post", "before write launched", "after write ended")


@pytest.mark.parametrize("edge", FEW)
def test_a_client_killed_where_it_hurts_launches_one_job(edge: str, folder: Path) -> None:
    killed_at(folder, edge, ())
    once(folder)


@pytest.mark.parametrize("edge", FEW[:4])
def test_a_client_stopped_where_it_hurts_and_another_beside_it_launch_one_job(edge: str, folder: Path) -> None:
    stopped_at(folder, edge, ())
    once(folder)


@pytest.mark.slow
@pytest.mark.parametrize(("faults", "edge"), EDGES)
def test_a_client_killed_at_an_edge_launches_one_job(faults: tuple[str, ...], edge: str, folder: Path) -> None:
    killed_at(folder, edge, faults)
    once(folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("faults", "edge"), [each for each in EDGES if "the record" not in str(each.id) and "keep" not in str(each.id)]
)
def test_a_client_stopped_at_an_edge_and_another_beside_it_launch_one_job(
    faults: tuple[str, ...], edge: str, folder: Path
) -> None:
    stopped_at(folder, edge, faults)
    once(folder)


WISHED = [f"{when} {step}" for step in ("write cancel", "cancel", "write ended") for when in ("before", "after")]


@pytest.mark.parametrize("edge", WISHED)
def test_a_cancel_that_was_killed_is_repeated_and_comes_true_once(edge: str, folder: Path) -> None:
    toy = Jobs(folder, status_on="running")
    clock = Clock(lambda: 100.0, lambda _: None)
    journal = toy.ledger.journal("key")
    launched = launch_once(journal, toy.provider, request, clock, 0.0, Asked(("+x=toy",), "toy"))

    def work(_: object) -> None:
        strike(edge, signal.SIGKILL)
        steer("cancel", journal, Jobs(folder, status_on="running").provider, clock, launched.job_id)

    assert Child(work).code() == -signal.SIGKILL
    assert journal.state().wish == (None if edge in ("before write cancel", "after write ended") else "cancel")
    assert steer("cancel", journal, toy.provider, clock, launched.job_id).job.status == "cancelled"
    state = journal.state()
    assert (state.phase, state.status, state.wish) == ("terminal", "cancelled", None)
    assert len(toy.provider.jobs()) == 1


# --- clones and deleted folders ---


def test_a_second_clone_creates_nothing_and_sends_nothing_but_what_it_must(folder: Path) -> None:
    first = Jobs(folder / "first", place=folder / "provider")
    first.build_on()
    second = Jobs(folder / "second", place=folder / "provider", looks_late=0)
    second.build_on()
    assert (second.all_done, list(second.provider.creates_by_key().values())) == (True, [1])
    assert second.provider.n_uploads == 2
    assert "ftjob-1 was launched before: adopted, not paid again" in second.console.said


def test_a_deleted_outputs_folder_creates_nothing(folder: Path) -> None:
    toy = Jobs(folder, looks_late=0)
    toy.build_on()
    shutil.rmtree(folder / "outputs")
    toy.build_on()
    assert (toy.all_done, list(toy.provider.creates_by_key().values())) == (True, [1])


def test_results_that_were_fetched_need_no_provider_again(folder: Path) -> None:
    toy = Jobs(folder)
    toy.build_on()
    for path in (folder / "outputs/.ftbuild").glob("records/*.json"):
        path.unlink()
    shutil.rmtree(folder / "provider")
    toy.build_on()
    assert (toy.all_done, toy.provider.jobs()) == (True, [])


def test_two_jobs_with_one_dataset_send_it_once(folder: Path) -> None:
    toy = Jobs(folder)
    toy.build_on()
    other = Jobs(folder)
    graph = _with_another_method(other.graph())
    other.graph = lambda: graph  # type: ignore[method-assign]
    other.build_on()
    assert (len(other.provider.jobs()), other.provider.n_uploads) == (2, 2)


def _with_another_method(graph: Graph) -> Graph:
    made = Graph()
    for action in graph:
        if action.kind is JOB:
            made.add(replace(action, settings={**action.settings, "again": 1}))
        elif action.label != "use":
            made.add(action)
    return made


# --- what is found, and what cannot be looked for ---


def test_the_oldest_of_several_jobs_is_taken_and_the_others_are_told(folder: Path) -> None:
    toy = Jobs(folder / "first", place=folder / "provider")
    toy.build_on()
    for number in (2, 3):
        text = (folder / "provider/ftjob-1.json").read_text().replace("ftjob-1", f"ftjob-{number}")
        text = text.replace('"created_at": 1', f'"created_at": {number}')
        (folder / f"provider/ftjob-{number}.json").write_text(text)
    second = Jobs(folder / "second", place=folder / "provider", looks_late=0)
    second.build_on()
    [journal] = journals(second.ledger.folder)
    assert (journal.state().job_id, journal.state().others) == ("ftjob-1", ("ftjob-2", "ftjob-3"))
    assert [each for each in second.console.said if "same key" in each] == [
        f"ftjob-{n} is another job of the same key and costs money too. Stop it: ftbuild cancel ftjob-{n}"
        for n in (2, 3)
    ]


def test_nothing_is_launched_where_the_list_cannot_be_read(folder: Path) -> None:
    assert Child(lambda _: Jobs(folder, kind=Denied).build_on()).code() == ExitCode.PROVIDER
    assert Jobs(folder).provider.jobs() == []


def test_a_provider_without_events_and_checkpoints_does(folder: Path) -> None:
    toy = Jobs(folder, kind=Bare)
    toy.build_on()
    [record] = [each.record for each in toy.plan() if each.action.kind is JOB]
    assert record is not None
    job = json.loads(toy.store.get(record.outputs["job.json"]))
    assert (job["status"], job["fine_tuned_model"], job["checkpoints"]) == ("succeeded", "ft:ftjob-1", [])
    once(folder)


def test_a_job_that_is_lost_before_its_results_are_fetched_can_be_launched_again(folder: Path) -> None:
    toy = Jobs(folder)

    def work(_: object) -> None:
        strike("after write ended", signal.SIGKILL)
        toy.build_on()

    assert Child(work).code() == -signal.SIGKILL
    (folder / "provider/ftjob-1.json").unlink()
    assert Child(lambda _: Jobs(folder).build_on()).code() == ExitCode.FAILED
    [journal] = journals(toy.ledger.folder)
    assert (journal.state().ended_badly, journal.state().error) == (True, "the provider has lost the job")


def test_a_job_that_another_key_does_not_see_is_not_lost_for_good(folder: Path) -> None:
    def work(_: object) -> None:
        strike("after write launched", signal.SIGKILL)
        Jobs(folder).build_on()

    assert Child(work).code() == -signal.SIGKILL
    seen = folder / "provider/ftjob-1.json"
    seen.rename(folder / "elsewhere")
    toy = Jobs(folder)
    for _ in range(2):
        with pytest.raises(JobError) as caught:
            toy.build_on()
        assert str(caught.value) == (
            "ftjob-1 failed: the provider has lost the job\n"
            "    Another key, or one of another project, would not see it. "
            "It is not launched again by itself: a job costs money and hours.\n"
            "    Fix: the same command with the key that launched it; if it is gone, then ftbuild retry ftjob-1"
        )
        assert toy.statuses()["job"] == "ATTACH"
    (folder / "elsewhere").rename(seen)
    toy.build_on()
    once(folder)


@pytest.mark.parametrize("status", ["paused"])
def test_a_parked_job_ends_the_build_and_goes_on_when_it_is_resumed(status: str, folder: Path) -> None:
    assert Child(lambda _: Jobs(folder, status_on=status).build_on()).code() == ExitCode.FAILED
    assert Jobs(folder).statuses()["job"] == "ATTACH"
    [journal] = journals(Jobs(folder).ledger.folder)
    assert (journal.state().phase, journal.state().status) == ("running", status)
    assert Child(lambda _: Jobs(folder).build_on()).code() == 0
    once(folder)


# --- the test of the tests: mutants that it must catch ---


def intent_after_the_request() -> None:
    """Write the intent with the line that follows it: after the answer."""
    real = Journal.append
    held: list[partial[None]] = []

    def late(self: Journal, at: float, event: str, **data: object) -> None:
        if event == "intent":
            held.append(partial(real, self, at, event, **data))
            return
        while held:
            held.pop(0)()
        real(self, at, event, **data)

    Journal.append = late  # type: ignore[method-assign]


def retries_on() -> None:
    """Repeat a create whose answer is lost, as the SDK does by default."""
    real = FolderProvider.create_job

    def again(self: FolderProvider, request: JobRequest) -> JobState:
        for _ in range(2):
            try:
                return real(self, request)
            except ProviderError as error:
                if error in (LOST, BROKEN):
                    continue
                raise
        return real(self, request)

    FolderProvider.create_job = again  # type: ignore[method-assign]


def no_lock() -> None:
    """Let every client into the ledger at any time."""

    @contextmanager
    def free(_self: Journal, _waiting: object = None) -> Iterator[None]:
        yield

    Journal.lock = free  # type: ignore[method-assign, assignment]


def test_an_intent_after_the_request_is_caught(folder: Path) -> None:
    killed_at(folder, "after post", (), intent_after_the_request)
    with pytest.raises(AssertionError):
        once(folder)
    assert list(Jobs(folder).provider.creates_by_key().values()) == [2]


def test_retries_of_a_create_are_caught(folder: Path) -> None:
    killed_at(folder, "after write launched", ("lost_after",), retries_on)
    with pytest.raises(AssertionError):
        once(folder)
    assert list(Jobs(folder).provider.creates_by_key().values()) == [2]


def test_a_ledger_without_a_lock_is_caught(folder: Path) -> None:
    stopped_at(folder, "before post", (), no_lock)
    with pytest.raises(AssertionError):
        once(folder)
    assert list(Jobs(folder).provider.creates_by_key().values()) == [2]


def test_a_stop_while_the_files_are_sent_launches_nothing(tmp_path: Path) -> None:
    toy = Jobs(tmp_path)
    stopping = MadeUpTime(toy)

    class Slow(FolderProvider):
        def upload(self, path: Path, name: str) -> str:
            stopping.set()
            return super().upload(path, name)

    toy.kind = Slow
    with pytest.raises(Interrupted):
        toy.build_on(stopping)
    assert (toy.provider.jobs(), journals(toy.ledger.folder)) == ([], [])
