"""Preference lines: checked by the rules of the dataset compiler, turned into pairs of lessons.

Knows nothing of jobs or tensors. Of each answer only its own tokens count, never those of earlier answers: one turn is
preferred to another. Source: OpenAI direct preference optimization guide (2026-11).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftbuild.embedded.engine import Reader
from ftbuild.embedded.lessons import InvalidFileError, enough, text_lines
from ftbuild.embedded.template import Lesson
from ftbuild.embedded.wire import plain
from ftbuild.rows import NotJsonError, parse
from ftbuild.rules.lines import check
from ftbuild.rules.pack import DEFAULT, PACKS

OUTPUTS = ("preferred_output", "non_preferred_output")


@dataclass(frozen=True)
class Pair:
    """Two answers to one conversation, each with all that stands before it; only the answers are `learnt`."""

    preferred: Lesson
    rejected: Lesson

    @property
    def n_tokens(self) -> int:
        """Return how many tokens both have."""
        return self.preferred.n_tokens + self.rejected.n_tokens


def read_pairs(content: bytes, reader: Reader, kind: str = "training") -> tuple[list[Pair], int]:
    """Return the pairs of a training or validation file in its order, and how many were cut at the context's end.

    Raises:
        InvalidFileError: the first line that cannot be learnt from, or too few lines.
    """
    pairs, cut = [], 0
    for number, line in text_lines(content, kind):
        example = _example(number, line)
        lessons = [_lesson(number, example, output, reader) for output in OUTPUTS]
        cut += any(len(lesson.ids) > reader.context for lesson in lessons)
        preferred, rejected = (lesson.cut(reader.context) for lesson in lessons)
        if not (any(preferred.learnt[1:]) and any(rejected.learnt[1:])):
            raise InvalidFileError(f"Example {number} has an answer that does not fit into the model's context.")
        pairs.append(Pair(preferred, rejected))
    enough(pairs, kind)
    return pairs, cut


def _example(number: int, line: str) -> Mapping[str, Any]:
    try:
        value = parse(line.encode())
    except NotJsonError as error:
        raise InvalidFileError(f"Example {number} cannot be parsed. Error: {error}") from error
    if not isinstance(value, dict):
        raise InvalidFileError(f"Example {number} is not a JSON object.")
    for key in ("input", *OUTPUTS):
        if key not in value:
            raise InvalidFileError(f"Example {number} is missing key {key!r}.")
    for problem in check(value, "dpo", PACKS[DEFAULT]):
        if problem.severity == "error":
            raise InvalidFileError(f"Example {number}, {problem.at}: {problem.what}")
    return value


def _lesson(number: int, example: Mapping[str, Any], output: str, reader: Reader) -> Lesson:
    asked = example["input"]
    if asked.get("tools"):
        raise InvalidFileError(f"Example {number} has 'tools', which this server cannot train on yet.")
    before = [{**message, "weight": 0} for message in plain(asked["messages"])]
    messages: Sequence[Mapping[str, Any]] = [*before, *plain(example[output])]
    for token in _special(messages, reader):
        raise InvalidFileError(f"Example {number} contains an invalid token: {token}.")
    return reader.lesson(messages)


def _special(messages: Sequence[Mapping[str, Any]], reader: Reader) -> Iterator[str]:
    for message in messages:
        if token := reader.special_in(message["content"]):
            yield token
