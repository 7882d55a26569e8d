"""The round before, as it stands in the graph of the next: its fine-tuned model and all that this was made from.

Pure. They are the same actions with the same keys, so where that round was built nothing of it runs again.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ftbuild.plan.action import Input
from ftbuild.plan.graph import Graph

BEFORE = "before"  # the arm, and what a goal calls it


@dataclass(frozen=True)
class Trained:
    """What gives an arm its fine-tuned model, and which checkpoint of it answers where that is not the last."""

    job: Input
    checkpoint: Mapping[str, object]


@dataclass(frozen=True)
class Before:
    """The job of the round before and all it rests on. It waits for no arm, for whether to train was decided then.

    `number` is that of the round after it, `looks` how many rounds have been measured on what that one is measured on.
    """

    graph: Graph
    trained: Trained
    number: int = 2
    looks: int = 2
