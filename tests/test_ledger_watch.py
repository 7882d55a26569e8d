"""Watching a job: every event once and in order, and patience with a provider that gives no answer."""

from pathlib import Path

import pytest
from fake_provider import BROKEN, LOST, REFUSED, FakeProvider, Script

from ftbuild.errors import ProviderError
from ftbuild.ledger.port import TERMINAL, JobEvent, JobState
from ftbuild.ledger.watch import LOST_AT_MOST, Watched, watch

TOO_SOON = ProviderError("fake: slow down", status=429)


def job(status: str) -> JobState:
    return JobState("ftjob-1", status, 1, None, None)


def event(number: int) -> JobEvent:
    return JobEvent(f"ftevent-{number}", number, "message", f"event {number}", {})


E1, E2, E3, E4 = (event(number) for number in range(1, 5))


def watched(
    *script: tuple[JobState | ProviderError, list[JobEvent]],
) -> tuple[Watched, list[tuple[str, list[str]]], list[float]]:
    clock, shown = Script(), []
    provider = FakeProvider(Path(), script=script)
    ended = watch(
        provider,
        "ftjob-1",
        clock.clock,
        0.5,
        lambda state, events: shown.append((state.status, [each.message for each in events])),
    )
    return ended, shown, clock.slept


def test_events_come_once_and_in_order_although_they_are_repeated_and_turned_around() -> None:
    ended, shown, slept = watched(
        (job("queued"), []),
        (job("running"), [E2, E1, E1]),
        (job("running"), [E2, E2, E1]),
        (job("succeeded"), [E4, E1, E3, E3]),
    )
    assert shown == [
        ("queued", []),
        ("running", ["event 1", "event 2"]),
        ("running", []),
        ("succeeded", ["event 3", "event 4"]),
    ]
    assert ended == Watched(job("succeeded"), (E1, E2, E3, E4))
    assert slept == [0.5] * 3


def test_an_event_that_comes_late_takes_its_place_in_the_whole() -> None:
    ended, shown, _ = watched((job("running"), [E1, E3]), (job("succeeded"), [E1, E2, E3]))
    assert [events for _, events in shown] == [["event 1", "event 3"], ["event 2"]]
    assert ended.events == (E1, E2, E3)


def test_lost_answers_are_waited_out_with_growing_pauses() -> None:
    _, shown, slept = watched(
        (LOST, []), (BROKEN, []), (TOO_SOON, []), (job("running"), [E1]), (LOST, []), (job("succeeded"), [E1])
    )
    assert shown == [("running", ["event 1"]), ("succeeded", [])]
    assert slept == [1.0, 2.0, 4.0, 0.5, 1.0]


def test_pauses_grow_to_half_a_minute_and_patience_ends() -> None:
    clock = Script()
    provider = FakeProvider(Path(), script=[(LOST, [])] * (LOST_AT_MOST + 1))
    with pytest.raises(ProviderError) as caught:
        watch(provider, "ftjob-1", clock.clock, 0.5, lambda *_: None)
    assert caught.value is LOST
    assert clock.slept == [1.0, 2.0, 4.0, 8.0, 16.0, *[30.0] * 15]


def test_a_refusal_ends_the_watch() -> None:
    with pytest.raises(ProviderError) as caught:
        watched((job("running"), []), (REFUSED, []))
    assert caught.value is REFUSED


@pytest.mark.parametrize("status", ["validating_files", "queued", "running", "paused", "pausing", "something_new"])
def test_an_unknown_status_is_watched_on(status: str) -> None:
    ended, shown, _ = watched((job(status), []), (job("succeeded"), []))
    assert [said for said, _ in shown] == [status, "succeeded"]
    assert ended.job.status == "succeeded"


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_a_terminal_status_ends_the_watch(status: str) -> None:
    assert watched((job(status), [E1])) == (Watched(job(status), (E1,)), [(status, ["event 1"])], [])
