"""A round after another: what one experiment learnt from the misses of the one before it."""

from typing import ClassVar

from pydantic import Field

from ftbuild.settings.node import Node


class Round(Node):
    """The experiment of the round before, `after`, whose fine-tuned model is the arm `before` of this one.

    `aims` are the slices, "name=value", that this round should move; `run` says whose misses were read, for people.
    """

    unkeyed: ClassVar[frozenset[str]] = frozenset({"run"})
    after: str = Field(min_length=1)
    run: str | None = None
    aims: list[str] = []
