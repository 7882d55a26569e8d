"""Rules of whole files: how they are written, how much is in them, and what their lines have in common.

Lines are looked at one after the other and not kept; of each only digests stay.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ftbuild.digest import of_bytes
from ftbuild.errors import DataError
from ftbuild.problem import Problem
from ftbuild.rows import Row, Rows
from ftbuild.rules import lines
from ftbuild.rules.coverage import Coverage, company
from ftbuild.rules.pack import Method, Pack, found
from ftbuild.tokens import of_line

DIGITS = 32  # of a digest: enough to tell lines apart
Prompts = dict[str, tuple[str, int]]  # digest of what a line asks -> the file and line that asked it first
Guard = Callable[[dict[str, Any]], Problem | None]  # what is wrong with an example beside those that test


@dataclass(frozen=True)
class Checked:
    """What is in a file, and what is wrong with it; `problems` in the order of the lines, those of the file first."""

    path: str
    n_lines: int
    n_examples: int
    n_tokens: int
    problems: tuple[Problem, ...]


def check(
    read: Rows, path: str, method: Method | None, pack: Pack, seen: Prompts | None, guard: Guard | None = None
) -> Checked:
    """Return what is wrong with a file; the method is that of its first line where none is given.

    `seen` is what the files before have asked, None where no other file is checked with it. Lines that are sound are
    shown to the `guard`, as examples.
    """
    problems: list[Problem] = []
    coverage, known = Coverage(), dict[str, int]()
    n_lines = n_examples = n_tokens = 0
    for row in read.rows:
        n_lines += 1
        if row.problems:
            problems += [replace(each, path=path, line=row.line) for each in _as_written(row, pack)]
            continue
        method = method or lines.recognised(row.value)
        wrong = lines.check(row.value, method, pack)
        if isinstance(row.value, dict):
            if guard is not None and _is_sound(wrong) and (twin := guard(example(row, method, path))) is not None:
                wrong.append(twin)
            tokens = of_line(row.value, pack.encoding)
            n_examples += 1
            n_tokens += tokens
            wrong += lines.weighed(_in_company(row, method, path, known, seen), pack)
            wrong += lines.weighed(_length(tokens, pack), pack)
            coverage.add(company(*_offering(row.value, method)))
        problems += [replace(each, path=path, line=row.line) for each in wrong]
    whole = [*_written(read), *_enough(n_examples, n_lines, pack), *coverage.problems()]
    first = [replace(each, path=path) for each in lines.weighed(iter(whole), pack)]
    return Checked(path, n_lines, n_examples, n_tokens, (*first, *problems))


def example(row: Row, method: Method, path: str) -> dict[str, Any]:
    """Return what a sound line holds in the form of an example: its place, messages that are texts, and tools."""
    said = _conversation(row.value, method)
    messages = [*said["messages"], *(row.value["preferred_output"] if method == "dpo" else ())]
    told = [{**each, "content": _text(each.get("content"))} for each in messages]
    return {"messages": told, "tools": said.get("tools") or [], "path": path, "line": row.line}


def examples(read: Rows, path: str, method: Method | None, pack: Pack) -> Iterator[dict[str, Any]]:
    """Yield the lines of a file in the form of examples.

    Raises:
        DataError: one of them is not sound.
    """
    for row in read.rows:
        wrong = _as_written(row, pack)
        if not wrong:
            method = method or lines.recognised(row.value)
            wrong = lines.check(row.value, method, pack)
        if method is None or not _is_sound(wrong):
            raise DataError(*(replace(each, path=path, line=row.line) for each in wrong))
        yield example(row, method, path)


def _as_written(row: Row, pack: Pack) -> list[Problem]:
    return [*lines.weighed((found(each.rule, each.at, each.what, each.fix) for each in row.problems), pack)]


def _is_sound(wrong: Sequence[Problem]) -> bool:
    return all(each.severity != "error" for each in wrong)


def _text(content: Any) -> str:
    """Return the texts of a message: of a list of parts those that are text."""
    parts = content if isinstance(content, list) else [{"text": content}]
    return "\n".join(each["text"] for each in parts if isinstance(each.get("text"), str))


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


def _length(n_tokens: int, pack: Pack) -> Iterator[Problem]:
    if n_tokens > pack.example_tokens:
        yield found("example-too-long", "", f"{n_tokens:,} tokens, at most {pack.example_tokens:,}", "shorten it.")


def _in_company(row: Row, method: Method, path: str, known: dict[str, int], seen: Prompts | None) -> Iterator[Problem]:
    """Yield what is wrong with a line beside the others, of this file and of those before."""
    first = known.setdefault(of_bytes(row.content)[:DIGITS], row.line)
    if first != row.line:
        yield found("duplicate-line", "", f"the same as line {first}", "keep one of them.")
    if seen is None:
        return
    messages = _conversation(row.value, method).get("messages")
    asked = (messages[:-1] if method == "supervised" else messages) if isinstance(messages, list) else None
    if asked:
        other, number = seen.setdefault(of_bytes(json.dumps(asked, sort_keys=True).encode())[:DIGITS], (path, row.line))
        if other != path:
            yield found("leak-across-files", "", f"asks the same as {other}:{number}", "keep it in one of the files.")


def _conversation(line: dict[str, Any], method: Method) -> dict[str, Any]:
    """Return the object that holds the messages and the tools of a line; an empty one where it is broken."""
    inner = line.get("input") if method == "dpo" else line
    return inner if isinstance(inner, dict) else {}


def _offering(line: dict[str, Any], method: Method) -> tuple[dict[str, Any], list[Any]]:
    """Return the object that offers tools, and all messages of the line."""
    inner = _conversation(line, method)
    outputs = [line.get(key) for key in lines.DPO_KEYS[1:]] if method == "dpo" else []
    listed = [each for each in (inner.get("messages"), *outputs) if isinstance(each, list)]
    return inner, [message for each in listed for message in each]
