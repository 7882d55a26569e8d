"""Sampling answers: bounded, resumable call by call, and one failure costs nothing that was answered."""

import asyncio
import json
import sqlite3
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ftbuild.chat import Message, ToolCall
from ftbuild.completion import Completion, Dialogue, Prompt
from ftbuild.errors import ExitCode, ProviderError, StoreError
from ftbuild.evaluate.calls import Calls, digest_of
from ftbuild.evaluate.dialogue import Play, play
from ftbuild.evaluate.sample import sample
from ftbuild.evaluate.throttle import Throttle

PARAMETERS = {"temperature": 0, "seed": 7}
REFUSED = ProviderError("fake: refused", status=400)


def asked(text: str, turns: int = 1, number: int = 0) -> Play:
    prompt = Prompt((Message("user", text),), {**PARAMETERS, "seed": 7 + number}, number)
    return play(prompt, turns, lambda call: call.arguments)


def once(answers: dict[str, Dialogue]) -> dict[str, Completion]:
    """Return the answers of dialogues of one turn."""
    assert {(each.way, each.ended) for each in answers.values()} <= {((), None)}
    return {name: each.last for name, each in answers.items()}


class FakeCompleter:
    """Answers in capitals, the later a request the sooner; fails on the texts in `broken`."""

    def __init__(self, *broken: str) -> None:
        self.broken = broken
        self.asked: list[str] = []
        self.closed = 0
        self.inside = self.most_inside = 0

    async def complete(self, model: str, messages: Sequence[Message], _parameters: Mapping[str, Any]) -> Completion:
        text = messages[-1].content
        self.asked.append(text)
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        for _ in range(1 if text in self.broken else 20 - len(self.asked) % 20):
            await asyncio.sleep(0)
        self.inside -= 1
        if text in self.broken:
            raise REFUSED
        return Completion(f"{model} {text.upper()}", "stop", 0.25, 3, 2)

    async def close(self) -> None:
        self.closed += 1


def ask(
    folder: Path, completer: FakeCompleter, *texts: str, concurrency: int = 3, model: str = "m"
) -> tuple[dict[str, Completion], list[tuple[int, int]]]:
    calls, shown = Calls(folder / "calls.db"), []
    plays = {f"id-{text}": asked(text) for text in texts}
    try:
        answers = sample(plays, completer, calls, model, concurrency, lambda *n: shown.append(n))
    finally:
        calls.close()
    return once(answers), shown


def test_answers_come_in_the_order_of_the_prompts(tmp_path: Path) -> None:
    answers, shown = ask(tmp_path, FakeCompleter(), *"dcba")
    assert list(answers) == ["id-d", "id-c", "id-b", "id-a"]
    assert answers["id-a"] == Completion("m A", "stop", 0.25, 3, 2)
    assert shown == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize(("concurrency", "most"), [(1, 1), (3, 3), (50, 8)])
def test_no_more_than_so_many_requests_are_under_way(concurrency: int, most: int, tmp_path: Path) -> None:
    completer = FakeCompleter()
    ask(tmp_path, completer, *"abcdefgh", concurrency=concurrency)
    assert (completer.most_inside, completer.closed) == (most, 1)


def test_what_was_answered_is_not_asked_again(tmp_path: Path) -> None:
    first, _ = ask(tmp_path, FakeCompleter(), *"abc")
    completer = FakeCompleter()
    answers, shown = ask(tmp_path, completer, *"abcd")
    assert completer.asked == ["d"]
    assert shown == [(3, 4), (4, 4)]
    assert {name: answers[name] for name in first} == first
    completer = FakeCompleter()
    assert ask(tmp_path, completer, *"abcd") == (answers, [(4, 4)])
    assert (completer.asked, completer.closed) == ([], 0)


def test_another_model_or_other_parameters_are_another_request() -> None:
    message = (Message("user", "a"),)
    assert len({digest_of(model, message, {"seed": seed}) for model in "mn" for seed in (1, 2)}) == 4
    assert digest_of("m", message, {"seed": 7}) == "3b97bd1d4d5a219095d1c6fbeb309cfcfc241cc57ff24387e051da613be43d39"


def test_a_failure_is_a_provider_error_and_keeps_the_answers_of_the_others(tmp_path: Path) -> None:
    completer = FakeCompleter("b")
    with pytest.raises(ProviderError) as caught:
        ask(tmp_path, completer, *"abcdefgh")
    assert caught.value is REFUSED
    assert completer.asked == ["a", "b", "c"]  # what was under way is waited for, nothing more is sent
    assert completer.closed == 1
    again = FakeCompleter()
    answers, shown = ask(tmp_path, again, *"abcdefgh")
    assert again.asked == [*"bdefgh"]
    assert (len(answers), shown[0]) == (8, (2, 8))


def test_several_failures_are_told_as_the_first(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match=r"^fake: refused$"):
        ask(tmp_path, FakeCompleter(*"abc"), *"abcdef")


def test_an_interrupted_run_keeps_its_answers(tmp_path: Path) -> None:
    class Stopped(FakeCompleter):
        async def complete(self, model: str, messages: Sequence[Message], parameters: Mapping[str, Any]) -> Completion:
            if messages[-1].content == "c":
                raise KeyboardInterrupt
            return await super().complete(model, messages, parameters)

    completer = Stopped()
    with pytest.raises(KeyboardInterrupt):
        ask(tmp_path, completer, *"abcd", concurrency=1)
    assert completer.closed == 1
    again = FakeCompleter()
    ask(tmp_path, again, *"abcd")
    assert again.asked == ["c", "d"]


def test_equal_prompts_are_asked_once(tmp_path: Path) -> None:
    twins = {name: asked("a") for name in ("one", "two")}
    completer, calls, shown = FakeCompleter(), Calls(tmp_path / "calls.db"), []
    answers = sample(twins, completer, calls, "m", 4, lambda *n: shown.append(n))
    calls.close()
    assert completer.asked == ["a"]
    assert once(answers) == dict.fromkeys(("one", "two"), Completion("m A", "stop", 0.25, 3, 2))
    assert shown == [(0, 2), (2, 2)]


def test_no_prompts_are_no_answers(tmp_path: Path) -> None:
    completer = FakeCompleter()
    assert ask(tmp_path, completer) == ({}, [(0, 0)])
    assert completer.closed == 0


def test_the_first_answer_to_a_request_stays(tmp_path: Path) -> None:
    calls = Calls(tmp_path / "calls.db")
    prompt = Prompt((Message("user", "a"),))
    assert calls.put("d", Completion("first"), "m", prompt) == Completion("first")
    assert calls.put("d", Completion("second"), "m", prompt) == Completion("first")
    assert (calls.get("d"), calls.get("e")) == (Completion("first"), None)
    calls.close()


def test_a_damaged_file_of_calls_is_told(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    path.write_bytes(b"this is no database, " * 100)
    with pytest.raises(StoreError) as caught:
        Calls(path)
    assert str(caught.value) == (
        f"{path}: the cached calls cannot be read or written: file is not a database\n"
        "    Fix: free space or rights there; if the file is damaged, delete it: its answers are asked again."
    )
    assert caught.value.exit_code == ExitCode.FAILED


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match=r"the cached calls cannot be read or written: .*Not a directory"):
        Calls(tmp_path / "file" / "deep" / "calls.db")


def test_samples_of_one_example_are_requests_of_their_own(tmp_path: Path) -> None:
    completer, calls = FakeCompleter(), Calls(tmp_path / "calls.db")
    plays = {number: asked("a", number=number) for number in range(3)}
    sample(plays, completer, calls, "m", 2, lambda *_: None)
    assert completer.asked == ["a"] * 3
    message = (Message("user", "a"),)
    assert len({digest_of("m", message, PARAMETERS, number) for number in range(3)}) == 3
    assert digest_of("m", message, PARAMETERS, 0) == digest_of("m", message, PARAMETERS)
    calls.close()


class Caller:
    """Calls a tool until it has seen `n` results; stops with KeyboardInterrupt at request number `stops`."""

    def __init__(self, n: int, stops: int | None = None) -> None:
        self.n, self.stops = n, stops
        self.asked: list[tuple[str, int]] = []

    async def complete(self, _model: str, messages: Sequence[Message], _parameters: Mapping[str, Any]) -> Completion:
        if len(self.asked) == self.stops:
            raise KeyboardInterrupt
        seen = sum(each.role == "tool" for each in messages)
        self.asked.append((messages[0].content or "", seen))
        await asyncio.sleep(0)
        if seen == self.n:
            return Completion(f"{messages[0].content} after {seen}", "stop")
        return Completion("", "tool_calls", tool_calls=(ToolCall(f"c{seen}", "f", json.dumps({"n": seen})),))

    async def close(self) -> None:
        pass


def dialogues(folder: Path, completer: Caller, texts: str = "abc", concurrency: int = 1) -> dict[str, Dialogue]:
    calls = Calls(folder / "calls.db")
    try:
        plays = {text: asked(text, turns=4) for text in texts}
        return sample(plays, completer, calls, "m", concurrency, lambda *_: None)
    finally:
        calls.close()


def test_a_dialogue_is_played_to_its_end_before_the_next_begins(tmp_path: Path) -> None:
    caller = Caller(2)
    answers = dialogues(tmp_path, caller)
    assert caller.asked == [(text, seen) for text in "abc" for seen in (0, 1, 2)]
    assert {name: each.last.content for name, each in answers.items()} == {text: f"{text} after 2" for text in "abc"}
    assert [each.role for each in answers["a"].way] == ["assistant", "tool"] * 2


@pytest.mark.parametrize("stops", range(9))
def test_a_dialogue_that_was_broken_off_goes_on_where_it_was(stops: int, tmp_path: Path) -> None:
    whole = dialogues(tmp_path / "whole", Caller(2))
    broken, again = Caller(2, stops), Caller(2)
    with pytest.raises(KeyboardInterrupt):
        dialogues(tmp_path, broken)
    assert dialogues(tmp_path, again) == whole
    assert len(broken.asked) == stops
    assert broken.asked + again.asked == [(text, seen) for text in "abc" for seen in (0, 1, 2)]


def test_request_response_and_cost_are_kept_with_an_answer(tmp_path: Path) -> None:
    calls = Calls(tmp_path / "calls.db", "s", lambda answer: answer.completion_tokens / 4, lambda: 12.5)
    prompt = Prompt((Message("user", "é"),), {"seed": 7}, 2)
    calls.put("d", Completion("x", "stop", 0.25, 3, 2, raw='{"id": 1}'), "m", prompt)
    calls.close()
    with sqlite3.connect(tmp_path / "calls.db") as database:
        [row] = database.execute("SELECT digest, sample, request, response, cost_usd, answered_at FROM call")
    database.close()
    request = {"model": "m", "messages": [{"role": "user", "content": "é"}], "seed": 7}
    assert (row[0], row[1], json.loads(row[2]), *row[3:]) == ("sd", 2, request, '{"id": 1}', 0.5, 12.5)


def test_answers_that_an_earlier_ftbuild_kept_are_found(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "calls.db") as database:
        database.execute("CREATE TABLE call (digest TEXT PRIMARY KEY, answer TEXT NOT NULL)")
        told = {
            "content": "x",
            "finish_reason": "stop",
            "latency_seconds": 1,
            "prompt_tokens": 3,
            "completion_tokens": 2,
        }
        database.execute("INSERT INTO call VALUES ('sd', ?)", (json.dumps(told),))
    database.close()
    for _ in range(2):
        calls = Calls(tmp_path / "calls.db", "s")
        assert calls.get("d") == Completion("x", "stop", 1, 3, 2)
        calls.close()


class Clock:
    """A clock that sleeping moves on; sleepers wake in the order of their times."""

    def __init__(self) -> None:
        self.now = 0.0

    async def sleep(self, seconds: float) -> None:
        until = self.now + seconds
        await asyncio.sleep(0)
        self.now = max(self.now, until)


class Limited(FakeCompleter):
    """Fails the requests of the given numbers, from 0; notes when each was sent."""

    def __init__(self, clock: Clock, failures: Mapping[int, ProviderError]) -> None:
        super().__init__()
        self.clock, self.failures, self.sent = clock, failures, []

    async def complete(self, model: str, messages: Sequence[Message], parameters: Mapping[str, Any]) -> Completion:
        self.sent.append(self.clock.now)
        if (error := self.failures.get(len(self.sent) - 1)) is not None:
            await asyncio.sleep(0)
            raise error
        return await super().complete(model, messages, parameters)


def limited(
    folder: Path, failures: Mapping[int, ProviderError], texts: str, concurrency: int, per_minute: int | None = None
) -> list[float]:
    """Return when each request was sent."""
    clock, calls = Clock(), Calls(folder / "calls.db")
    completer = Limited(clock, failures)
    throttle = Throttle(per_minute, clock=lambda: clock.now, sleep=clock.sleep)
    try:
        sample({text: asked(text) for text in texts}, completer, calls, "m", concurrency, lambda *_: None, throttle)
    finally:
        calls.close()
    return completer.sent


def failing(status: int | None, retry_after: float | None = None, code: str | None = None) -> ProviderError:
    return ProviderError("fake: no", status=status, code=code, retry_after=retry_after)


@pytest.mark.parametrize("status", [429, 503])
def test_all_askers_wait_as_long_as_one_of_them_is_told_to(status: int, tmp_path: Path) -> None:
    sent = limited(tmp_path, {1: failing(status, 30.0)}, "abcdefgh", 4)
    assert len(sent) == 9
    assert sent[:4] == [0, 0, 0, 0]  # under way when the word came
    assert min(sent[4:]) >= 30


@pytest.mark.parametrize("status", [None, 408, 409, 500, 502, 529])
def test_a_failure_that_passes_holds_up_nobody_else(status: int | None, tmp_path: Path) -> None:
    sent = limited(tmp_path, {0: failing(status, 30.0)}, "abcd", 2)
    assert len(sent) == 5
    assert sent[:2] == [0, 0]
    assert max(sent) >= 30


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (failing(400), 1),
        (failing(401), 1),
        (failing(404), 1),
        (failing(429, 1.0, "insufficient_quota"), 1),
        (failing(429, 3600.0), 1),
        (failing(None), 3),
        (failing(429), 10),
        (failing(500), 10),
    ],
)
def test_a_failure_is_repeated_as_often_as_there_is_hope(error: ProviderError, tries: int, tmp_path: Path) -> None:
    clock, calls = Clock(), Calls(tmp_path / "calls.db")
    completer = Limited(clock, dict.fromkeys(range(100), error))
    throttle = Throttle(clock=lambda: clock.now, sleep=clock.sleep)
    with pytest.raises(ProviderError) as caught:
        sample({"a": asked("a")}, completer, calls, "m", 1, lambda *_: None, throttle)
    calls.close()
    assert (caught.value, len(completer.sent)) == (error, tries)
    assert completer.sent == sorted(completer.sent)


def test_no_more_requests_a_minute_are_begun_than_are_allowed(tmp_path: Path) -> None:
    sent = limited(tmp_path, {}, "abcdefgh", 8, per_minute=60)
    assert [after - before for before, after in pairwise(sent)] == pytest.approx([1.0] * 7)


def test_what_one_arm_is_told_holds_for_the_others_too(tmp_path: Path) -> None:
    clock = Clock()
    throttle = Throttle(60, clock=lambda: clock.now, sleep=clock.sleep)
    sent: list[float] = []
    for arm, failures in (("m", {0: failing(429, 30.0)}), ("n", {})):
        calls = Calls(tmp_path / "calls.db", arm)
        completer = Limited(clock, failures)
        sample({"a": asked("a"), "b": asked("b")}, completer, calls, arm, 1, lambda *_: None, throttle)
        calls.close()
        sent += completer.sent
    assert sent == sorted(sent)
    assert min(after - before for before, after in pairwise(sent)) >= 1
    assert sent[1] >= 30


def test_a_failure_is_never_kept(tmp_path: Path) -> None:
    limited(tmp_path, {0: failing(429, 1.0), 1: failing(500)}, "a", 1)
    with sqlite3.connect(tmp_path / "calls.db") as database:
        [(answer,)] = database.execute("SELECT answer FROM call")
    database.close()
    assert json.loads(answer)["content"] == "m A"
