"""Sampling answers: bounded, resumable call by call, and one failure costs nothing that was answered."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ftbuild.chat import Message
from ftbuild.completion import Completion, Prompt
from ftbuild.errors import ExitCode, ProviderError, StoreError
from ftbuild.evaluate.calls import Calls, digest_of
from ftbuild.evaluate.sample import sample

PARAMETERS = {"temperature": 0, "seed": 7}
BUSY = ProviderError("fake: busy", status=503)


def prompts(*texts: str) -> dict[str, Prompt]:
    return {f"id-{text}": Prompt((Message("user", text),), PARAMETERS) for text in texts}


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
            raise BUSY
        return Completion(f"{model} {text.upper()}", "stop", 0.25, 3, 2)

    async def close(self) -> None:
        self.closed += 1


def ask(
    folder: Path, completer: FakeCompleter, *texts: str, concurrency: int = 3, model: str = "m"
) -> tuple[dict[str, Completion], list[tuple[int, int]]]:
    calls, shown = Calls(folder / "calls.db"), []
    try:
        answers = sample(prompts(*texts), completer, calls, model, concurrency, lambda *n: shown.append(n))
    finally:
        calls.close()
    return answers, shown


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
    assert caught.value is BUSY
    assert completer.asked == ["a", "b", "c"]  # what was under way is waited for, nothing more is sent
    assert completer.closed == 1
    again = FakeCompleter()
    answers, shown = ask(tmp_path, again, *"abcdefgh")
    assert again.asked == [*"bdefgh"]
    assert (len(answers), shown[0]) == (8, (2, 8))


def test_several_failures_are_told_as_the_first(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match=r"^fake: busy$"):
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
    twins = {name: Prompt((Message("user", "a"),), PARAMETERS) for name in ("one", "two")}
    completer, calls, shown = FakeCompleter(), Calls(tmp_path / "calls.db"), []
    answers = sample(twins, completer, calls, "m", 4, lambda *n: shown.append(n))
    calls.close()
    assert completer.asked == ["a"]
    assert answers == dict.fromkeys(("one", "two"), Completion("m A", "stop", 0.25, 3, 2))
    assert shown == [(0, 2), (2, 2)]


def test_no_prompts_are_no_answers(tmp_path: Path) -> None:
    completer = FakeCompleter()
    assert ask(tmp_path, completer) == ({}, [(0, 0)])
    assert completer.closed == 0


def test_the_first_answer_to_a_request_stays(tmp_path: Path) -> None:
    calls = Calls(tmp_path / "calls.db")
    calls.put("d", Completion("first"))
    calls.put("d", Completion("second"))
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
