"""Examples of the training split as turns before a question: few-shot prompting, Brown et al. (2020).

Pure. The same examples stand before every question, so that a provider may cache them; which ones depends on the seed
and on their own ids alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ftbuild.digest import of_value

Messages = Sequence[Mapping[str, Any]]


def drawn(examples: Iterable[Mapping[str, Any]], n: int, seed: int) -> list[Mapping[str, Any]]:
    """Return `n` of the examples, fewer where there are fewer, in an order drawn by the seed."""
    return sorted(examples, key=lambda each: of_value(["shot.v1", seed, each["id"]]))[:n]


def with_shots(messages: Messages, shots: Iterable[Messages]) -> list[Mapping[str, Any]]:
    """Return the messages with whole conversations before them, behind what the system says.

    The first messages of a conversation, by system or developer, are said once: those of `messages`.
    """
    start = _start(messages)
    turns = (message for shot in shots for message in shot[_start(shot) :])
    return [*messages[:start], *turns, *messages[start:]]


def _start(messages: Messages) -> int:
    """Return at which message the turns begin."""
    instructs = ("system", "developer")
    return next((at for at, each in enumerate(messages) if each["role"] not in instructs), len(messages))
