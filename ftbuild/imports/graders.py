"""Testing criteria of OpenAI's Evals -> what is expected of an answer.

A `string_check` of the answer as a whole is a criterion; its reference, and that of `text_similarity`, is the reference
answer. What a model judges (label_model, score_model) or code does (python) is not carried over.
Source: the types `openai.types.graders` of the package openai 3.57.0 (2026-11).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ftbuild.imports.expected import Expected
from ftbuild.imports.templates import filled
from ftbuild.tools.schemas import shown

OPERATIONS = {"eq": "equals", "ne": "not-equals", "like": "contains", "ilike": "icontains"}
WHOLE = re.compile(r"\s*\{\{\s*sample\.output_text\s*\}\}\s*")
WHY = {
    "label_model": "A model judges it.",
    "score_model": "A model judges it.",
    "python": "No code of a config is run.",
}
FIXES = {
    "label_model": "write its rubric as conf/judge/NAME.yaml, for the scorer judge.",
    "score_model": "write its rubric as conf/judge/NAME.yaml, for the scorer judge.",
    "python": "`ftbuild compare` takes the values that it gave.",
}


def of_criteria(criteria: Sequence[Any], item: Mapping[str, Any], at: str) -> Expected:
    """Return what testing criteria expect of the answer to an item."""
    found = Expected()
    for number, each in enumerate(criteria):
        where = f"{at}[{number}]"
        if not isinstance(each, Mapping) or not isinstance(each.get("type"), str):
            found.leave(shown(each), where, "It is no grader: {type: string_check, ...}.")
        elif each["type"] in ("string_check", "text_similarity"):
            _compared(found, each, item, where)
        else:
            why = WHY.get(each["type"], "No scorer of ours measures it.")
            found.leave(_named(each), where, why, FIXES.get(each["type"], ""))
    return found


def _compared(found: Expected, grader: Mapping[str, Any], item: Mapping[str, Any], at: str) -> None:
    try:
        reference = filled(str(grader.get("reference")), {"item": item})
    except ValueError as error:
        found.leave(_named(grader), at, f"Its reference is {error}.")
        return
    if not WHOLE.fullmatch(str(grader.get("input"))):
        found.leave(_named(grader), at, f"It looks at {shown(grader.get('input'))}, not at the answer as a whole.")
    elif grader["type"] == "text_similarity":
        found.refer(reference)
        found.leave(_named(grader), at, "Its reference is kept: chrf, rouge_l and judge compare with it.")
    elif grader.get("operation") in OPERATIONS:
        found.require(OPERATIONS[grader["operation"]], reference, at)
    else:
        found.leave(_named(grader), at, f"There is no operation {grader.get('operation')!r}.")


def _named(grader: Mapping[str, Any]) -> str:
    return f"{grader['type']} {grader.get('name', '')!r}"
