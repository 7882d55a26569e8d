"""Watching a job: every event once and in order, and patience with a provider that gives no answer."""

from collections.abc import Container, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fake_provider import BROKEN, LOST, REFUSED, FakeProvider, Script
from hypothesis import given
from hypothesis import strategies as st

from ftbuild.errors import ProviderError
from ftbuild.ledger.port import TERMINAL, JobEvent, JobState
from ftbuild.ledger.watch import LOST_AT_MOST, RETRY_AFTER_AT_MOST, Watched, watch
from ftbuild.report.progress import JobProgress

TOO_SOON = ProviderError("fake: slow down", status=429)
GONE = ProviderError("fake: no such job", status=404)


def job(status: str) -> JobState:
    return JobState("ftjob-1", status, 1, None, None)


def event(number: int) -> JobEvent:
    return JobEvent(f"ftevent-{number}", number, "message", f"event {number}", {})


def metrics(number: int, total: int) -> JobEvent:
    data = {"step": number, "total_steps": total, "train_loss": 3.0 - number}
    return JobEvent(f"ftevent-{number}", number, "metrics", f"event {number}", data)


E1, E2, E3, E4 = (event(number) for number in range(1, 5))
M1, M2 = metrics(1, 2), metrics(2, 2)
Turn = tuple[JobState | ProviderError, list[JobEvent]]


def watched(*script: Turn, settle: float = 0.0) -> tuple[Watched, list[tuple[str, list[str]]], list[float]]:
    clock, shown = Script(), []
    provider = FakeProvider(Path(), script=script)
    ended = watch(
        provider,
        "ftjob-1",
        clock.clock,
        0.5,
        lambda state, events: shown.append((state.status, [each.message for each in events])),
        settle,
    )
    return ended, shown, clock.slept


def test_events_come_once_and_in_order_although_they_are_repeated_and_turned_around() -> None:
    ended, shown, slept = watched(
        (job("queued"), []),
        (job("running"), [E2, E1, E1]),
        (job("running"), [E2, E2, E1]),
        (job("failed"), [E4, E1, E3, E3]),
    )
    assert shown == [
        ("queued", []),
        ("running", ["event 1", "event 2"]),
        ("running", []),
        ("failed", ["event 3", "event 4"]),
    ]
    assert ended == Watched(job("failed"), (E1, E2, E3, E4))
    assert slept == [0.5] * 3


def test_an_event_that_comes_late_takes_its_place_in_the_whole() -> None:
    ended, shown, _ = watched((job("running"), [E1, E3]), (job("failed"), [E1, E2, E3]))
    assert [events for _, events in shown] == [["event 1", "event 3"], ["event 2"]]
    assert ended.events == (E1, E2, E3)


class Listing(FakeProvider):
    """Has a list of events that grows at each look, and counts how many it was asked to give."""

    states: Iterator[str]
    behind: int = 0
    asked: list[int]

    def retrieve_job(self, job_id: str) -> JobState:
        return replace(job(next(self.states, "succeeded")), id=job_id)

    def job_events(self, job_id: str, known: Container[str] = ()) -> list[JobEvent]:  # noqa: ARG002
        self.behind += 1
        found = [each for each in self.there() if each.id not in known]
        self.asked.append(len(found))
        return found

    def there(self) -> list[JobEvent]:
        return [metrics(number, 6) for number in range(1, min(2 * self.behind, 6) + 1)]


def test_only_what_is_new_is_asked_for_until_the_end_and_then_everything_once() -> None:
    provider, shown = Listing(Path()), []
    provider.states, provider.asked = iter(["running"] * 3), []
    ended = watch(provider, "ftjob-1", Script().clock, 0.5, lambda _, events: shown.extend(events))
    assert provider.asked == [2, 2, 2, 0, 6]
    assert list(ended.events) == shown == [metrics(number, 6) for number in range(1, 7)]


def test_a_list_behind_the_job_is_waited_for_while_steps_are_missing() -> None:
    ended, shown, slept = watched((job("succeeded"), [M1]), (job("succeeded"), [M2, M1]))
    assert (ended.events, shown, slept) == ((M1, M2), [("succeeded", ["event 1"]), ("succeeded", ["event 2"])], [0.5])


def test_steps_that_never_come_are_done_without() -> None:
    ended, _, slept = watched((job("succeeded"), [M2]))
    assert (ended.events, slept) == ((M2,), [0.5] * 3)


@given(st.lists(st.lists(st.integers(1, 12), max_size=14), max_size=6), st.integers(0, 3))
def test_nothing_is_lost_or_repeated_whatever_a_list_shows_when(looks: list[list[int]], lost: int) -> None:
    script: list[Turn] = [(job("running"), [metrics(number, 12) for number in look]) for look in looks]
    script += [(LOST, [])] * lost + [(job("succeeded"), [metrics(number, 12) for number in range(12, 0, -1)])]
    ended, shown, _ = watched(*script)
    assert [each.data["step"] for each in ended.events] == list(range(1, 13))
    said = [text for _, texts in shown for text in texts]
    assert sorted(said) == sorted({f"event {number}" for number in range(1, 13)})


def test_lost_answers_are_waited_out_with_growing_pauses() -> None:
    _, shown, slept = watched(
        (LOST, []), (BROKEN, []), (TOO_SOON, []), (job("running"), [E1]), (LOST, []), (job("failed"), [E1])
    )
    assert shown == [("running", ["event 1"]), ("failed", [])]
    assert slept == [1.0, 2.0, 4.0, 0.5, 1.0]


@pytest.mark.parametrize(("asked", "waits"), [(90.0, 90.0), (0.1, 1.0), (86_400.0, RETRY_AFTER_AT_MOST)])
def test_a_provider_that_says_when_is_not_asked_earlier(asked: float, waits: float) -> None:
    later = ProviderError("fake: slow down", status=429, retry_after=asked)
    assert watched((later, []), (job("failed"), []))[2] == [waits]


def test_pauses_grow_while_there_is_nothing_new_and_shrink_with_the_next_event() -> None:
    quiet: list[Turn] = [(job("running"), [])] * 30
    _, _, slept = watched(*quiet, (job("running"), [E1]), (job("running"), [E1]), (job("failed"), [E1]))
    assert slept[:10] == [0.5] * 10
    assert slept[10:14] == [0.5, *(pytest.approx(0.5 * 1.3**n) for n in (1, 2, 3))]
    assert slept[25:] == [pytest.approx(3.0)] * 5 + [0.5] * 2


def test_pauses_grow_to_half_a_minute_and_patience_ends() -> None:
    clock = Script()
    provider = FakeProvider(Path(), script=[(LOST, [])] * (LOST_AT_MOST + 1))
    with pytest.raises(ProviderError) as caught:
        watch(provider, "ftjob-1", clock.clock, 0.5, lambda *_: None)
    assert caught.value is LOST
    assert clock.slept == [1.0, 2.0, 4.0, 8.0, 16.0, *[30.0] * 15]


def test_clients_do_not_ask_in_step() -> None:
    slept = []
    for chance in (0.0, 1.0):
        clock = Script()
        provider = FakeProvider(Path(), script=[(job("running"), []), (job("failed"), [])])
        watch(provider, "ftjob-1", replace(clock.clock, chance=lambda: chance), 0.5, lambda *_: None)  # noqa: B023
        slept += clock.slept
    assert slept == [pytest.approx(0.4), pytest.approx(0.6)]


def test_a_refusal_ends_the_watch() -> None:
    with pytest.raises(ProviderError) as caught:
        watched((job("running"), []), (REFUSED, []))
    assert caught.value is REFUSED


def test_a_job_that_is_not_there_yet_is_waited_for_and_one_that_is_gone_is_not() -> None:
    assert watched((GONE, []), (GONE, []), (job("failed"), []), settle=10.0)[2] == [1.0, 2.0]
    with pytest.raises(ProviderError) as caught:
        watched((job("running"), []), (GONE, []), settle=10.0)
    assert caught.value is GONE


@pytest.mark.parametrize(
    "status",
    [*("validating_files", "queued", "running", "pausing", "something_new"), *("pending", "notRunning", "canceling")],
)
def test_an_unknown_status_is_watched_on(status: str) -> None:
    ended, shown, _ = watched((job(status), []), (job("failed"), []))
    assert [said for said, _ in shown] == [status, "failed"]
    assert ended.job.status == "failed"


@pytest.mark.parametrize("status", [*sorted(TERMINAL - {"succeeded"}), "paused"])
def test_a_status_that_changes_no_more_by_itself_ends_the_watch(status: str) -> None:
    assert watched((job(status), [E1])) == (Watched(job(status), (E1,)), [(status, ["event 1"])], [])


def test_progress_tells_step_loss_and_time_left() -> None:
    progress = JobProgress()
    said = []
    for now, state, events in [
        (100.0, job("validating_files"), []),
        (110.0, job("running"), [metrics(1, 100)]),
        (120.0, job("running"), [metrics(2, 100)]),
        (125.0, job("running"), []),
        (130.0, replace(job("running"), estimated_finish=310), [metrics(3, 100)]),
        (140.0, job("canceling"), []),
        (150.0, job("succeeded"), []),
    ]:
        progress.add(state, events, now)
        said.append((progress.line, progress.text))
    assert said == [
        ("validating files", "validating files"),
        ("running, step 1 of 100, loss 2.00", "step 1 of 100"),
        ("running, step 2 of 100, loss 2.00 █▁ 1.00, 16 min 20 s left", "step 2 of 100, about 16 minutes left"),
        ("running, step 2 of 100, loss 2.00 █▁ 1.00, 16 min 15 s left", "step 2 of 100, about 16 minutes left"),
        ("running, step 3 of 100, loss 2.00 █▅▁ 0.00, 3 min left", "step 3 of 100, about 3 minutes left"),
        ("cancelling, step 3 of 100, loss 2.00 █▅▁ 0.00, 16 min left", "step 3 of 100, about 16 minutes left"),
        ("succeeded, step 3 of 100, loss 2.00 █▅▁ 0.00", "step 3 of 100"),
    ]
