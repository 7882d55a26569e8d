"""Start the embedded server when it does not run, and say where it is.

The server is a process of its own in a session of its own: it outlives this client, Ctrl-C does
not reach it, and it stops by itself when idle. Talks to it through files in its state folder: server.json
(port, token), server.lock (held while it lives), and for a rehearsal faults.json (what goes wrong).
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from ftbuild.errors import ConfigError, ExitCode, ProviderError, StoreError
from ftbuild.problem import Problem
from ftbuild.providers.hosted import Address
from ftbuild.settings import Model, Provider
from ftbuild.store import durable
from ftbuild.store.durable import refused
from ftbuild.world import World

START_SECONDS = 60.0
LOOK_SECONDS = 0.1


def prepare(provider: Provider, model: Model, world: World) -> None:
    """Have the base model's weights on this machine and known to the server; progress goes to stderr.

    A server that makes its answers up needs no weights, just the model's name.

    Raises:
        ProviderError: they cannot be had; what the process said is on stderr.
        StoreError: the server's folder or the cache cannot be written.
    """
    state = _made(state_folder(provider, world))
    asked = ["--state", str(state), "--engine", engine(provider), "--model", model.model_dump_json()]
    code = _run(["prepare", *asked], world)
    if code != 0:
        kind = StoreError if code == ExitCode.FAILED else ProviderError
        raise kind(Problem(f"the base model {model.id} could not be made ready", why="The reason is above."))


def export(state: Path, model: str, into: Path, world: World, *, adapter: bool) -> None:
    """Write a fine-tuned model that lies in a server's folder for others to load; the server need not run.

    Raises:
        ConfigError: there is no such model; what the process said is on stderr.
        StoreError: the folder cannot be written.
    """
    asked = ["--state", str(state), "--model", model, "--into", str(into), *(["--adapter"] if adapter else [])]
    code = _run(["export", *asked], world)
    if code != 0:
        kind = ConfigError if code == ExitCode.CONFIG else StoreError
        raise kind(Problem(f"{model} could not be exported", why="The reason is above."))


def start(provider: Provider, world: World, ray: str | None = None) -> Address:
    """Return the address of the server of this store, starting it when it does not run.

    `ray` is the cluster on which it is to train, None where it may train here.

    Raises:
        ProviderError: it does not come up within a minute, or one runs that trains here though there is a cluster.
        StoreError: its folder cannot be made.
    """
    state = _made(state_folder(provider, world))
    if engine(provider) == "scripted":
        ray = None  # it trains nothing
        set_faults(state, provider, world.now())
    if (address := running(state, ray)) is not None:
        return address
    log = state / "server.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*_serving(provider, state, ray), "--idle-seconds", str(provider.idle_seconds)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=dict(world.environment),
        )
    deadline = world.now() + START_SECONDS
    while world.now() < deadline and not process.poll():
        if (address := running(state, ray)) is not None:
            return address
        world.sleep(LOOK_SECONDS)
    raise ProviderError(Problem("the embedded server does not come up", str(log), fix="the end of that file says why."))


def become(provider: Provider, world: World, place: Sequence[str], ray: str | None) -> NoReturn:
    """Be the server of this store from now on, in this process, until somebody stops it; it says where it is.

    `place` may hold --host and --port; `ray` is the cluster on which it trains, None for this machine.

    Raises:
        StoreError: its folder cannot be made.
    """
    state = _made(state_folder(provider, world))
    if engine(provider) == "scripted":
        ray = None  # it trains nothing
        set_faults(state, provider, world.now())
    sys.stdout.flush()
    command = [*_serving(provider, state, ray), "--idle-seconds", "inf", "--tell", *place]
    os.execve(command[0], command, {**os.environ, **world.environment})


def _serving(provider: Provider, state: Path, ray: str | None) -> list[str]:
    command = [sys.executable, "-m", "ftbuild.embedded", "serve", "--state", str(state)]
    if ray is not None:
        command += ["--ray", ray]
    return [*command, "--engine", engine(provider), "--threads", str(provider.threads)]


def running(state: Path, ray: str | None = None) -> Address | None:
    """Return the address of the server that holds the state folder, None when none does.

    Raises:
        ProviderError: it trains on this machine, though there is a cluster to train on.
        StoreError: its lock cannot be opened.
    """
    from filelock import FileLock, Timeout

    try:
        found: Any = json.loads((state / "server.json").read_bytes())
        host = found.get("host", "127.0.0.1")  # one of an earlier version does not say
        address = Address(f"http://{f'[{host}]' if ':' in host else host}:{found['port']}/v1", found["token"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    try:
        with FileLock(state / "server.lock", timeout=0):
            return None
    except Timeout:
        if ray is not None and found.get("ray") is None:
            raise ProviderError(_is_here(found)) from None
        return address
    except OSError as error:
        raise refused(state / "server.lock", error) from error


def stops_when_idle(state: Path) -> bool:
    """Return whether the server that runs there stops by itself; one of an earlier version does not say."""
    return bool(json.loads((state / "server.json").read_bytes()).get("stops_when_idle", True))


def _is_here(found: Any) -> Problem:
    return Problem(
        "the server of this store trains on this machine alone: it was started without --ray",
        fix=f"kill {found.get('pid')}, which loses nothing: what it trains goes on with the next server. Or no --ray.",
    )


def engine(provider: Provider) -> str:
    """Return the engine behind the server: a rehearsal makes everything up."""
    return "scripted" if provider.makes_up else provider.engine


def state_folder(provider: Provider, world: World) -> Path:
    """Return the folder in which the server of this store keeps everything: what was made up apart from the real."""
    return world.store / ("rehearsal" if engine(provider) == "scripted" else "embedded")


def set_faults(state: Path, provider: Provider, now: float) -> None:
    """Say what goes wrong; the same faults are not said anew, for their counts begin where they are said."""
    path = state / "faults.json"
    wanted = provider.faults.model_dump(exclude_none=True) if provider.faults is not None else {}
    try:
        said = json.loads(path.read_bytes())["faults"]
    except FileNotFoundError:
        said = {}
    if wanted == said:
        return
    if wanted:
        durable.write(path, json.dumps({"set_at": now, "faults": wanted}).encode() + b"\n")
    else:
        path.unlink(missing_ok=True)


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refused(folder, error) from error
    return folder


def _run(arguments: list[str], world: World) -> int:
    """Run a command of the embedded server's package to its end and return its exit code.

    It has a process group of its own, so that Ctrl-C reaches us alone: it and its children are then ended quietly.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "ftbuild.embedded", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={**os.environ, **world.environment},
        process_group=0,
    ) as process:
        try:
            while (code := process.poll()) is None:
                world.sleep(LOOK_SECONDS)
            return code
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)
            raise
