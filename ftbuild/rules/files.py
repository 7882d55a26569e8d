"""Rules of whole files: how they are written, how much is in them, and what their lines have in common.

Lines are looked at one after the other and not kept; of each only digests stay.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ftbuild.problem import Problem
from ftbuild.rules import lines
from ftbuild.rules.pack import Method, Pack, found
from ftbuild.sources.rows import Row, Rows
from ftbuild.tokens import of_line

LISTED_AT_MOST = 5
OFTEN_OFFERED = 10  # a tool that fewer lines offer may be there to tempt


@dataclass(frozen=True)
class Checked:
    """What is in a file, and what is wrong with it; `problems` in the order of the lines, those of the file first."""

    path: str
    n_lines: int
    n_examples: int
    n_tokens: int
    problems: tuple[Problem, ...]


@dataclass
class Seen:
    """What has been asked in the files before, to tell when it is asked again: prompt digest -> place."""

    prompts: dict[bytes, tuple[str, int]] = field(default_factory=dict)


@dataclass
class _Counted:
    """What the lines of one file have in common."""

    lines: dict[bytes, int] = field(default_factory=dict)
    flags: dict[bool, int] = field(default_factory=dict)
    offered: dict[str, int] = field(default_factory=dict)
    called: set[str] = field(default_factory=set)
    n_with_tools: int = 0
    n_without_call: int = 0


def check(read: Rows, path: str, method: Method | None, pack: Pack, seen: Seen) -> Checked:
    """Return what is wrong with a file; the method is that of its first line where none is given."""
    problems: list[Problem] = []
    counted = _Counted()
    n_lines = n_examples = n_tokens = 0
    for row in read.rows:
        n_lines += 1
        if row.problems:
            problems += [replace(_whole(each), path=path, line=row.line) for each in row.problems]
            continue
        method = method or lines.recognised(row.value)
        wrong = lines.check(row.value, method, pack)
        if isinstance(row.value, dict):
            tokens = of_line(row.value, pack.encoding)
            n_examples += 1
            n_tokens += tokens
            wrong += lines.weighed(_in_company(row, method, tokens, path, pack, counted, seen), pack)
        problems += [replace(each, path=path, line=row.line) for each in wrong]
    whole = [*_written(read), *_enough(n_examples, n_lines, pack), *_coverage(counted)]
    told = [replace(each, path=path) for each in lines.weighed(iter(whole), pack)]
    return Checked(path, n_lines, n_examples, n_tokens, (*told, *problems))


def _whole(problem: Problem) -> Problem:
    """Return a finding of reading with what it means to a provider."""
    return replace(found(problem.rule, problem.at, problem.what, problem.fix))


def _written(read: Rows) -> Iterator[Problem]:
    if read.encoding != "utf-8":
        fix = "save it as UTF-8: ftbuild check --fix does."
        yield found("utf-16", "", f"written in {read.encoding.upper()}", fix)
    elif read.bom:
        yield found("byte-order-mark", "", "begins with a byte order mark", "save it without.")
    if read.layout != "lines":
        what = "one JSON array" if read.layout == "array" else "objects over several lines"
        yield found("not-json-lines", "", f"{what} instead of an object a line", "ftbuild check --fix writes it so.")


def _enough(n_examples: int, n_lines: int, pack: Pack) -> Iterator[Problem]:
    if not n_lines:
        yield found("empty-file", "", "nothing in the file")
    elif n_examples < pack.min_examples:
        n = f"{n_examples} example{'' if n_examples == 1 else 's'}, at least {pack.min_examples} are needed"
        yield found("too-few-examples", "", n, "add examples.")


def _coverage(counted: _Counted) -> Iterator[Problem]:
    if len(counted.flags) > 1:
        said = ", ".join(f"{str(flag).lower()} in {n:,} lines" for flag, n in sorted(counted.flags.items()))
        fix = "write the same in every line, whatever its answer."
        yield found("flag-differs", "", f"parallel_tool_calls is {said}", fix)
    never = [name for name, n in counted.offered.items() if n >= OFTEN_OFFERED and name not in counted.called]
    if counted.called and never:
        more = f" and {len(never) - LISTED_AT_MOST} more" if len(never) > LISTED_AT_MOST else ""
        yield found("tool-never-called", "", f"no line calls {', '.join(never[:LISTED_AT_MOST])}{more}")
    if counted.n_with_tools and not counted.n_without_call:
        fix = "add requests that need no tool, a tenth of the lines or more."
        yield found("always-a-call", "", "every line that offers tools calls one", fix)


def _in_company(
    row: Row, method: Method, n_tokens: int, path: str, pack: Pack, counted: _Counted, seen: Seen
) -> Iterator[Problem]:
    """Yield what is wrong with a line beside the others; count it."""
    if n_tokens > pack.example_tokens:
        yield found("example-too-long", "", f"{n_tokens:,} tokens, at most {pack.example_tokens:,}", "shorten it.")
    digest = _digest(row.value)
    first = counted.lines.setdefault(digest, row.line)
    if first != row.line:
        yield found("duplicate-line", "", f"the same as line {first}", "keep one of them.")
    asked, answers, line = _parts(row.value, method)
    if asked:
        other, number = seen.prompts.setdefault(_digest(asked), (path, row.line))
        if other != path:
            yield found("leak-across-files", "", f"asks the same as {other}:{number}", "keep it in one of the files.")
    _count(counted, line, answers)


def _parts(line: dict[str, Any], method: Method) -> tuple[list[Any], list[Any], dict[str, Any]]:
    """Return what a line asks, all its messages, and the object that offers its tools; empty where it is broken."""
    inner = line.get("input") if method == "dpo" else line
    if not isinstance(inner, dict) or not isinstance(inner.get("messages"), list):
        return [], [], {}
    messages = inner["messages"]
    asked = messages[:-1] if method == "supervised" else messages
    outputs = [line.get(key) for key in lines.DPO_KEYS[1:]] if method == "dpo" else []
    return asked, [*messages, *(each for output in outputs if isinstance(output, list) for each in output)], inner


def _count(counted: _Counted, line: dict[str, Any], messages: Iterable[Any]) -> None:
    tools = line.get("tools")
    if not isinstance(tools, list):
        return
    for tool in tools:
        function = tool.get("function") if isinstance(tool, dict) else None
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            counted.offered[function["name"]] = counted.offered.get(function["name"], 0) + 1
    called = [
        call["function"].get("name")
        for message in messages
        if isinstance(message, dict) and isinstance(message.get("tool_calls"), list)
        for call in message["tool_calls"]
        if isinstance(call, dict) and isinstance(call.get("function"), dict)
    ]
    counted.n_with_tools += 1
    counted.n_without_call += not called
    counted.called.update(name for name in called if isinstance(name, str))
    flag = line.get("parallel_tool_calls", True)
    if isinstance(flag, bool):
        counted.flags[flag] = counted.flags.get(flag, 0) + 1


def _digest(value: Any) -> bytes:
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=16).digest()
