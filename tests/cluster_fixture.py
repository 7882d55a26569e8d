"""A cluster of Ray that is started here, whose workers cannot open the folder of who asks them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ftbuild.cluster import connection

ROOT = Path(__file__).parents[1]
HIDDEN = "HIDDEN_FROM_WORKERS"
BLIND = f"""
import os, sys

def refuse(event, arguments):
    if event in ("open", "os.listdir", "os.scandir", "os.mkdir") and isinstance(arguments[0], str | bytes):
        if os.path.abspath(os.fsdecode(arguments[0])).startswith(hidden):
            raise PermissionError(13, "another machine", arguments[0])

hidden = os.environ.get("{HIDDEN}")
if hidden:
    sys.addaudithook(refuse)
"""
HEAD = """
import json, sys
from ftbuild.cluster.connection import environment, start

print(json.dumps([start(2, sys.argv[1]), environment()]), flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class Head:
    """A cluster, the process that started it, its folder, its cache, and the folder that its workers cannot open."""

    address: str
    process: "subprocess.Popen[str]"
    folder: Path
    cache: Path
    hidden: Path


@contextmanager
def own_environment() -> Iterator[None]:
    """Give a file of tests an environment of its own: a process keeps to the one in which it first imported Ray."""
    before = dict(os.environ)
    os.environ |= connection.ALONE
    yield
    os.environ.clear()
    os.environ |= before


@contextmanager
def started(base: Path) -> Iterator[Head]:
    """Start a cluster of two processors, and have the environment say how to connect to it."""
    hidden, cache = base / "hidden", base / "cache"
    own = Path(f"/tmp/ray-{os.getpid()}")  # where it puts sockets, whose names must be short
    for folder in (hidden, own):
        folder.mkdir()
    (base / "sitecustomize.py").write_text(BLIND)
    paths = os.pathsep.join(map(str, (base, Path(__file__).parent, ROOT)))
    process = subprocess.Popen(
        [sys.executable, "-c", HEAD, str(own)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths, HIDDEN: str(hidden), "FTBUILD_CACHE": str(cache)},
    )
    with process:
        try:
            assert process.stdout is not None
            address, environment = json.loads(process.stdout.readline())
            os.environ |= environment
            yield Head(address, process, own, cache, hidden)
        finally:
            process.kill()
            subprocess.run(["rm", "-rf", str(own)], check=True)
