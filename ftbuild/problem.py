"""One finding: where, what, why it matters, how to mend it.

Owns the text of a finding. Knows nothing of what finds it. A list of problems is always
in position order and printed at most twenty at a time.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

SHOWN_AT_MOST = 20
OF_A_RULE = 3


@dataclass(frozen=True)
class Problem:
    """A finding in a file, a config or a command line.

    `path` is a file as the user would name it, or "command line"; `line` counts from 1.
    `at` is the place inside the JSON of the line. `rule` is a stable id for findings in data, "" elsewhere.
    """

    what: str
    path: str = ""
    line: int | None = None
    why: str = ""
    fix: str = ""
    rule: str = ""
    severity: Literal["error", "warning"] = "error"
    at: str = ""

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}: " if self.path and self.line else f"{self.path}: " if self.path else ""
        first = where + ("warning: " if self.severity == "warning" else "")
        first += f"{self.at}: {self.what}" if self.at else self.what
        rest = [self.why] if self.why else []
        if self.fix:
            rest.append(f"Fix: {self.fix}")
        if self.rule and rest:
            rest[-1] += f"    {self.rule}"
        elif self.rule:
            first += f"    {self.rule}"
        return "\n".join([first, *(f"    {text}" for text in rest)])


def render(problems: Sequence[Problem]) -> str:
    """Return the problems as text, cut at twenty with the count of the rest, by rule where they have one.

    Where there are more, three of a rule are shown: the others say the same again, and would hide other rules.
    """
    told, rest = list(problems), list[Problem]()
    if len(problems) > SHOWN_AT_MOST:
        so_far: Counter[str] = Counter()
        told = []
        for problem in problems:
            so_far[problem.rule] += 1
            is_again = problem.rule and so_far[problem.rule] > OF_A_RULE
            (rest if is_again or len(told) == SHOWN_AT_MOST else told).append(problem)
    shown = [str(problem) for problem in told]
    if rest:
        rules = Counter(problem.rule for problem in rest if problem.rule).most_common()
        by_rule = ", ".join(f"{n:,} {rule}" for rule, n in rules)
        shown.append(f"... and {len(rest):,} more" + (f": {by_rule}" if by_rule else ""))
    return "\n".join(shown)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most like `name`, None when none is close."""
    close = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return close[0] if close else None
