"""Training lines: checked by the rules of the dataset compiler, turned into lessons, laid into batches.

Knows nothing of jobs or tensors. An order depends on the seed alone.
"""

import random
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeVar

from ftbuild.embedded.engine import Reader
from ftbuild.embedded.template import Lesson, UnwritableError, texts
from ftbuild.rows import NotJsonError, parse
from ftbuild.rules.lines import check
from ftbuild.rules.pack import PACKS, Method

MIN_EXAMPLES = PACKS["embedded"].min_examples
SORTED_TOGETHER = 16  # batches: rows of like length meet in one, and order stays mostly random


class InvalidFileError(Exception):
    """A file that no job can be run on; the text says where and why."""


def read_lessons(content: bytes, reader: Reader, kind: str = "training") -> tuple[list[Lesson], int]:
    """Return the lessons of a training or validation file in its order, and how many were cut at the context's end.

    Raises:
        InvalidFileError: the first line that cannot be learnt from, or too few lines.
    """
    lessons, cut = [], 0
    for number, line in checked(content, "supervised", kind):
        lesson = lesson_of(line["messages"], line, reader, f"Example {number}")
        cut += lesson.n_tokens > reader.context
        lesson = lesson.cut(reader.context)
        if not any(lesson.learnt[1:]):
            raise InvalidFileError(
                f"Example {number} has no assistant message to learn from within the model's context."
            )
        lessons.append(lesson)
    return lessons, cut


def checked(content: bytes, method: Method, kind: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the lines of a file with their numbers from 1; `kind` is "training" or "validation".

    Raises:
        InvalidFileError: the first line that breaks a rule, or too few lines.
    """
    lines = content.removesuffix(b"\n").split(b"\n") if content else []
    for number, line in enumerate(lines, 1):
        try:
            value = parse(line)
        except NotJsonError as error:
            raise InvalidFileError(f"Example {number} cannot be parsed. Error: {error}") from error
        for problem in check(value, method, PACKS["embedded"]):
            if problem.severity == "error":
                at = f", {problem.at}" if problem.at else ""
                raise InvalidFileError(f"Example {number}{at}: {problem.what}")
        yield number, value
    if kind == "training" and len(lines) < MIN_EXAMPLES:
        what = f"Training file has {len(lines)} example(s), but must have at least {MIN_EXAMPLES} examples"
        raise InvalidFileError(what)
    if not lines:
        raise InvalidFileError(f"The {kind} file has no examples.")


def lesson_of(messages: Sequence[Any], offering: dict[str, Any], reader: Reader, at: str) -> Lesson:
    """Return the lesson of a conversation whose tools and flag stand in `offering`; `at` names the example.

    Raises:
        InvalidFileError: the conversation holds what cannot be learnt here.
    """
    for index, message in enumerate(messages):
        if message["role"] == "function" or "function_call" in message or "audio" in message:
            what = "this server learns tools, tool_calls and messages of the role 'tool', not the older form or audio"
            raise InvalidFileError(f"{at}, messages[{index}]: {what}")
        if isinstance(message.get("content"), list) and any(part["type"] != "text" for part in message["content"]):
            raise InvalidFileError(f"{at}, messages[{index}].content: this server learns from texts alone")
    tools = offering.get("tools") or ()
    if token := reader.special_in("\n".join(texts(messages, tools))):
        raise InvalidFileError(f"{at}: the model would read {token!r} as a special token; take it out of the text")
    try:
        return reader.lesson(messages, tools, parallel=offering.get("parallel_tool_calls", True))
    except UnwritableError as error:
        raise InvalidFileError(f"{at}: {error}") from error


class Sized(Protocol):
    """What is learnt from, a lesson or a pair of them."""

    @property
    def n_tokens(self) -> int:
        """Return how many tokens it has."""
        ...


Item = TypeVar("Item", bound=Sized)


def epoch(lessons: Sequence[Item], batch_size: int, seed: int, number: int) -> list[list[Item]]:
    """Return the batches of epoch `number`: every lesson once, rows of like length together, order drawn by seed."""
    order = random.Random(f"{seed} {number}")
    shuffled = list(lessons)
    order.shuffle(shuffled)
    together = batch_size * SORTED_TOGETHER
    batches = []
    for start in range(0, len(shuffled), together):
        chunk = sorted(shuffled[start : start + together], key=lambda lesson: lesson.n_tokens)
        batches += [chunk[at : at + batch_size] for at in range(0, len(chunk), batch_size)]
    order.shuffle(batches)
    return batches


def pieces(batch: Sequence[Lesson], max_tokens: int) -> Iterator[list[Lesson]]:
    """Yield the batch in pieces of at most `max_tokens` tokens with padding (or one row): what memory allows.

    The prefix that all rows share is not counted: it is computed once a piece, so few pieces are cheap.
    """
    shared = shared_prefix(batch) if batch else 0
    piece: list[Lesson] = []
    for lesson in sorted(batch, key=lambda lesson: len(lesson.ids)):
        if piece and (len(piece) + 1) * (len(lesson.ids) - shared) > max_tokens:
            yield piece
            piece = []
        piece.append(lesson)
    if piece:
        yield piece


def shared_prefix(batch: Sequence[Lesson]) -> int:
    """Return how many first tokens all lessons share before anything is learnt.

    At least one given token stays behind it in every row: the one that the first learnt token follows.
    """
    first = batch[0].ids
    shared = min(lesson.learnt.index(True) for lesson in batch) - 1
    for lesson in batch[1:]:
        same = 0
        while same < shared and lesson.ids[same] == first[same]:
            same += 1
        shared = same
    return max(shared, 0)
