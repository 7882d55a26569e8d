"""The points of a sweep on a terminal while they are built, and that nothing of it stays there."""

import io

import pytest

from ftbuild.cli.console import BELOW, CLEAR, UP, TerminalConsole
from ftbuild.cli.live_points import LivePoints
from ftbuild.errors import DataError
from ftbuild.plan.action import DATASET, JOB, PREDICT, Action
from ftbuild.problem import Problem

DATA = Action(DATASET, "dataset", "data", {})
JOBS = [Action(JOB, "job", "train", {"seed": seed}) for seed in range(3)]
TUNED = [Action(PREDICT, "tuned", "test", {"seed": seed}) for seed in range(3)]
NAMES = [f"seed={seed}" for seed in range(3)]
POINTS = {each.id: name for both in (JOBS, TUNED) for each, name in zip(both, NAMES, strict=True)}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def shown(self) -> list[str]:
        """Return what stands there now: lines that stay, and the live ones below."""
        lines = [""]
        for drawn in self.getvalue().split(CLEAR):
            lines[-1] = ""
            up, _, part = (
                drawn.removeprefix("\x1b[").partition(f"A{BELOW}") if drawn[:1] == "\x1b" else ("0", "", drawn)
            )
            lines = [*lines[: len(lines) - 1 - int(up)], ""]
            first, *rest = part.split("\n")
            lines = [*lines[:-1], first, *rest]
        return lines


def test_a_point_at_work_says_what_it_does_a_failed_one_stays_and_the_done_are_counted() -> None:
    live = LivePoints(NAMES, POINTS)
    assert live.lines({}, 9) == ["  3 points: 0 done"]
    assert live.lines({JOBS[1].id: "job  step 3 of 9"}, 9) == [
        "  seed=1  job  step 3 of 9",
        "  3 points: 0 done, 1 under way",
    ]
    live.done(JOBS[1].id)
    live.done(TUNED[1].id)
    live.failed(JOBS[0].id, "job")
    assert live.lines({JOBS[2].id: "job  step 1 of 9"}, 9) == [
        "  seed=2  job  step 1 of 9",
        "  seed=0  job failed",
        "  3 points: 1 done, 1 failed, 1 under way",
    ]


def test_there_are_no_more_lines_than_the_terminal_has_room_for() -> None:
    live = LivePoints(NAMES, POINTS)
    running = {each.id: "job" for each in JOBS}
    assert live.lines(running, 2) == ["  seed=0  job", "  seed=1  job", "  3 points: 0 done, 3 under way"]
    assert live.lines(running, -3) == ["  3 points: 0 done, 3 under way"]


def test_what_is_shared_by_all_belongs_to_no_point() -> None:
    live = LivePoints([*NAMES, "seed=9"], POINTS)
    assert live.lines({DATA.id: "dataset"}, 9) == ["  3 points: 0 done"]


def test_the_lines_of_a_sweep_are_drawn_anew_in_place_and_gone_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "24")
    out = Terminal()
    console = TerminalConsole(out, every_seconds=100, points=POINTS, named=NAMES)
    console.started(JOBS[0])
    console.progress(JOBS[0], "step 1 of 9, with much more to tell than this terminal is wide")
    first, *rest = out.shown()
    assert first.startswith("train    job           step 1 of 9")
    assert rest == ["  seed=0  job  step 1 of 9, with much more to tell than t", "  3 points: 0 done, 1 under way"]
    assert all(len(line) < 60 for line in out.shown())
    console.say("W&B: a page", JOBS[0])
    assert [out.shown()[0], *out.shown()[2:]] == ["[seed=0] W&B: a page", *rest]
    console.failed(JOBS[0], DataError(Problem("no lines", "a.jsonl")))
    console.started(JOBS[1])
    console.finished(JOBS[1], "RUN", "ftjob-1", 3)
    console.close()
    *said, last = out.shown()
    assert [line.partition("   ")[0] for line in said] == [
        "[seed=0] W&B: a page",
        "job [seed=0] failed: a.jsonl: no lines",
        "train",
    ]
    assert last == ""
    assert UP.format(2) in out.getvalue()
