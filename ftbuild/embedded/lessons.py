"""Training lines: checked as OpenAI checks them, turned into lessons, laid into batches.

Knows nothing of jobs or tensors. Rules and wording: OpenAI fine-tuning guide and forum reports
(2026-11), as far as supervised text examples go. An order depends on the seed alone.
"""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from ftbuild.embedded.engine import Reader
from ftbuild.embedded.template import Lesson

MIN_EXAMPLES = 10
SORTED_TOGETHER = 16  # batches: rows of like length meet in one, and order stays mostly random
ROLES = ("system", "user", "assistant")


class InvalidFileError(Exception):
    """A file that no job can be run on; the text is OpenAI's as far as we know it."""


def read_lessons(content: bytes, reader: Reader, kind: str = "training") -> tuple[list[Lesson], int]:
    """Return the lessons of a training or validation file in its order, and how many were cut at the context's end.

    Raises:
        InvalidFileError: the first line that cannot be learnt from, or too few lines.
    """
    lessons, cut = [], 0
    for number, line in text_lines(content, kind):
        lesson = reader.lesson(_messages(number, line, reader))
        cut += lesson.n_tokens > reader.context
        lesson = lesson.cut(reader.context)
        if not any(lesson.learnt[1:]):
            raise InvalidFileError(
                f"Example {number} has no assistant message to learn from within the model's context."
            )
        lessons.append(lesson)
    enough(lessons, kind)
    return lessons, cut


def text_lines(content: bytes, kind: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a training or validation file, from 1.

    Raises:
        InvalidFileError: it is not UTF-8.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidFileError(f"The {kind} file is not UTF-8: byte {error.start}.") from error
    yield from enumerate(text.removesuffix("\n").split("\n"), start=1)


def enough(examples: Sequence[object], kind: str) -> None:
    """Refuse a file with too few examples.

    Raises:
        InvalidFileError: there are.
    """
    if kind == "training" and len(examples) < MIN_EXAMPLES:
        raise InvalidFileError(
            f"Training file has {len(examples)} example(s), but must have at least {MIN_EXAMPLES} examples"
        )
    if not examples:
        raise InvalidFileError(f"The {kind} file has no examples.")


def _messages(number: int, line: str, reader: Reader) -> list[Mapping[str, Any]]:
    try:
        example = json.loads(line)
    except ValueError as error:
        raise InvalidFileError(
            f"Example {number} cannot be parsed. Error: line contains invalid json: {error}"
        ) from error
    if not isinstance(example, dict):
        raise InvalidFileError(f"Example {number} is not a JSON object.")
    if "messages" not in example:
        raise InvalidFileError(f"Example {number} is missing key 'messages'.")
    for key in example:
        if key != "messages":
            extra = key in ("tools", "functions", "parallel_tool_calls")
            raise InvalidFileError(
                f"Example {number} has {key!r}, which this server cannot train on yet."
                if extra
                else f'Example {number} contains an extra "{key}".'
            )
    messages = example["messages"]
    if not isinstance(messages, list) or not messages:
        raise InvalidFileError(f"Example {number}: 'messages' must be a list with at least one message.")
    for index, message in enumerate(messages, start=1):
        _check_message(f"Example {number}, message {index}", message, reader)
    if messages[-1]["role"] != "assistant":
        raise InvalidFileError(f"Example {number}: Last message must be from the assistant")
    if all(message.get("weight") == 0 for message in messages if message["role"] == "assistant"):
        raise InvalidFileError(f"Example {number} has no assistant message with a weight other than 0.")
    return messages


def _check_message(at: str, message: object, reader: Reader) -> None:
    if not isinstance(message, dict) or "role" not in message:
        raise InvalidFileError(f"{at} Discriminator 'role' is missing in value")
    if message["role"] not in ROLES:
        raise InvalidFileError(f"{at}: role {message['role']!r} is not one of system, user, assistant")
    if not isinstance(message.get("content"), str):
        raise InvalidFileError(f'{at}, key "content": Input should be a valid string')
    for key in message:
        if key not in ("role", "content", "weight", "name") or (key == "weight" and message["role"] != "assistant"):
            raise InvalidFileError(f'{at} contains an extra "{key}".')
    if message.get("weight") not in (None, 0, 1):
        raise InvalidFileError(f'{at}, key "weight": must be 0 or 1')
    if token := reader.special_in(message["content"]):
        raise InvalidFileError(f"{at} contains an invalid token: {token}.")


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
    """Yield the batch in pieces of at most `max_tokens` tokens with padding (or one row): what memory allows."""
    piece: list[Lesson] = []
    for lesson in sorted(batch, key=lambda lesson: len(lesson.ids)):
        if piece and (len(piece) + 1) * len(lesson.ids) > max_tokens:
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
