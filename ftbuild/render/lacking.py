"""What an example has not that a method learns from, and how that is told."""

from collections.abc import Mapping, Sequence
from typing import Any

from ftbuild.problem import Problem
from ftbuild.render import reinforcement

REJECTED = "no rejected answer"
LAST = "no message of the user right before the answer"
READ = "no {}, which the grader reads"
WHY = {
    "dpo": "The method dpo learns from pairs of answers.",
    "reinforcement": "The method reinforcement has the model answer the user, and a grader look at the answer.",
}
FIX = {
    REJECTED: "name its field in the sources (rejected: FIELD), or take method=supervised.",
    LAST: "leave such conversations out, or take method=supervised.",
}


def lacking(conversation: Mapping[str, Any], method: str, reads: Sequence[str] = ()) -> str:
    """Return what a conversation has not; "" if it makes a line. `reads` are the fields that the grader asks for."""
    if method == "dpo":
        return "" if "rejected" in conversation else REJECTED
    if method != "reinforcement":
        return ""
    asked = conversation["messages"][:-1]
    if not asked or asked[-1]["role"] != "user":
        return LAST
    has = reinforcement.value(conversation) if reads else {}
    return next((READ.format(name) for name in reads if name not in has), "")


def problem(what: str, n_lacking: int, n: int, split: str, method: str) -> Problem:
    """Return the finding about the examples of a split that lack something."""
    said = f"{n_lacking:,} of {n:,} {split} examples have {what}"
    return Problem(said, why=WHY[method], fix=FIX.get(what, "let the grader read something else."))
