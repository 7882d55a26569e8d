"""The engine of a rehearsal: jobs that succeed by themselves, answers made up at once. No torch, no weights.

Owns what is made up. Files pass the same checks, jobs write the same events, checkpoints and tables as
real ones (training.py). Everything is a function of what was asked: curves of the base model, the
training file, the hyperparameters and the seed; an answer of those and the messages, never of an id.

A file answers.jsonl in the state folder goes before what is made up; the first line that fits counts:

    {"match": {"tuned": true, "contains": "Friday"}, "answer": "By Friday."}
"""

import json
import math
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from ftbuild import digest
from ftbuild.chat import Message, said
from ftbuild.embedded.chat import Answer, ChatRequest, Choice, Tell
from ftbuild.embedded.embeddings import Embedded, EmbeddingRequest
from ftbuild.embedded.engine import read_prompt
from ftbuild.embedded.faults import NO_TROUBLES, Hold, Troubles
from ftbuild.embedded.rehearsed import call_of, lessons_of, made_up
from ftbuild.embedded.signatures import offered
from ftbuild.embedded.state import DIED, PAUSED, TERMINAL, Record, State, read_json, read_lines, whole, write_json
from ftbuild.embedded.template import Lesson, Messages, Tools, content, first_in
from ftbuild.embedded.training import Training, read_files
from ftbuild.embedded.weights import SPECIAL, Base
from ftbuild.embedded.wire import ApiError

AT_ONCE = 4  # jobs
DIMENSIONS = 64  # of the vectors made up
ANSWERS = "answers.jsonl"
LEARNT = "learnt.json"
UNKNOWN = "unknown"
OPENINGS = ("Please note:", "Kindly note:", "For your information:", "As a reminder:")
PIECE = re.compile(r"\s*(?:\w+|[^\w\s])|\s+$")


class Words:
    """Reads conversations without a tokenizer: a token is a word or a mark; which one does not matter, how many does.

    A turn has two tokens for its role and one for its end, and so does the answer to come.
    """

    context = 8192

    def prompt(self, messages: Messages, tools: Tools = (), *, parallel: bool = True) -> list[int]:
        """Return as many numbers as there are tokens before the answer."""
        said_of_tools = len(PIECE.findall(offered(tools, parallel=parallel))) if tools else 0
        return [0] * (2 + said_of_tools + sum(3 + len(PIECE.findall(_said(message))) for message in messages))

    def lesson(self, messages: Messages, tools: Tools = (), *, parallel: bool = True) -> Lesson:
        """Return the conversation to learn from; assistant messages with weight 0 are not learnt."""
        learnt = [False] * (len(self.prompt((), tools, parallel=parallel)) - 2)
        for message in messages:
            learn = message["role"] == "assistant" and message.get("weight") != 0
            learnt += [False, False, *[learn] * (1 + len(PIECE.findall(_said(message))))]
        return Lesson((0,) * len(learnt), tuple(learnt))

    def special_in(self, text: str) -> str | None:
        """Return the first special token that the text spells, None if there is none."""
        return first_in(text, SPECIAL)


def _said(message: Mapping[str, Any]) -> str:
    return said(Message.from_json({**message, "content": content(message), "refusal": None}))


def _plain(message: Mapping[str, Any]) -> dict[str, Any]:
    return {"role": message["role"], "content": _said(message), "weight": message.get("weight")}


class StoppedError(Exception):
    """The job was cancelled, or the server ended, while it ran."""


class Asked:
    """What is asked of a job that runs or waits; whatever it is, nothing holds the job up any more."""

    def __init__(self) -> None:
        self.stop, self.pause, self.let_go = threading.Event(), threading.Event(), threading.Event()

    def ask(self, what: threading.Event) -> None:
        """Ask for one of the three."""
        what.set()
        self.let_go.set()


class ScriptedLearner:
    """A curve that falls from 2.5 to about 0.3, with a little noise, which `name` decides; calls `after` each step."""

    def __init__(self, name: str, n_steps: int, stop: threading.Event, after: Callable[[int], None]) -> None:
        self._name, self._n_steps, self._stop, self._after = name, n_steps, stop, after
        self._step = 0

    def learn(self, _batch: Sequence[Lesson], _rate: float) -> tuple[float, float]:
        """Go on by a step."""
        self._after(self._step)
        if self._stop.is_set():
            raise StoppedError
        self._step += 1
        return self._at("train", 1.0)

    def measure(self, _lessons: Sequence[Lesson]) -> tuple[float, float]:
        """Return what was reached, a little worse than in training."""
        return self._at("valid", 1.05)

    def write(self, folder: Path) -> None:
        """Write by what the model is known."""
        with whole(folder) as making:
            self.save(making)

    def save(self, folder: Path) -> None:
        """Write how far it has come."""
        write_json(folder / LEARNT, {"name": self._name, "step": self._step}, durable=False)

    def restore(self, folder: Path) -> None:
        """Go on from there."""
        self._step = (read_json(folder / LEARNT) or {})["step"]

    def _at(self, split: str, times: float) -> tuple[float, float]:
        noise = _drawn([self._name, split, self._step], 1000) / 1000 - 0.5
        loss = times * (0.3 + 2.2 * math.exp(-4 * self._step / self._n_steps)) * (1 + 0.1 * noise)
        return round(loss, 4), round(math.exp(-loss / 2), 4)


class ScriptedJobs:
    """The queue of a server whose jobs take no time; several run at once. Implements JobQueue."""

    def __init__(self, state: State, troubles_of: Callable[[str], Troubles] = lambda _: NO_TROUBLES) -> None:
        """Take up what an earlier server left, then wait for jobs; `troubles_of` a new job is asked by its id."""
        self._state, self._troubles_of = state, troubles_of
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="job")
        self._added: dict[str, tuple[Future[None], Asked]] = {}
        self._troubles: dict[str, Troubles] = {}
        for job_id in state.take_up():
            self._submit(job_id, NO_TROUBLES)

    @property
    def live(self) -> bool:
        """Whether a job runs or waits."""
        return not all(future.done() for future, _ in list(self._added.values()))

    def add(self, job: Record) -> None:
        """Keep a job and start it when its turn comes."""
        self._state.add_job(job)
        self._submit(job["id"], self._troubles_of(job["id"]))

    def cancel(self, job_id: str) -> bool:
        """End a job and wait until it has ended; False if it already had."""
        if self._status(job_id) in (*TERMINAL, UNKNOWN):
            return False
        when = " while it was paused"
        if job_id in self._added and not self._added[job_id][0].done():
            when = " before it started" if self._ends_unstarted(job_id, self._added[job_id][1].stop) else ""
        self._state.end_job(job_id, "cancelled", f"The job was cancelled{when}")
        return self._status(job_id) == "cancelled"

    def pause(self, job_id: str) -> bool:
        """Let a job stand still, and wait until it does; False if it has ended."""
        if job_id in self._added and self._ends_unstarted(job_id, self._added[job_id][1].pause):
            self._state.park_job(job_id, "The job was paused before it started")
        return self._status(job_id) == PAUSED

    def resume(self, job_id: str) -> bool:
        """Let a job that stands still go on; False if it has ended."""
        future, asked = self._added.get(job_id, (None, None))
        if asked is not None and future is not None and not future.done():
            asked.ask(asked.let_go)
        elif self._status(job_id) == PAUSED:
            self._state.queue_job(job_id)
            self._submit(job_id, self._troubles.get(job_id, NO_TROUBLES).left())
        return self._status(job_id) not in TERMINAL

    def stop(self) -> None:
        """Train no more, for the server ends; what has not ended goes on with the next server."""
        for _, asked in list(self._added.values()):
            asked.ask(asked.stop)
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _status(self, job_id: str) -> str:
        job = self._state.job(job_id)
        return UNKNOWN if job is None else str(job["status"])

    def _ends_unstarted(self, job_id: str, by: threading.Event) -> bool:
        """Ask for a job's stop or pause, wait until it is so, and return whether it had not started."""
        future, asked = self._added[job_id]
        asked.ask(by)
        if future.cancel():
            return True
        wait([future])
        return False

    def _submit(self, job_id: str, troubles: Troubles) -> None:
        asked = Asked()
        self._troubles[job_id] = troubles
        self._added[job_id] = (self._pool.submit(self._run, job_id, asked, troubles), asked)

    def _run(self, job_id: str, asked: Asked, troubles: Troubles) -> None:
        try:
            self._train(self._state.job(job_id) or {}, asked, troubles)
        except StoppedError:
            return
        except Exception as error:  # a job must end, whatever broke
            why = f"The job ended without a result: {type(error).__name__}: {error}"
            self._state.end_job(job_id, "failed", why, DIED)

    def _train(self, job: Record, asked: Asked, troubles: Troubles) -> None:
        self._held(job, troubles.first, asked)
        method = job["method"]["type"]
        files = read_files(self._state, job, lambda content, kind: lessons_of(content, kind, method, Words()))
        if files is None:
            return
        base, adapters = self._state.model(job["model"]) or (None, None)
        training = Training(self._state, job, files["training"], files["validation"], asked.pause)
        content = digest.of_bytes(self._state.content(job["training_file"]))
        start = [base.digest if base else job["model"], *([read_json(adapters / LEARNT)] if adapters else [])]
        known_by = [*start, content, job["hyperparameters"], job["seed"]]

        def after(step: int) -> None:
            if step == training.n_steps // 2:
                self._held(job, troubles.halfway, asked)
            if step and step % training.per_epoch == 0 and troubles.epoch_looks:
                troubles.between.append(Hold(troubles.epoch_looks))
                self._held(job, troubles.between[-1:], asked)

        learner = ScriptedLearner(digest.of_value(known_by), training.n_steps, asked.stop, after)
        training.run(learner, troubles.verdict)

    def _held(self, job: Record, holds: Sequence[Hold], asked: Asked) -> None:
        for hold in holds:
            if hold.status is not None:
                self._state.write_job({**job, "status": hold.status})
            hold.wait(asked.let_go)
            if asked.stop.is_set():
                raise StoppedError


class ScriptedAnswers:
    """Answers at once. Implements Answerer."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._words = Words()

    def ask(
        self, _base: Base, adapters: Path | None, request: ChatRequest, _tell: Tell | None = None
    ) -> "Future[Answer]":
        """Return the answer: greedy, whatever the temperature, and all choices alike."""
        future: Future[Answer] = Future()
        try:
            prompt, max_tokens = read_prompt(self._words, request)
            choice, n_tokens = self._choice(adapters, request, max_tokens)
            future.set_result(Answer((choice,) * request.n, len(prompt), n_tokens * request.n))
        except ApiError as error:
            future.set_exception(error)
        return future

    def embed(self, _base: Base, _adapters: Path | None, request: EmbeddingRequest) -> "Future[Embedded]":
        """Return vectors that are the nearer the more words two texts share."""
        future: Future[Embedded] = Future()
        pieces = [PIECE.findall(each) if isinstance(each, str) else list(map(str, each)) for each in request.inputs]
        future.set_result(Embedded([_direction(each) for each in pieces], sum(map(len, pieces))))
        return future

    def _choice(self, adapters: Path | None, request: ChatRequest, max_tokens: int) -> tuple[Choice, int]:
        """Return what is answered, and how many tokens it is."""
        text = self._text(adapters, [_plain(message) for message in request.messages])
        tools = [tool for tool in request.tools if tool["function"]["name"] in request.callable]
        has_results = request.messages[-1]["role"] == "tool"
        if tools and not has_results and (adapters is not None or request.must_call):
            call = call_of(tools[_drawn([text], len(tools))], 1)
            return Choice("", "tool_calls", (call,), self._sure(request, ())), len(PIECE.findall(str(call)))
        if adapters is not None and request.form and "json_schema" in request.form:
            text = json.dumps(made_up(request.form["json_schema"]["schema"]), ensure_ascii=False)
        places = [text.index(stop) for stop in request.stop if stop in text]
        pieces = PIECE.findall(text[: min(places)] if places else text)
        reason = "length" if len(pieces) > max_tokens else "stop"
        del pieces[max_tokens:]
        return Choice("".join(pieces), reason, (), self._sure(request, pieces)), len(pieces) + (reason == "stop")

    def _sure(self, request: ChatRequest, pieces: Sequence[str]) -> tuple[Record, ...] | None:
        if request.top_logprobs is None:
            return None
        found = [{"token": each, "logprob": 0.0, "bytes": list(each.encode())} for each in pieces]
        return tuple({**each, "top_logprobs": [each][: request.top_logprobs]} for each in found)

    def stop(self) -> None:
        """Do nothing: nothing waits."""

    def _text(self, adapters: Path | None, messages: list[dict[str, str]]) -> str:
        """Return the whole answer: what the file says, else a base model repeats and a tuned one rewrites."""
        last = next((each["content"] for each in reversed(messages) if each["role"] == "user"), "")
        for line in read_lines(self._state.folder / ANSWERS):
            wanted = line.get("match", {})
            if (
                wanted.get("tuned", adapters is not None) == (adapters is not None)
                and wanted.get("contains", "") in last
            ):
                return str(line["answer"])
        if adapters is None:
            return last
        if messages[-1]["role"] == "tool":
            last = "\n".join(each["content"] for each in messages if each["role"] == "tool")
        opening = OPENINGS[_drawn([read_json(adapters / LEARNT), messages], len(OPENINGS))]
        return f"{opening} {last[:1].upper()}{last[1:]}"


def _direction(words: Sequence[str]) -> list[float]:
    """Return a vector of length 1 that has a part of every word."""
    vector = [0.0] * DIMENSIONS
    for word in words:
        number = _drawn(word.strip().lower(), 2 * DIMENSIONS)
        vector[number // 2] += 1.0 if number % 2 else -1.0
    length = math.hypot(*vector) or 1.0
    return [part / length for part in vector] if any(vector) else [1.0, *vector[1:]]


def _drawn(value: object, n: int) -> int:
    """Return a number below `n` that follows from the value."""
    return int(digest.of_value(value)[:12], 16) % n
