"""Samples of OpenAI's Evals: questions with their ideal answers, open-source and hosted.

A sample of the open-source evals is {input, ideal}: messages or a text, and the answer or several that will do. A line
of a hosted data source, {item: {...}}, says its question and its reference by fields that are called so.
Source: openai/evals 4bfc1f5, `evals/elsuite/basic`; the types `openai.types.evals` of openai 3.57.0 (2026-11).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ftbuild.imports.evals_items import REFERENCES
from ftbuild.imports.expected import Expected
from ftbuild.imports.messages import asked
from ftbuild.imports.questions import Question, Questions
from ftbuild.problem import Problem
from ftbuild.rows import Row
from ftbuild.tools.schemas import shown

ASKING = ("input", "question", "prompt", "query", "text", "request")


def is_sample(value: Any) -> bool:
    """Return whether a value is a sample of the open-source evals, or a line of a hosted data source."""
    return isinstance(value, Mapping) and ({"input", "ideal"} <= value.keys() or isinstance(value.get("item"), Mapping))


def of_samples(rows: Sequence[Row], path: str) -> Questions:
    """Return the questions of samples."""
    found = Questions("samples of OpenAI's evals")
    for row in rows:
        if row.problems or not is_sample(row.value):
            what = row.problems[0].what if row.problems else f"{shown(row.value)} is no sample"
            found.problems.append(Problem(what, path, row.line, fix="{input: ..., ideal: ...}"))
            continue
        item = row.value.get("item", row.value)
        name = next((each for each in ASKING if each in item), None)
        if name is None:
            said = f"not carried over: the whole line: which of {', '.join(map(str, item))} is asked?"
            found.leave(
                Problem(said, path, row.line, fix="export the output items of a run: they hold what was asked.")
            )
            continue
        found.ask(Question(asked(item[name]), _ideal(item), path, row.line))
    return found


def _ideal(item: Mapping[str, Any]) -> Expected:
    """Return what a sample expects: its ideal answer, or any of several."""
    found = Expected()
    name = next((each for each in REFERENCES if each in item), None)
    texts = [str(each) for each in (item[name] if isinstance(item[name], list) else [item[name]])] if name else []
    if len(texts) > 1:
        found.require("contains-any", texts, "ideal")
    if texts:
        found.refer(texts[0])
    return found
