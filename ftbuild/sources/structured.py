"""Examples whose answers have a form: held to their schema, and written as the model should write them.

Pure. The answer is JSON, in a text or as it is; a finding names the place inside it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from ftbuild import digits
from ftbuild.chat import Message, ResponseFormat
from ftbuild.example import Example
from ftbuild.problem import Problem
from ftbuild.rows import NotJsonError, parse
from ftbuild.settings import Source
from ftbuild.tools.schemas import Checker, within
from ftbuild.tools.structured import in_order

NOT_JSON = "answer-not-json"
MISFIT = "answer-misfit"


def formed(
    examples: Iterable[Example], problems: Sequence[Problem], source: Source, form: ResponseFormat | None
) -> tuple[list[Example], list[Problem]]:
    """Return the examples with their form, and all findings in the order of the lines; as they are without a form.

    An answer that calls tools, refuses, or is not learnt (weight 0) has no form to keep.
    """
    if form is None:
        return list(examples), list(problems)
    kept: list[Example] = []
    wrong: list[Problem] = []
    checker = Checker(form.schema)
    for example in examples:
        found = _formed(example, source, form, checker)
        if isinstance(found, Example):
            kept.append(found)
        else:
            wrong += found
    return kept, sorted([*problems, *wrong], key=lambda problem: problem.line or 0)


def _formed(example: Example, source: Source, form: ResponseFormat, checker: Checker) -> Example | list[Problem]:
    messages = list(example.messages)
    wrong: list[Problem] = []
    for number, message in enumerate(messages):
        content = message.content
        if content is None or not _has_form(message):
            continue
        if found := list(_misfits(content, checker)):
            wrong += (_told(example, source, form, number, *each) for each in found)
        else:
            ordered = in_order(digits.parse(content), checker)
            messages[number] = message._replace(content=digits.written(ordered, ",", ":"))
    return wrong or replace(example, messages=tuple(messages), response_format=form, sound=False)


def _has_form(message: Message) -> bool:
    is_learnt = message.role == "assistant" and message.weight != 0
    return is_learnt and not message.tool_calls and message.refusal is None


def _told(
    example: Example, source: Source, form: ResponseFormat, number: int, inner: str, what: str, rule: str
) -> Problem:
    why = f"The model would learn an answer that is not of the schema {form.name!r}."
    fix = "write it as JSON" if rule == NOT_JSON else f"mend the line, or the schema: schemas.{form.name}"
    fix += "." if number == len(example.messages) - 1 else "; or give it weight 0, and it is not learnt."
    at = within(_place(example, source, number), inner)
    return Problem(what, example.path, example.line, why, fix, rule, at=at)


def _misfits(content: str, checker: Checker) -> Iterator[tuple[str, str, str]]:
    """Yield where an answer is not of the form, what is wrong and which rule says so."""
    try:
        value = parse(content.encode("utf-8", "surrogatepass"))
    except NotJsonError as error:
        yield "", f"the answer is no JSON: {error.problem.what}".replace("no JSON: not", "not"), NOT_JSON
        return
    yield from ((inner, what, MISFIT) for inner, what in checker.misfits(value))


def _place(example: Example, source: Source, number: int) -> str:
    """Return where an answer stands in the layout of the file."""
    is_target = number == len(example.messages) - 1
    known: dict[Any, str] = {
        "alpaca": "output" if is_target else "history",
        "dpo_jsonl": "preferred_output[0].content" if is_target else f"input.messages[{number}].content",
        "chat_jsonl": f"messages[{number}].content",
    }
    return source.target or known.get(source.kind, "the answer")
