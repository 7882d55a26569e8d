"""Answers that other tools recorded, whatever their layout: what `ftbuild score` and `ftbuild compare` read."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ftbuild.imports import evals_items, evals_log, promptfoo_results
from ftbuild.imports.lines import Answer
from ftbuild.problem import Problem
from ftbuild.rows import Row

LAYOUTS = (promptfoo_results, evals_items, evals_log)


@dataclass
class Recorded:
    """The answers of a file, in its order, and what is wrong with it; `said` is what it is, for people.

    `columns` names who answered: models, prompts, runs; the column of an answer is its number there.
    """

    said: str
    answers: list[Answer] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)


def recorded(rows: Sequence[Row]) -> Recorded | None:
    """Return the answers in the rows of a file, None where it is of no other tool; errors have no path yet."""
    first: Any = rows[0].value if rows else None
    layout = next((each for each in LAYOUTS if each.is_one(first)), None)
    if layout is None:
        return None
    found = Recorded(layout.SAID)
    found.problems += [replace(each, line=row.line) for row in rows for each in row.problems]
    for each in layout.read([row for row in rows if not row.problems]):
        if isinstance(each, Problem):
            found.problems.append(each)
        else:
            found.answers.append(each)
    found.columns = list(dict.fromkeys(each.column for each in found.answers))
    return found
