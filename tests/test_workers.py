"""Worker processes: none outlives the build that started it, however that ends."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from embedded_fixture import until

from ftbuild.workers import Made

BUILD = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from ftbuild.store.store import Store
from ftbuild.workers import Order, Processes
from test_workers import report_pid

async def main():
    workers = Processes(1)  # held: a pool that nothing refers to ends its processes
    await workers.run(Store(Path(sys.argv[1])), Order(report_pid, "{}", {}, {"path": sys.argv[1] + "/pid"}))
    print("computed", flush=True)
    await asyncio.sleep(600)

if __name__ == "__main__":
    asyncio.run(main())
"""

PRESSED = """
import asyncio, os, signal, sys, threading, time
from multiprocessing import forkserver
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from ftbuild.store.store import Store
from ftbuild.workers import Order, Processes
from test_workers import report_pid

over = threading.Event()

def press():
    while forkserver._forkserver._forkserver_pid is None:
        time.sleep(0.001)
    while not over.is_set():
        os.killpg(0, signal.SIGINT)
        time.sleep(0.01)

async def main():
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, lambda: None)
    pressing = threading.Thread(target=press)
    pressing.start()
    workers = Processes(1)
    await workers.run(Store(Path(sys.argv[1])), Order(report_pid, "{}", {}, {"path": sys.argv[1] + "/pid"}))
    over.set()
    pressing.join()
    print("computed", flush=True)
    workers.stop()

if __name__ == "__main__":
    asyncio.run(main())
"""


def report_pid(_settings: Any, _inputs: Mapping[str, bytes], given: Mapping[str, Any]) -> Made:
    Path(given["path"]).write_text(str(os.getpid()))
    return Made({}, "")


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_a_worker_ends_with_a_build_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "build.py"
    script.write_text(BUILD)
    tests = str(Path(__file__).parent)
    process = subprocess.Popen([sys.executable, str(script), str(tmp_path), tests], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"computed\n"
        worker = int((tmp_path / "pid").read_text())
        assert lives(worker)
        process.kill()
        process.wait()
    until(lambda: not lives(worker))


def test_ctrl_c_while_a_worker_starts_is_for_the_build_alone(tmp_path: Path) -> None:
    script = tmp_path / "build.py"
    script.write_text(PRESSED)
    words = [sys.executable, str(script), str(tmp_path), str(Path(__file__).parent)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, start_new_session=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "computed\n", "")
