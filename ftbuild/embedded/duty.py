"""What holds for a process that the server starts to see a job through, whether it trains or has it trained elsewhere.

A line on its standard input asks it to stand still, and it ends when that closes, which is when the server died.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ftbuild.embedded.state import State


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
