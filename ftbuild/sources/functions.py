"""A file of Python as examples of tool calls: what its docstrings show of each function. Its code is never run.

    def get_weather(city: str, day: str = "today") -> str:
        \"\"\"Tell the weather.

        Examples:
            "Will it rain in Oslo?" -> get_weather(city="Oslo")
            "Oslo and Bergen tomorrow?" -> get_weather("Oslo", day="tomorrow"); get_weather("Bergen", day="tomorrow")
        \"\"\"

A line of the section `Examples:` (Google's style) is a request and the calls that answer it, joined by `; `; a line
that is indented further goes on with the one before. Arguments are literals, by name or in the order of the signature.
The tools, read as `ftbuild/tools/python_file.py` reads them, are all functions of the file that have examples or are
called in one, in the order of the file. Beside the messages a line has the fields `function`, whose docstring it is
from, and `n_calls`, for slices.
"""

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftbuild.chat import Tool
from ftbuild.problem import Problem, nearest
from ftbuild.rows import Row
from ftbuild.settings import Source
from ftbuild.sources import conversations
from ftbuild.sources.conversations import Converted
from ftbuild.tools import python_file
from ftbuild.tools.schemas import shown

SECTION = ("Examples:", "Example:")
SHOWN = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\s*->\s*(.*)""", re.DOTALL)
FORM = 'write "Will it rain in Oslo?" -> get_weather(city="Oslo").'
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class _Shown:
    """One example as it stands in a docstring."""

    line: int
    function: str
    request: str
    calls: Sequence[ast.Call]


def read(content: bytes, name: str, source: Source) -> Iterator[Any]:
    """Yield the examples that the docstrings show, and what is wrong, in the order of the lines."""
    found = sorted(_rows(content, source.tools), key=lambda row: row.line)
    return conversations.reader(_convert)(found, name, source)


def _convert(value: Any) -> Converted:
    return Converted(
        conversations.chat_jsonl(value).line, places={"messages[0]": "request", "messages[1]": "the answer"}
    )


def _rows(content: bytes, only: Sequence[str] | None) -> Iterator[Row]:
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = (error.lineno if isinstance(error, SyntaxError) else None) or 1
        yield _wrong(line, Problem("not Python", fix="mend the file.", rule="not-python"))
        return
    functions = {each.name: each for each in tree.body if isinstance(each, Function)}
    for missing in [each for each in only or () if each not in functions]:
        close = nearest(missing, functions)
        fix = f"the nearest is {close!r}." if close else f"there are {', '.join(functions)}."
        yield _wrong(1, Problem(f"no function {missing!r}", fix=fix, rule="unknown-tool"))
    examples: list[_Shown] = []
    for function in functions.values():
        for each in _shown(function) if only is None or function.name in only else ():
            if isinstance(each, _Shown):
                examples.append(each)
            else:
                yield each
    called = {call.func.id for each in examples for call in each.calls if isinstance(call.func, ast.Name)}
    wanted = {each.function for each in examples} | (called if only is None else set())
    tools: dict[str, Tool] = {}
    for name in [each for each in functions if each in (wanted if only is None else only)]:
        try:
            tools[name] = python_file.read(content, name)
        except python_file.UnreadableError as error:
            problem = Problem(str(error), fix=error.fix, rule="unreadable-tool")
            yield _wrong(error.line or functions[name].lineno, problem)
    if len(tools) == len(set(functions) & (wanted if only is None else set(only))):
        for each in examples:
            yield _row(each, tools)


def _shown(function: Function) -> Iterator[_Shown | Row]:
    """Yield the examples of a function's docstring, a row with what is wrong for those that are none."""
    for line, text in _entries(function):
        found = SHOWN.fullmatch(text)
        if found is None:
            yield _wrong(line, Problem(f"{shown(text)} is no request with its calls", fix=FORM, rule="bad-example"))
            continue
        try:
            request = ast.literal_eval(found[1])
            statements = ast.parse(found[2]).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            yield _wrong(line, Problem(f"{shown(found[2])} is no call", fix=FORM, rule="bad-example"))
            continue
        calls = [each.value for each in statements if isinstance(each, ast.Expr) and isinstance(each.value, ast.Call)]
        if not calls or len(calls) < len(statements) or not all(isinstance(each.func, ast.Name) for each in calls):
            what = f"{shown(found[2])} is no call, and no calls joined by '; '"
            yield _wrong(line, Problem(what, fix=FORM, rule="bad-example"))
            continue
        yield _Shown(line, function.name, request, calls)


def _entries(function: Function) -> Iterator[tuple[int, str]]:
    """Yield the entries of the section Examples, each with the line of the file it begins on."""
    first = function.body[0]
    if not (isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)):
        return
    said = first.value.value
    lines = said.expandtabs().split("\n") if isinstance(said, str) else []
    heads = [number for number, line in enumerate(lines) if line.strip() in SECTION]
    for head in heads:
        depth = len(lines[head]) - len(lines[head].lstrip()) if head else 0
        began, inner, text = 0, 0, ""
        for number, line in enumerate(lines[head + 1 :], head + 1):
            indent = len(line) - len(line.lstrip())
            if line.strip() and indent <= depth:
                break
            if text and (not line.strip() or indent <= inner):
                yield first.lineno + began, text
                text = ""
            if line.strip():
                began, inner = (number, indent) if not text else (began, inner)
                text = f"{text} {line.strip()}".strip()
        if text:
            yield first.lineno + began, text


def _row(example: _Shown, tools: Mapping[str, Tool]) -> Row:
    calls = []
    for number, call in enumerate(example.calls, 1):
        assert isinstance(call.func, ast.Name)
        tool = tools.get(call.func.id)
        if tool is None:
            close = nearest(call.func.id, tools)
            fix = f"the nearest is {close!r}." if close else f"there are {', '.join(tools)}."
            return _wrong(example.line, Problem(f"no tool {call.func.id!r}", fix=fix, rule="unknown-tool"))
        arguments = _arguments(call, tool)
        if isinstance(arguments, Problem):
            return _wrong(example.line, arguments)
        function = {"name": tool.name, "arguments": json.dumps(arguments, ensure_ascii=False)}
        calls.append({"id": f"call_{number}", "type": "function", "function": function})
    messages = [{"role": "user", "content": example.request}, {"role": "assistant", "tool_calls": calls}]
    value = {
        "messages": messages,
        "tools": [each.to_json() for each in tools.values()],
        "function": example.function,
        "n_calls": len(calls),
    }
    return Row(example.line, b"", value)


def _arguments(call: ast.Call, tool: Tool) -> dict[str, Any] | Problem:
    """Return the arguments of a call by name, or what is wrong with them."""
    names = list((tool.parameters or {}).get("properties", {}))
    if len(call.args) > len(names):
        what = f"{tool.name} takes {len(names)} arguments, and is given {len(call.args)}"
        return Problem(what, rule="bad-example")
    given = [*zip(names, call.args, strict=False), *((each.arg, each.value) for each in call.keywords)]
    arguments: dict[str, Any] = {}
    for name, node in given:
        if name is None or name in arguments:
            what = f"{tool.name}: {'** names no arguments' if name is None else f'{name!r} twice'}"
            return Problem(what, fix="write every argument once.", rule="bad-example")
        try:
            arguments[name] = ast.literal_eval(node)
            json.dumps(arguments[name], allow_nan=False)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            what = f"{tool.name}({name}): {shown(ast.unparse(node))} is no value of JSON"
            fix = "write it out: a text, a number, True, False, None, a list or a dict."
            return Problem(what, fix=fix, rule="bad-example")
    return arguments


def _wrong(line: int, problem: Problem) -> Row:
    return Row(line, b"", problems=(problem,))
