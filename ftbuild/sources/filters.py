"""Which lines of a source are kept, by what their fields say; what is left out is counted, and no error.

A line that is left out goes on as a finding of the rule LEFT_OUT, whose text is the reason: whoever collects the
findings counts it. A line fails the first filter, by name, that it does not pass. One that cannot be read, or is no
object, passes on: its reader names it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ftbuild.problem import Problem, nearest
from ftbuild.rows import Row
from ftbuild.settings.source import Filter
from ftbuild.sources.fields import ABSENT, SHOWN_FIELDS, said, value_of
from ftbuild.tools.schemas import shown

LEFT_OUT = "left-out"


def left_out(reason: str, fix: str = "") -> Problem:
    """Return the finding that stands for a line left out; `fix` is told where nothing is left."""
    return Problem(reason, fix=fix, rule=LEFT_OUT, severity="warning")


def kept(rows: Iterable[Row], filters: Mapping[str, Filter]) -> Iterator[Row]:
    """Yield the rows; in place of one that does not pass, what was found."""
    named = sorted(filters.items())
    for row in rows:
        found = None
        if not row.problems and isinstance(row.value, Mapping):
            found = next((each for name, given in named if (each := _failing(row.value, name, given))), None)
        yield Row(row.line, b"", problems=(found,)) if found else row


def _failing(value: Mapping[str, Any], name: str, given: Filter) -> Problem | None:
    found = value_of(value, given.field)
    if found is ABSENT:
        close, there = nearest(given.field, value), ", ".join([*value][:SHOWN_FIELDS])
        fix = (
            f"the nearest to {given.field!r} is {close!r}."
            if close
            else f"no field {given.field!r}; a line has {there}."
        )
        return left_out(f"by {name}", fix)
    if found is None:
        return left_out(f"by {name}")
    if not isinstance(found, str | int | float):
        what = f"{given.field}: {shown(found)} cannot be compared"
        return Problem(what, fix=f"keep.{name}.field names a text or a number.", rule="not-a-text")
    bounded = given.at_least is not None or given.at_most is not None
    number = _number(found) if bounded else None
    if bounded and number is None:
        fix = f"keep.{name} bounds numbers: name another field, or use equals, one_of or matches."
        return Problem(f"{given.field}: {shown(found)} is no number", fix=fix, rule="not-a-number")
    passes = (
        (given.at_least is None or (number is not None and number >= given.at_least))
        and (given.at_most is None or (number is not None and number <= given.at_most))
        and (given.equals is None or _same(found, given.equals))
        and (given.one_of is None or any(_same(found, each) for each in given.one_of))
        and (given.matches is None or re.search(given.matches, said(found)) is not None)
    )
    return None if passes else left_out(f"by {name}")


def _number(found: str | int | float) -> float | None:
    if isinstance(found, bool):
        return None
    try:
        return float(found)
    except (ValueError, OverflowError):
        return None


def _same(found: str | int | float, wanted: str | int | float) -> bool:
    """Return whether two values are the same; a column of a table holds numbers as texts, so texts are compared."""
    if isinstance(found, str | bool) or isinstance(wanted, str | bool):
        return said(found) == said(wanted)
    return found == wanted
