"""How many tokens a training line is: exact for each text, by convention for what stands around the texts.

Around the texts OpenAI's counting adds 3 tokens a message and 3 a conversation; how tools are laid
out it does not say, so their JSON is counted. Source: OpenAI cookbook, "How to count tokens with
tiktoken" (2026-11). Texts are cut as tiktoken cuts them.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

from ftbuild.rows import Shared, written

A_MESSAGE = 3
A_CONVERSATION = 3
SAID = frozenset({"role", "content", "name", "refusal"})  # the members of a message that are counted
CALLED = ("name", "arguments")  # and of a call


def of_line(line: Mapping[str, Any], encoding: str) -> int:
    """Return the tokens of a training line of any method; what is no text or message counts nothing."""
    return of_lines([line], encoding)[0]


def of_lines(lines: Iterable[Mapping[str, Any]], encoding: str) -> list[int]:
    """Return the tokens of each line: of many at once, which is much quicker."""
    return [n for n, _ in of_examples(lines, encoding)]


def of_examples(examples: Iterable[Mapping[str, Any]], encoding: str) -> list[tuple[int, int]]:
    """Return the tokens of each example, and those of its answers that are learnt from, as a conversation of their own.

    A supervised line has those of its example.
    """
    texts: list[str] = []
    marks = [(0, 0, 0, 0)]
    for example in examples:
        marks.append((*_add_line(example, texts), len(texts)))
    sums = list(accumulate(of_texts(texts, encoding), initial=0))
    return [
        (sums[end] - sums[begin] + around, around_answers and sums[end] - sums[answers] + around_answers)
        for (*_, begin), (around, around_answers, answers, end) in pairwise(marks)
    ]


def _add_line(line: Mapping[str, Any], texts: list[str]) -> tuple[int, int, int]:
    """Add the texts of a line that are counted, those of the answers that are learnt from last.

    Return the tokens around them all, those around the answers and where these begin.
    """
    n_messages = n_conversations = 0
    answers: list[Mapping[str, Any]] = []
    inner = line["input"] if isinstance(line.get("input"), dict) else line
    for listed in (inner.get("messages"), line.get("preferred_output"), line.get("non_preferred_output")):
        if isinstance(listed, list):
            n_conversations += 1
            for message in listed:
                if isinstance(message, dict):
                    n_messages += 1
                    if is_learnt(message):
                        answers.append(message)
                    else:
                        _add(message, texts)
    if isinstance(inner.get("tools"), list):
        tools = inner["tools"]
        texts.append(tools.said if isinstance(tools, Shared) else written(tools).decode())
    begin = len(texts)
    for message in answers:
        _add(message, texts)
    around_answers = A_MESSAGE * len(answers) + A_CONVERSATION if answers else 0
    return A_MESSAGE * n_messages + A_CONVERSATION * n_conversations, around_answers, begin


def is_learnt(message: Mapping[str, Any]) -> bool:
    """Say whether a message is learnt from: an answer whose weight is not 0."""
    return message.get("role") == "assistant" and message.get("weight") != 0


def of_texts(texts: Sequence[str], encoding: str) -> list[int]:
    """Return the tokens of each text; one that comes again is counted once: roles, tools, names of them.

    Raises:
        KeyError: there is no such encoding.
    """
    import toktok

    once = [*dict.fromkeys(texts)]
    n_tokens = dict(zip(once, toktok.batch_count(once, encoding, threads=1), strict=True))
    return [n_tokens[each] for each in texts]


def _add(message: Mapping[str, Any], texts: list[str]) -> None:
    """Add the texts of a message that are counted."""
    for key, value in message.items():
        if key in SAID:
            if isinstance(value, str):
                texts.append(value)
            elif isinstance(value, list):
                parts = [part.get("text") for part in value if isinstance(part, dict)]
                texts += [each for each in parts if isinstance(each, str)]
        elif key == "tool_calls" and isinstance(value, list):
            for call in value:
                function = call.get("function") if isinstance(call, dict) else None
                if isinstance(function, dict):
                    for name in CALLED:
                        if isinstance(said := function.get(name), str):
                            texts.append(said)
