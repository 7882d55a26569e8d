"""Logged answers for a person to judge: the file that is filled in, and what is learnt from it then.

Pure. Owns both forms. A review is a table (CSV, or JSON lines) of what can be read: what was asked, what was answered,
why the row was chosen, and empty cells. Beside it lie the traces, one JSON value a line, with all that a row leaves out
or says in other words; a row names its trace by `id`, and only `verdict`, `answer` and `reviewer` are read of it.

An answer that is edited is a text, or where there are tools calls: get_weather(city="Oslo"), a line each, as they are
shown; or JSON, a list of {"name", "arguments"}.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal, get_args

from ftbuild import rows
from ftbuild.chat import Message, ToolCall, called
from ftbuild.improve import cells
from ftbuild.improve.cells import Row
from ftbuild.problem import Problem, nearest

Verdict = Literal["keep", "edit", "drop"]
Form = Literal["csv", "jsonl"]
Trace = Mapping[str, Any]  # a line of the traces, as `traced` makes it
VERDICTS: Sequence[Verdict] = get_args(Verdict)
FILLED = ("verdict", "answer", "reviewer")
NEEDED = ("id", "verdict", "answer")
SYSTEM = ("system", "developer")
CELL_AT_MOST = 30_000  # letters; Excel holds 32,767 and drops the rest unasked
CONVERSATION = ("messages", "tools", "parallel_tool_calls")


# --- what a person gets --------------------------------------------------------------------------


def written(traces: Sequence[Trace], form: Form) -> bytes:
    """Return the review of some traces, to be filled in; `answers` of each are by the same names."""
    names = list(dict.fromkeys(name for each in traces for name in each["answers"]))
    columns = ["id", "asked", "logged", *map(_column, names), "why", *FILLED, "trace"]
    table = [_row(each, names) for each in traces]
    if form == "csv":
        return cells.written(columns, table)
    return b"".join(rows.line({name: row[name] for name in columns}) + b"\n" for row in table)


def _column(name: str) -> str:
    """Return the column of a model's answer, which is no other column."""
    return f"answer of {name}"


def _row(trace: Trace, names: Sequence[str]) -> dict[str, str]:
    *asked, logged = map(Message.from_json, trace["messages"])
    answers = {_column(name): readable(Message.from_json(trace["answers"][name])) for name in names}
    said = {"asked": _asked(asked), "logged": readable(logged), **answers}
    said = {"id": trace["id"], **{name: _held(text) for name, text in said.items()}}
    return {**said, "why": trace["chosen"]["why"], **dict.fromkeys(FILLED, ""), "trace": trace["trace"]}


def _held(text: str) -> str:
    """Return a text as far as a cell holds it; the traces have it whole."""
    return text if len(text) <= CELL_AT_MOST else f"{text[:CELL_AT_MOST]}\n[cut here; whole beside this file]"


def _asked(messages: Sequence[Message]) -> str:
    """Return what was said before an answer: of a single question its text, else a paragraph a message."""
    said = [each for each in messages if each.role not in SYSTEM]
    if len(said) == 1:
        return readable(said[0])
    return "\n\n".join(f"{each.role}: {readable(each)}" for each in said)


def readable(message: Message) -> str:
    """Return what a message says as `ftbuild show` has it: its texts, then its calls, a line each."""
    texts = [text for text in (message.content, message.refusal) if text]
    return "\n".join([*texts, *map(called, message.tool_calls)])


# --- what is learnt of it ------------------------------------------------------------------------


@dataclass(frozen=True)
class _Filled:
    """A row as it was filled in: `answer` is a text, in JSON lines it may be calls."""

    line: int
    id: str
    verdict: str
    answer: Any
    reviewer: str


def lines_of(review: bytes, sidecar: bytes, path: str = "review.csv") -> tuple[list[dict[str, Any]], list[Problem]]:
    """Return the chat lines that a filled-in review stands for, in its order, and what is wrong with it.

    `sidecar` are the traces as they were written beside it. A line has what a training line has, the `group` of its
    trace, and its `provenance`: trace, source, who or what chose it, verdict, reviewer where one is named. Rows that
    are not filled in, and traces without a row, are left out and counted, which is a warning.
    """
    traces = {each["id"]: each for each in map(json.loads, sidecar.splitlines())}
    filled, problems = _filled(review, path)
    if problems:
        return [], problems
    found: list[dict[str, Any]] = []
    seen: dict[str, int] = {}
    n_unfilled = 0
    for row in filled:
        wrong = _misplaced(row, traces, seen)
        seen.setdefault(row.id, row.line)
        if wrong is None and not row.verdict:
            wrong = _unmeant(row)
            n_unfilled += wrong is None
        elif wrong is None:
            made = _line(row, traces[row.id])
            wrong = made if isinstance(made, Problem) else None
            found += [made] if isinstance(made, dict) else []
        problems += [_at(wrong, path, row.line)] if wrong is not None else []
    problems += _left_out(n_unfilled, len(filled), len(traces.keys() - seen.keys()), path)
    return found, problems


def _filled(review: bytes, path: str) -> tuple[list[_Filled], list[Problem]]:
    if review.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] != b"{":
        table, problems = cells.read(review, NEEDED, path)
        return [_of_cells(each) for each in table], problems
    found, problems = [], []
    for row in rows.read(BytesIO(review)).rows:
        problems += [_at(each, path, row.line) for each in row.problems if each.rule != rows.BLANK]
        if row.problems:
            continue
        if not isinstance(row.value, dict) or not isinstance(row.value.get("id"), str):
            problems.append(Problem("no object with an id", path, row.line, rule="not-a-row"))
            continue
        said = {name: row.value.get(name) or "" for name in FILLED}
        verdict, reviewer = (str(said[name]).strip() for name in ("verdict", "reviewer"))
        found.append(_Filled(row.line, row.value["id"], verdict.lower(), said["answer"], reviewer))
    return found, problems


def _of_cells(row: Row) -> _Filled:
    said = row.cells
    verdict = said["verdict"].strip().lower()
    return _Filled(row.line, said["id"].strip(), verdict, said["answer"], said.get("reviewer", "").strip())


def _at(problem: Problem, path: str, line: int) -> Problem:
    return Problem(problem.what, path, line, problem.why, problem.fix, problem.rule, problem.severity)


def _misplaced(row: _Filled, traces: Mapping[str, Trace], seen: Mapping[str, int]) -> Problem | None:
    if row.id not in traces:
        fix = "take the row out, or put back the id that it had."
        return Problem(f"no trace {row.id!r} in the proposal", fix=fix, rule="no-such-trace")
    if row.id in seen:
        what = f"the trace {row.id!r} has a row on line {seen[row.id]} already"
        return Problem(what, fix="keep one of them.", rule="row-twice")
    return None


def _unmeant(row: _Filled) -> Problem | None:
    """Return what is wrong with a row without a verdict: an answer stands there that nobody would read."""
    if not row.answer:
        return None
    return Problem("an answer and no verdict", fix="write edit under verdict.", rule="answer-without-verdict")


def _left_out(n_unfilled: int, n: int, n_gone: int, path: str) -> Iterator[Problem]:
    if n_unfilled:
        has = "has no verdict, and is" if n_unfilled == 1 else "have no verdict, and are"
        what = f"{n_unfilled:,} of {n:,} rows {has} left out"
        yield Problem(what, path, rule="unfilled", severity="warning")
    if n_gone:
        has = (
            "trace of the proposal has no row, and is" if n_gone == 1 else "traces of the proposal have no row, and are"
        )
        what = f"{n_gone:,} {has} left out"
        yield Problem(what, path, rule="row-gone", severity="warning")


def _line(row: _Filled, trace: Trace) -> dict[str, Any] | Problem | None:
    """Return the chat line of a row, None where it is dropped, or what is wrong with the row."""
    if row.verdict not in VERDICTS:
        close = nearest(row.verdict, VERDICTS)
        fix = f"write {close}." if close else f"write {', '.join(VERDICTS[:-1])} or {VERDICTS[-1]}."
        return Problem(f"verdict: {row.verdict!r} is none", fix=fix, rule="unknown-verdict")
    if row.verdict == "drop":
        return None
    messages = list(trace["messages"])
    if row.verdict == "edit":
        answer = _edited(row, trace)
        if isinstance(answer, Problem):
            return answer
        messages[-1] = answer.to_json()
    elif row.answer:
        fix = "write edit under verdict, or take the answer out."
        return Problem("keep, and another answer beside it", fix=fix, rule="answer-with-keep")
    chosen = trace["chosen"]
    told = {"trace": trace["trace"], "source": trace["source"], "chosen_by": chosen["by"], "why": chosen["why"]}
    told |= {"verdict": row.verdict} | ({"reviewer": row.reviewer} if row.reviewer else {})
    said = {name: trace[name] for name in CONVERSATION if name in trace}
    return {**said, "messages": messages, "group": trace["group"], "provenance": told}


def _edited(row: _Filled, trace: Trace) -> Message | Problem:
    """Return the answer that a person wrote, or what is wrong with it."""
    if not row.answer or (isinstance(row.answer, str) and not row.answer.strip()):
        fix = "write the answer that the model should give, or drop under verdict."
        return Problem("edit, and no answer", fix=fix, rule="edit-without-answer")
    names = trace["callable"]
    if isinstance(row.answer, str) and not _may_be_calls(row.answer, names):
        return Message("assistant", row.answer)
    try:
        listed = _calls(row.answer, names)
    except ValueError as error:
        fix = 'a line a call, NAME(ARGUMENT="text", OTHER=2); or JSON: [{"name": ..., "arguments": {...}}].'
        return Problem(f"answer: no calls: {error}", fix=fix, rule="not-calls")
    made = [
        ToolCall(f"call_{trace['id'][:8]}_{number}", name, json.dumps(given, ensure_ascii=False))
        for number, (name, given) in enumerate(listed)
    ]
    return Message("assistant", None, tuple(made))


def _may_be_calls(text: str, names: Sequence[str]) -> bool:
    """Return whether an answer is meant as calls: there are tools, and it begins as JSON or as a call of one does."""
    said = text.lstrip()
    return bool(names) and (said[:1] in ("[", "{") or said.startswith(tuple(f"{name}(" for name in names)))


Call = tuple[str, Mapping[str, Any]]


def _calls(answer: Any, names: Sequence[str]) -> list[Call]:
    """Return the calls of an answer, tools with their arguments.

    Raises:
        ValueError: they are none; says why.
    """
    if isinstance(answer, str):
        text = answer.strip()
        if text[:1] not in ("[", "{"):
            return list(_shown(text, names))
        try:
            answer = json.loads(text)
        except ValueError as error:
            raise ValueError(f"no JSON ({error})") from None
    listed = answer if isinstance(answer, list) else [answer]
    if not listed:
        raise ValueError("an empty list")
    return [_named(each, names) for each in listed]


def _named(value: Any, names: Sequence[str]) -> Call:
    """Return the call of a JSON value, as chat completions spell it or without what is around it."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{json.dumps(value, ensure_ascii=False)} is no object with name and arguments")
    given = value.get("function", value)
    name = given.get("name") if isinstance(given, Mapping) else None
    arguments = given.get("arguments") if isinstance(given, Mapping) else None
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except ValueError:
            raise ValueError(f"the arguments of {name} are no JSON") from None
    if not isinstance(name, str) or not isinstance(arguments, Mapping):
        raise ValueError("a call has a name and arguments, an object")
    return _known(name, names), arguments


def _known(name: str, names: Sequence[str]) -> str:
    if name not in names:
        close = nearest(name, names)
        raise ValueError(f"no tool {name!r}" + (f"; the nearest is {close!r}" if close else ""))
    return name


ARGUMENT = re.compile(r"\s*([^\s=(),\"]+)\s*=\s*")
DECODER = json.JSONDecoder()


def _shown(text: str, names: Sequence[str]) -> Iterator[Call]:
    """Yield the calls of lines as they are shown: get_weather(city="Oslo", days=2)."""
    at = 0
    while at < len(text):
        name, opened, _ = text[at:].partition("(")
        if not opened:
            raise ValueError(f"{text[at:]!r} is no call")
        name = _known(name.strip(), names)
        given, at = _arguments(text, at + text[at:].index("(") + 1, name)
        yield name, given
        if at < len(text) and text[at] != "\n":
            raise ValueError(f"a new line after {name}(...), not {text[at : at + 20]!r}")
        while at < len(text) and text[at].isspace():
            at += 1


def _arguments(text: str, at: int, name: str) -> tuple[dict[str, Any], int]:
    """Return the arguments that begin at a place, and the place after their bracket and the blanks behind it."""
    found: dict[str, Any] = {}
    while True:
        closing = re.compile(r"\s*\)[^\S\n]*").match(text, at)
        if closing:
            return found, closing.end()
        if found:
            comma = re.compile(r"\s*,").match(text, at)
            if not comma:
                raise ValueError(f"a comma or ) in {name}(...), not {text[at : at + 20]!r}")
            at = comma.end()
        named = ARGUMENT.match(text, at)
        if not named:
            raise ValueError(f"ARGUMENT=VALUE in {name}(...), not {text[at : at + 20]!r}")
        try:
            value, at = DECODER.raw_decode(text, named.end())
        except ValueError:
            raise ValueError(f"{named.group(1)} of {name}: its value is no JSON; a text stands in quotes") from None
        if named.group(1) in found:
            raise ValueError(f"{name} has {named.group(1)} twice")
        found[named.group(1)] = value


# --- what lies beside it -------------------------------------------------------------------------


def traced(traces: Sequence[Trace]) -> bytes:
    """Return the traces of a review as JSON lines."""
    return b"".join(rows.line(each) + b"\n" for each in traces)
