"""What a build says while it works: one live line on a terminal, plain lines elsewhere, times in one column."""

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from embedded_fixture import until
from project_fixture import Project, project_in

from ftbuild.cli.console import CLEAR, TerminalConsole
from ftbuild.cli.layout import label_width
from ftbuild.plan.action import JOB, PREDICT, SCORE, Action

BASE = Action(PREDICT, "base", "train", {})
TRAINED = Action(JOB, "job", "train", {})


def screen(said: str) -> list[str]:
    """Return what stands on a terminal after `said`: the little of one that our console may use."""
    lines, column = [""], 0
    for part in re.findall(r"\x1b\[K|\r|\n|[^\x1b\r\n]+", said):
        if part == "\r":
            column = 0
        elif part == "\n":
            lines.append("")
            column = 0
        elif part == "\x1b[K":
            lines[-1] = lines[-1][:column]
        else:
            lines[-1] = lines[-1][:column].ljust(column) + part + lines[-1][column + len(part) :]
            column += len(part)
    assert "\x1b" not in "".join(lines)
    return lines


def on_a_terminal(project: Project, columns: int, *arguments: str) -> tuple[int, str]:
    """Run ftbuild with a terminal as its stderr; return the exit code and all that was written there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(
        [sys.executable, "-m", "ftbuild", *arguments],
        cwd=project.folder,
        env={**project.environment, "COLUMNS": str(columns)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        said = b""
        while chunk := _read(ours):
            said += chunk
    os.close(ours)
    return process.returncode, said.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that nobody holds the other end any more
        return b""


@pytest.mark.slow
def test_a_terminal_shows_one_live_line_and_keeps_only_finished_ones(
    tmp_path_factory: pytest.TempPathFactory, cache: Path
) -> None:
    with project_in(tmp_path_factory.mktemp("terminal"), cache) as project:
        code, said = on_a_terminal(project, 100, "+experiment=tone_formal", "--smoke")
    assert code == 0, said
    *lines, last = screen(said)
    assert last == ""
    assert "\r\x1b[Ktrain    job " in said
    launched = [line for line in lines if line.endswith(" was launched")]
    finished = [line for line in lines if line not in launched]
    assert len(launched) == 1
    assert [line[9:23].strip() for line in finished if line[9:23].strip()] == [
        *("pairs", "unseen", "dataset", "lines", "echo", "rules", "base"),
        *("echo scores", "rules scores", "base scores", "job", "tuned", "tuned scores", "verdict", "report"),
    ]
    timed = [line for line in finished if line[9:23].strip()]
    assert {len(line) for line in timed} == {99}
    assert all(re.search(r"  \d+(\.\d)? s$", line) for line in timed), timed


def test_the_times_stand_in_one_column_whatever_the_notes_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = io.StringIO()
    console = TerminalConsole(out)
    console.started(TRAINED)
    console.finished(BASE, "RUN", "172 answers", 5)
    console.finished(TRAINED, "RUN", "ftjob-lnPSUXpOW6GUsaDvlGWj9vdT  300 steps  loss 6.16 ▇▅▃▂▂▁▁▁ 3.88", 821)
    console.close()
    assert out.getvalue().splitlines() == [
        "train    base          172 answers                                          5 s",
        "         job           ftjob-lnPSUXpOW6GUsaDvlGWj9vdT  300 steps    13 min 41 s",
        "                       loss 6.16 ▇▅▃▂▂▁▁▁ 3.88",
    ]


def test_the_notes_stand_in_one_column_however_long_a_label_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = io.StringIO()
    long = Action(SCORE, "base_retrieval scores", "train", {})
    console = TerminalConsole(out, label_width=label_width(each.label for each in (BASE, long)))
    console.started(BASE)
    console.finished(BASE, "RUN", "172 answers", 5)
    console.finished(long, "RUN", "172 answers scored", 1)
    console.close()
    assert out.getvalue().splitlines() == [
        "train    base                  172 answers                                  5 s",
        "         base_retrieval scores 172 answers scored                           1 s",
    ]


def test_what_an_action_says_in_a_sweep_has_its_point() -> None:
    out = io.StringIO()
    console = TerminalConsole(out, points={TRAINED.id: "n=2"})
    console.say("head-room 0.04", TRAINED)
    console.say("head-room 0.04", BASE)
    console.say("head-room 0.04")
    assert out.getvalue().splitlines() == ["[n=2] head-room 0.04", "head-room 0.04", "head-room 0.04"]


def test_a_silent_action_is_heard_of_now_and_then_without_a_terminal() -> None:
    out = io.StringIO()
    console = TerminalConsole(out, every_seconds=0.01)
    console.started(BASE)
    console.progress(BASE, "31 of 172 answers")
    until(lambda: out.getvalue().count("\n") >= 3)
    console.close()
    [line] = set(out.getvalue().splitlines()[1:])
    assert re.fullmatch(r" {9}base {10}31 of 172 answers +0 s", line), line
    assert "\r" not in out.getvalue()


def test_the_live_line_leaves_room_for_the_echo_of_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", "80")
    out = Terminal()
    console = TerminalConsole(out, every_seconds=100)
    console.started(BASE)
    console.progress(BASE, "31 of 172 answers")
    console.close()
    assert out.getvalue().split(CLEAR)[-2] == f"{BASE.stage:8} base          31 of 172 answers{'0 s':>37}"
    assert len(out.getvalue().split(CLEAR)[-2]) + len("^C") < 80


def test_plain_progress_comes_every_ten_seconds() -> None:
    console = TerminalConsole(io.StringIO())
    assert console.every_seconds == 10.0


def test_nothing_is_said_of_a_build_that_found_everything() -> None:
    out = io.StringIO()
    console = TerminalConsole(out)
    console.finished(BASE, "HIT", "172 answers", 0)
    console.finished(TRAINED, "HIT", "300 steps", 0)
    console.close()
    assert out.getvalue() == ""
