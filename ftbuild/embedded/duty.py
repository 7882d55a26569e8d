"""What holds for a process that is started to see a job through, whether it trains or has it trained elsewhere.

A line on its standard input asks it to stand still, and it ends when that closes, which is when who started it died.
Both ends of that pipe are here.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ftbuild.embedded.state import State


def sent(
    state: State, job_id: str, threads: int, log: Path, options: Sequence[str], environment: Mapping[str, str]
) -> "subprocess.Popen[bytes]":
    """Start a process for a job, which writes into `log`.

    Raises:
        OSError: none could be started.
    """
    command = [sys.executable, "-m", "ftbuild.embedded", "train", "--state", str(state.folder), "--job", job_id]
    with log.open("wb") as said:
        return subprocess.Popen(
            [*command, "--threads", str(threads), *options],
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
            bufsize=0,
            env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE", **environment},
        )


def ask_to_pause(process: "subprocess.Popen[bytes]") -> None:
    """Ask a process that was `sent` to stand still."""
    assert process.stdin is not None
    try:
        process.stdin.write(b"pause\n")
    except BrokenPipeError:
        return  # it has ended


@contextmanager
def on_duty(state: State, job_id: str) -> Iterator[threading.Event]:
    """Hold the job alone, and yield what is set once it is to stand still; ends the process when the server dies."""
    from filelock import FileLock

    pausing = threading.Event()
    threading.Thread(target=_listen, args=(pausing,), daemon=True).start()
    with FileLock(state.job_folder(job_id) / "trainer.lock"):  # of one that is just dying with its server
        yield pausing


def _listen(pausing: threading.Event) -> None:
    while os.read(0, 4096):  # not sys.stdin: its lock would be held when the process ends by itself
        pausing.set()
    os._exit(1)
