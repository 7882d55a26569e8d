"""What goes wrong in a rehearsal: a layer around the routes, and what befalls a job in the scripted engine.

Owns what each fault does. Which are set lies in faults.json, written by whoever starts a build
(settings/faults.py says what may be set); how often each has struck lies in strikes.json, on the disk
before the fault strikes, so that a server started again goes on counting. Other faults, or none in
between, start anew. Where none is set the layer passes everything on.

Wording: OpenAI's, from reports of users (2026-11), but for `moderation_failed`, of which only the shape is
known, and `training_file_gone`, which speaks as our own routes do.
"""

import asyncio
import base64
import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

from ftbuild.embedded.state import Record, read_json, write_json
from ftbuild.embedded.wire import ApiError

FAULTS = "faults.json"
STRIKES = "strikes.json"
STRUCK = "ftbuild.struck"  # in a request's scope: the names of the faults that struck it
SUCCESS = 200
DROPS = 10
LOOK_SECONDS = 0.02
HELD_SECONDS = 600.0
KINDS = (
    ("upload", "POST", r"/v1/files"),
    ("create", "POST", r"/v1/fine_tuning/jobs"),
    ("list", "GET", r"/v1/fine_tuning/jobs"),
    ("look", "GET", r"/v1/fine_tuning/jobs/([^/]+)"),
    ("events", "GET", r"/v1/fine_tuning/jobs/([^/]+)/events"),
    ("content", "GET", r"/v1/files/([^/]+)/content"),
    ("complete", "POST", r"/v1/chat/completions"),
)
AZURE = {"validating_files": "pending", "queued": "notRunning", "cancelled": "canceled"}
MORE = ("method", "seed", "trained_tokens", "integrations", "estimated_finish", "error", "user_provided_suffix")
NO_ERROR = {"code": None, "message": None, "param": None}
BLOCKED = (
    "The job failed because the fine-tuned model did not pass our safety checks: it was identified to produce content "
    "that violates OpenAI's usage policies."
)
CLOSED = (
    "OpenAI is winding down the fine-tuning platform and your organization is no longer able to create new "
    "fine-tuning training jobs."
)
QUOTA = (
    "You exceeded your current quota, please check your plan and billing details. For more information on this error, "
    "read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors."
)
FORBIDDEN = (
    "You have insufficient permissions for this operation. Missing scopes: api.fine_tuning.jobs.write. Check that you "
    "have the correct role in your organization (Reader, Writer, Owner) and project (Member, Owner), and if you're "
    "using a restricted API key, that it has the necessary scopes."
)
GONE = "invalid training_file: the file has expired or was deleted"
BROKEN = "The server had an error while processing your request. Sorry about that!"


class Strikes:
    """Which faults are set, and how often each has struck."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def wanted(self) -> Mapping[str, Record]:
        """Return the parameters of the faults that are set, by name."""
        return (read_json(self._folder / FAULTS) or {"faults": {}})["faults"]  # type: ignore[no-any-return]

    def strikes(self, name: str) -> Record | None:
        """Count a request or job that the fault concerns; return the fault's parameters if it strikes, else None."""
        with self._lock:
            found = read_json(self._folder / FAULTS)
            if found is None or name not in found["faults"]:
                return None
            counts = read_json(self._folder / STRIKES)
            if counts is None or counts["set_at"] != found["set_at"]:
                counts = {"set_at": found["set_at"], "asked": {}, "struck": {}}
            fault = found["faults"][name]
            n_asked = counts["asked"][name] = counts["asked"].get(name, 0) + 1
            n_struck = counts["struck"].get(name, 0)
            strikes = _is_its_turn(fault, n_asked) and n_struck < fault.get("times", n_struck + 1)
            counts["struck"][name] = n_struck + strikes
            write_json(self._folder / STRIKES, counts)
            return fault if strikes else None


def _is_its_turn(fault: Record, n_asked: int) -> bool:
    after = n_asked - int(fault.get("after", 0))
    return after > 0 and after % int(fault.get("every", 1)) == 0


# --- jobs ---------------------------------------------------------------------------------------


@dataclass
class Hold:
    """A job stays where it is, under `status`, until it was looked at `looks` times; or its server dies of it."""

    looks: int
    status: str | None = None
    deadly: bool = False
    begun: bool = False
    over: threading.Event = field(default_factory=threading.Event)

    def wait(self, let_go: threading.Event) -> None:
        """Wait until the hold is over or the job let go; not for ever, so that a server nobody asks ends."""
        self.begun = True
        last = time.monotonic() + HELD_SECONDS
        while not (self.over.wait(LOOK_SECONDS) or let_go.is_set() or time.monotonic() > last):
            pass
        self.over.set()


@dataclass(frozen=True)
class Troubles:
    """What befalls one job: before its files are read, half-way, and when it has learnt all (message, code).

    `between` its epochs it is held for so many looks, `epoch_looks`.
    """

    first: Sequence[Hold] = ()
    halfway: Sequence[Hold] = ()
    verdict: tuple[str, str] | None = None
    epoch_looks: int = 0
    between: list[Hold] = field(default_factory=list)

    @property
    def holds(self) -> list[Hold]:
        """Return all that has held it, or will."""
        return [*self.first, *self.halfway, *self.between]

    def left(self) -> "Troubles":
        """Return what still befalls it when it goes on."""
        return Troubles(epoch_looks=self.epoch_looks, between=self.between)


NO_TROUBLES = Troubles()


class Fate:
    """Decides what befalls the jobs of one server, and counts the looks at them."""

    def __init__(self, strikes: Strikes) -> None:
        self._strikes = strikes
        self._held: dict[str, Troubles] = {}

    def of(self, job_id: str) -> Troubles:
        """Decide what befalls a new job."""
        if not self._strikes.wanted():
            return NO_TROUBLES
        first = [self._hold("stuck_validating", None)]
        halfway = [self._hold("paused", "paused"), self._hold("unknown_status", "preparing")]
        if self._strikes.strikes("server_dies"):
            halfway.append(Hold(1, deadly=True))
        verdict = (BLOCKED, "moderation_failed") if self._strikes.strikes("moderation_failed") else None
        slow = self._strikes.strikes("slow_epochs")
        epoch_looks = slow["looks"] if slow else 0
        found = Troubles([hold for hold in first if hold], [hold for hold in halfway if hold], verdict, epoch_looks)
        self._held[job_id] = found
        return found

    def looked(self, job_id: str) -> None:
        """Count a look at a job that is held."""
        if hold := self._holding(job_id):
            hold.looks -= 1
            if hold.looks <= 0:
                hold.over.set()

    def release(self) -> None:
        """Let every job go on: no fault is set any more."""
        for troubles in self._held.values():
            for hold in troubles.holds:
                hold.over.set()
        self._held.clear()

    def is_deadly(self, job_id: str) -> bool:
        """Return whether the server dies of a look at this job."""
        hold = self._holding(job_id)
        return hold is not None and hold.deadly

    def _hold(self, name: str, status: str | None) -> Hold | None:
        fault = self._strikes.strikes(name)
        return Hold(fault["looks"], status) if fault else None

    def _holding(self, job_id: str) -> Hold | None:
        troubles = self._held.get(job_id, NO_TROUBLES)
        return next((each for each in troubles.holds if each.begun and not each.over.is_set()), None)


# --- requests -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reply:
    """An answer; `headers` are those besides its length."""

    status: int
    body: bytes
    headers: Sequence[tuple[bytes, bytes]] = ((b"content-type", b"application/json"),)

    def with_json(self, change: Callable[[Any], Any]) -> "Reply":
        """Return the answer with its body changed."""
        return replace(self, body=json.dumps(change(json.loads(self.body))).encode())


def _refusal(status: int, message: str, code: str | None = None, **more: Any) -> Callable[[Record], Reply]:
    error = ApiError(message, status=status, code=code, **more)
    reply = Reply(status, json.dumps(error.body).encode())
    return lambda _: reply


def _too_soon(fault: Record) -> Reply:
    message = "Rate limit reached for requests. Please try again later."
    reply = _refusal(429, message, "rate_limit_exceeded", kind="requests")(fault)
    seconds = int(fault["seconds"])
    when = formatdate(time.time() + seconds, usegmt=True) if fault["as_date"] else str(seconds)
    return replace(reply, headers=(*reply.headers, (b"retry-after", when.encode())))


CREATE = ("create",)
JOBS = ("create", "list", "look")

# What is refused before the routes see it: the kinds of request it concerns (none: the fault says which), the answer.
REFUSALS: Mapping[str, tuple[Sequence[str], Callable[[Record], Reply]]] = {
    "rate_limited": ((), _too_soon),
    "error_before_commit": ((), _refusal(500, BROKEN, kind="server_error")),
    "permission_denied": (CREATE, _refusal(403, FORBIDDEN, "missing_scope")),
    "training_closed": (CREATE, _refusal(403, CLOSED, "training_not_available")),
    "quota_exceeded": (CREATE, _refusal(429, QUOTA, "insufficient_quota", kind="insufficient_quota")),
    "training_file_gone": (CREATE, _refusal(400, GONE, "invalid_file", param="training_file")),
}


def _each_job(change: Callable[[Record], Record]) -> Callable[[Any], Any]:
    """Return a change of a job, or of each in a list."""
    return lambda body: {**body, "data": [change(job) for job in body["data"]]} if "data" in body else change(body)


def _lagging(reply: Reply, fault: Record) -> Reply:
    """Leave out what is younger; the second in which it was made is taken as over."""
    newest = time.time() - fault["seconds"] - 1
    return reply.with_json(lambda body: {**body, "data": [job for job in body["data"] if job["created_at"] <= newest]})


def _repeated(reply: Reply, _: Record) -> Reply:
    return reply.with_json(lambda body: {**body, "data": [event for event in body["data"] for _ in range(2)]})


def _disordered(reply: Reply, _: Record) -> Reply:
    """Turn a page round; its last event stays, for the next page begins after it."""
    return reply.with_json(lambda body: {**body, "data": [*body["data"][-2::-1], *body["data"][-1:]]})


def _in_azures_words(reply: Reply, _: Record) -> Reply:
    return reply.with_json(_each_job(lambda job: {**job, "status": AZURE.get(job["status"], job["status"])}))


def _with_empty_error(reply: Reply, _: Record) -> Reply:
    return reply.with_json(_each_job(lambda job: {**job, "error": job["error"] or NO_ERROR}))


def _bare(reply: Reply, _: Record) -> Reply:
    return reply.with_json(_each_job(lambda job: {name: value for name, value in job.items() if name not in MORE}))


def _in_half(reply: Reply, _: Record) -> Reply:
    return replace(reply, body=reply.body[: len(reply.body) // 2])


def _in_base64(reply: Reply, _: Record) -> Reply:
    return replace(reply, body=base64.b64encode(reply.body))


# What becomes of an answer that is a success: the kinds of request it concerns (none: as above), the change.
CHANGES: Mapping[str, tuple[Sequence[str], Callable[[Reply, Record], Reply]]] = {
    "list_lag": (("list",), _lagging),
    "events_repeated": (("events",), _repeated),
    "events_disordered": (("events",), _disordered),
    "azure_statuses": (JOBS, _in_azures_words),
    "empty_error": (JOBS, _with_empty_error),
    "bare_job": (JOBS, _bare),
    "result_truncated": (("content",), _in_half),
    "result_base64": (("content",), _in_base64),
    "error_after_commit": ((), lambda _, fault: _refusal(500, BROKEN, kind="server_error")(fault)),
}


class Asked:
    """One request: its kind, the id in its path, the faults that have struck it."""

    def __init__(self, scope: Any, faults: Mapping[str, Record], strikes: Strikes) -> None:
        self.kind, self.id = _kind(scope["method"], scope["path"])
        self.struck: list[str] = []
        self._is_read = scope["method"] == "GET"
        self._faults, self._strikes = faults, strikes

    def strikes(self, name: str, kinds: Sequence[str] = ()) -> Record | None:
        """Return the parameters of a fault if it strikes; without `kinds` the fault itself says whom it concerns."""
        if name not in self._faults:
            return None
        concerned = kinds or (self._faults[name]["request"],)
        if self.kind not in concerned and "any" not in concerned and not ("read" in concerned and self._is_read):
            return None
        fault = self._strikes.strikes(name)
        self.struck += [name] if fault is not None else []
        return fault


def _kind(method: str, path: str) -> tuple[str, str]:
    """Return what kind of request it is and the id in its path, "" where there is none."""
    for kind, of_method, pattern in KINDS:
        if method == of_method and (found := re.fullmatch(pattern, path)):
            return kind, found.group(1) if found.groups() else ""
    return "", ""


class FaultyRoutes:
    """The routes with what goes wrong: an ASGI application around another one."""

    def __init__(self, app: Any, strikes: Strikes, fate: Fate) -> None:
        self._app, self._strikes, self._fate = app, strikes, fate

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        faults = self._strikes.wanted()
        if not faults:
            self._fate.release()
            await self._app(scope, receive, send)
            return
        asked = Asked(scope, faults, self._strikes)
        scope[STRUCK] = asked.struck
        if (reply := _refused(asked)) is not None:
            while (await receive()).get("more_body"):  # a server hears a request out before it refuses
                pass
        else:
            reply = await self._from_routes(asked, scope, receive)
        lost = reply.status == SUCCESS and asked.strikes("answer_lost") is not None
        slow = asked.strikes("slow_body") or {"seconds": 0.0}
        await _send(reply, send, slow["seconds"], lost=lost)

    async def _from_routes(self, asked: Asked, scope: Any, receive: Any) -> Reply:
        """Return the answer of the routes, changed by the faults that strike it."""
        if asked.kind == "look" and self._fate.is_deadly(asked.id):
            os.kill(os.getpid(), signal.SIGKILL)
        reply = await _answered(self._app, scope, receive)
        if asked.kind == "look":
            self._fate.looked(asked.id)
        for name, (kinds, change) in CHANGES.items():
            if reply.status == SUCCESS and (fault := asked.strikes(name, kinds)):
                reply = change(reply, fault)
        return reply


def _refused(asked: Asked) -> Reply | None:
    for name, (kinds, refusal) in REFUSALS.items():
        if fault := asked.strikes(name, kinds):
            return refusal(fault)
    return None


async def _answered(app: Any, scope: Any, receive: Any) -> Reply:
    """Return the answer of an application, whole."""
    started: Record = {}
    body = bytearray()

    async def collect(message: Any) -> None:
        if message["type"] == "http.response.start":
            started.update(message)
        else:
            body.extend(message.get("body", b""))

    await app(scope, receive, collect)
    headers = [(name, value) for name, value in started["headers"] if name.lower() != b"content-length"]
    return Reply(started["status"], bytes(body), headers)


async def _send(reply: Reply, send: Any, seconds: float, *, lost: bool) -> None:
    """Send an answer in so many seconds. One that is lost ends before its body: the server then hangs up."""
    length = (b"content-length", str(len(reply.body)).encode())
    await send({"type": "http.response.start", "status": reply.status, "headers": [*reply.headers, length]})
    if lost:
        return
    size = -(-len(reply.body) // DROPS) if seconds else len(reply.body)
    drops = [reply.body[start : start + size] for start in range(0, len(reply.body), max(size, 1))]
    for drop in drops:
        await asyncio.sleep(seconds / len(drops))
        await send({"type": "http.response.body", "body": drop, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
