"""What the lines of a file have in common: the tools they offer and call, and the flag for parallel calls."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from ftbuild.problem import Problem
from ftbuild.rows import Shared
from ftbuild.rules.pack import found

LISTED_AT_MOST = 5
OFTEN_OFFERED = 10  # a tool that fewer lines offer may be there to tempt


class Company(NamedTuple):
    """What a line offers and calls, by name, how many calls an answer of it has at most, and its flag."""

    offered: tuple[str, ...]
    called: tuple[str, ...]
    arity: int
    flag: bool | None


def company(line: Mapping[str, Any], messages: Iterable[Any]) -> Company | None:
    """Return the company of a line and its messages; None where it offers no tools. What is broken counts nothing."""
    called: list[str] = []
    arity = 0
    for message in messages:
        calls = message.get("tool_calls") if isinstance(message, dict) else None
        if isinstance(calls, list):
            called += _names(calls)
            arity = max(arity, len(calls))
    return company_of(line, called, arity)


def company_of(line: Mapping[str, Any], called: Sequence[str], arity: int) -> Company | None:
    """Return the company of a line whose messages call these tools, so many at once at most."""
    tools = line.get("tools")
    if not isinstance(tools, list):
        return None
    offered = _offered(tools.text) if isinstance(tools, Shared) else tuple(_names(tools))
    flag = line.get("parallel_tool_calls", True)
    return Company(offered, tuple(called), arity, flag if isinstance(flag, bool) else None)


@dataclass
class Coverage:
    """Counts over lines that offer tools. `arity` is how many lines have an answer of so many calls."""

    flags: Counter[bool] = field(default_factory=Counter)
    offered: Counter[str] = field(default_factory=Counter)
    called: Counter[str] = field(default_factory=Counter)
    arity: Counter[int] = field(default_factory=Counter)

    def add(self, company: Company | None, n: int = 1) -> None:
        """Count `n` lines of one company; None counts nothing."""
        if company is None:
            return
        for name in company.offered:
            self.offered[name] += n
        for name in company.called:
            self.called[name] += n
        self.arity[company.arity] += n
        if company.flag is not None:
            self.flags[company.flag] += n

    def problems(self) -> Iterator[Problem]:
        """Yield what the lines together would teach wrongly."""
        if len(self.flags) > 1:
            told = ", ".join(f"{str(flag).lower()} in {n:,} lines" for flag, n in sorted(self.flags.items()))
            fix = "write the same in every line, whatever its answer."
            yield found("flag-differs", "", f"parallel_tool_calls is {told}", fix)
        never = [name for name, n in self.offered.items() if n >= OFTEN_OFFERED and name not in self.called]
        if self.called and never:
            more = f" and {len(never) - LISTED_AT_MOST} more" if len(never) > LISTED_AT_MOST else ""
            yield found("tool-never-called", "", f"no line calls {', '.join(never[:LISTED_AT_MOST])}{more}")
        if self.arity and not self.arity[0]:
            fix = "add requests that need no tool, a tenth of the lines or more."
            yield found("always-a-call", "", "every line that offers tools calls one", fix)


@lru_cache(maxsize=256)
def _offered(text: bytes) -> tuple[str, ...]:
    return tuple(_names(json.loads(text)))


def _names(listed: Iterable[Any]) -> list[str]:
    """Return the names of tools or of calls."""
    names = []
    for each in listed:
        function = each.get("function") if isinstance(each, dict) else None
        if isinstance(function, dict) and isinstance(name := function.get("name"), str):
            names.append(name)
    return names
