"""Examples whose answers have a form: held to their schema, and written as the model should write them.

Pure. The answer is JSON, in a text or as it is; a finding names the place inside it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from ftbuild.chat import Message, ResponseFormat
from ftbuild.example import Example
from ftbuild.problem import Problem
from ftbuild.rows import NotJsonError, parse
from ftbuild.settings import Source
from ftbuild.tools.schemas import Checker, within
from ftbuild.tools.structured import compact, in_order


def formed(
    examples: Iterable[Example], problems: Sequence[Problem], source: Source, form: ResponseFormat | None
) -> tuple[list[Example], list[Problem]]:
    """Return the examples with their form, and all findings in the order of the lines; as they are without a form.

    An answer that calls tools or refuses has no form to keep.
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
    target = example.target
    if target.content is None:
        return replace(example, response_format=form)
    at = _place(example, source)

    def placed(inner: str, what: str, fix: str, rule: str) -> Problem:
        why = f"The model would learn an answer that is not of the schema {form.name!r}."
        return Problem(what, example.path, example.line, why, fix, rule, at=within(at, inner))

    try:
        value = parse(target.content.encode("utf-8", "surrogatepass"))
    except NotJsonError as error:
        what = f"the answer is no JSON: {error.problem.what}".replace("no JSON: not", "not")
        return [placed("", what, "write it as JSON.", "answer-not-json")]
    misfits = checker.misfits(value)
    if misfits:
        fix = f"mend the line, or the schema: schemas.{form.name}."
        return [placed(inner, said, fix, "answer-misfit") for inner, said in misfits]
    written = _written(target, compact(in_order(value, checker)))
    return replace(example, messages=(*example.prompt, written), response_format=form)


def _written(target: Message, content: str) -> Message:
    return Message.from_json({**target.to_json(), "content": content})


def _place(example: Example, source: Source) -> str:
    """Return where the answer stands in the layout of the file."""
    last = len(example.messages) - 1
    known: dict[Any, str] = {
        "alpaca": "output",
        "dpo_jsonl": "preferred_output[0].content",
        "chat_jsonl": f"messages[{last}].content",
    }
    return source.target or known.get(source.kind, "the answer")
