"""The life of one server: lock, socket, token, idle stop.

Owns server.lock, server.json and requests.log in the state folder. One server per folder, by a
lock of the kernel, so a dead one never blocks the next. Listens on 127.0.0.1 alone unless told otherwise; who knows
the token (readable by the owner) may ask, and anybody may see the page, which holds nothing.
"""

import asyncio
import hmac
import math
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from filelock import FileLock, Timeout

from ftbuild.embedded.engine import Answerer, JobQueue
from ftbuild.embedded.seats import Seating
from ftbuild.embedded.state import State, write_json
from ftbuild.errors import ConfigError
from ftbuild.problem import Problem

ADDRESS = "server.json"
LOOPBACK = "127.0.0.1"
EVERYWHERE = {"0.0.0.0": LOOPBACK, "::": "::1"}  # where one that listens everywhere is asked from here
LOCK_TRIES = 100
LOG_FULL = 16 * 1024 * 1024  # bytes of requests.log; it then becomes requests.1.log


@dataclass(frozen=True)
class Place:
    """Where a server listens, port 0 is any that is free; and whether it says so on standard output, for people."""

    host: str = LOOPBACK
    port: int = 0
    told: bool = False


def serve(folder: Path, engine: str, idle_seconds: float, threads: int, place: Place, seating: Seating) -> None:
    """Serve until nobody has asked for anything for `idle_seconds` and no job is live; at once if another serves.

    Raises:
        ConfigError: it cannot listen at that place.
    """
    state = State(folder)
    lock = FileLock(folder / "server.lock")
    # One that holds the lock without an address is just starting or just ending: wait to see which.
    for waited in range(LOCK_TRIES):
        try:
            lock.acquire(timeout=0.1)
            break
        except Timeout:
            if (folder / ADDRESS).exists() or waited == LOCK_TRIES - 1:
                return
    try:
        (folder / ADDRESS).unlink(missing_ok=True)  # of a server that was killed
        _serve(state, engine, idle_seconds, threads, place, seating)
    finally:
        lock.release()


def _engine(name: str, state: State, threads: int, seating: Seating) -> tuple[JobQueue, Answerer, Callable[[Any], Any]]:
    """Return who runs jobs, who answers, and what stands around the routes: "scripted", or else torch."""
    if name == "scripted":
        from ftbuild.embedded.faults import Fate, FaultyRoutes, Strikes
        from ftbuild.embedded.recording import Recorder
        from ftbuild.embedded.scripted import ScriptedAnswers, ScriptedJobs

        fate = Fate(strikes := Strikes(state.folder))

        def around(routes: Any) -> Any:
            return Recorder(FaultyRoutes(routes, strikes, fate), state.folder)

        return ScriptedJobs(state, fate.of), ScriptedAnswers(state), around
    from ftbuild.embedded.jobs import Jobs
    from ftbuild.embedded.sampler import Sampler

    sampler = Sampler(threads)
    before_start = sampler.unload if seating.ray is None else lambda: None
    return Jobs(state, threads, seating.seats, before_start), sampler, lambda routes: routes


def _serve(state: State, engine: str, idle_seconds: float, threads: int, place: Place, seating: Seating) -> None:
    import uvicorn

    from ftbuild.embedded.page import page
    from ftbuild.embedded.routes import Service, application

    listening = _listen(place)
    jobs, answerer, around = _engine(engine, state, threads, seating)
    token = secrets.token_urlsafe(32)
    service = Service(state, jobs, answerer, rehearses=engine == "scripted")
    door = Door(around(application(service)), page, token, state.folder / "requests.log")
    config = uvicorn.Config(door, log_level="warning", access_log=False, timeout_graceful_shutdown=3, lifespan="off")
    server = uvicorn.Server(config)
    bound, port = listening.getsockname()[:2]
    host = EVERYWHERE.get(bound, place.host)
    record = {"pid": os.getpid(), "host": host, "port": port, "token": token, "started_at": int(time.time())}
    record |= {"ray": seating.ray, "stops_when_idle": idle_seconds != math.inf}
    address = state.folder / ADDRESS
    write_json(address, record, mode=0o600)
    if place.told:
        print(_told(f"http://{f'[{host}]' if ':' in host else host}:{port}", token), flush=True)
        print("Ctrl-C stops it; a job that is under way goes on with the next server.", file=sys.stderr, flush=True)

    def stop(_signal: int, _frame: object) -> None:
        server.should_exit = True

    # uvicorn passes a signal on when it is done with it; ours then lets the clean end go on.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)

    async def until_idle() -> None:
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not serving.done():
            await asyncio.wait([serving], timeout=min(1.0, idle_seconds / 4))
            if door.idle_for() > idle_seconds and not jobs.live:
                address.unlink(missing_ok=True)
                server.should_exit = True
        await serving

    try:
        asyncio.run(until_idle())
    finally:
        address.unlink(missing_ok=True)
        jobs.stop()
        answerer.stop()


def _listen(place: Place) -> socket.socket:
    is_six = ":" in place.host
    family = socket.AF_INET6 if is_six else socket.AF_INET
    both = is_six and socket.has_dualstack_ipv6()  # who listens everywhere is reached by IPv4 too
    try:
        return socket.create_server((place.host, place.port), family=family, backlog=512, dualstack_ipv6=both)
    except (OSError, OverflowError) as error:
        why = (getattr(error, "strerror", None) or str(error)).partition(" (while")[0]
        what = f"nothing can listen at {place.host}, port {place.port}: {why}"
        raise ConfigError(Problem(what, "command line", fix="another --port, or none.")) from error


def _told(url: str, token: str) -> str:
    return f"page   {url}/#token={token}\nAPI    OPENAI_BASE_URL={url}/v1 OPENAI_API_KEY={token}"


class Door:
    """Shows the page, lets in who has the token, writes a line per request, and knows when the last one was."""

    def __init__(self, app: Any, page: Any, token: str, log: Path) -> None:
        self._app, self._page, self._wanted, self._log = app, page, f"Bearer {token}".encode(), log
        self._inside, self._last = 0, time.monotonic()

    def idle_for(self) -> float:
        """Return the seconds since the last request ended, 0 while one is inside."""
        return 0.0 if self._inside else time.monotonic() - self._last

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        status = 500

        async def noting(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._inside += 1
        try:
            await self._inner(scope)(scope, receive, noting)
        finally:
            self._inside -= 1
            self._last = time.monotonic()
            self._note(scope, status)

    def _inner(self, scope: Any) -> Any:
        if scope["path"] == "/" and scope["method"] in ("GET", "HEAD"):
            return self._page
        given = dict(scope["headers"]).get(b"authorization", b"")
        return self._app if hmac.compare_digest(given, self._wanted) else _turn_away

    def _note(self, scope: Any, status: int) -> None:
        path = quote(scope["path"], safe="/:")
        with suppress(OSError):  # the disk is full, say; what was asked is answered all the same
            if self._log.exists() and self._log.stat().st_size > LOG_FULL:
                self._log.replace(self._log.with_name("requests.1.log"))
            with self._log.open("a", encoding="utf-8") as log:
                log.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ} {scope['method']} {path} {status}\n")


async def _turn_away(scope: Any, receive: Any, send: Any) -> None:
    from starlette.responses import JSONResponse

    from ftbuild.embedded.wire import ApiError

    refusal = ApiError("Incorrect API key provided.", status=401, code="invalid_api_key")
    await JSONResponse(refusal.body, refusal.status)(scope, receive, send)
