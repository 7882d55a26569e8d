"""What OpenAI's hosted Evals, which end on 2026-11-30, recorded: the output items of runs, exported while they last.

A line is an output item as `client.evals.runs.output_items.list()` gives it. Put the eval before them, since it alone
says what is expected of an answer; a file of both is

    for each in client.evals.list():
        file.write(json.dumps(each.to_dict()) + "\\n")
        for run in client.evals.runs.list(each.id):
            for item in client.evals.runs.output_items.list(run.id, eval_id=each.id):
                file.write(json.dumps(item.to_dict()) + "\\n")

Pages ({object: list, data: [...]}) and the runs themselves may stand among them. A column is a run. With one grader an
answer's value is the grader's score, with several it is 1 where all have passed, else 0; a sample with an error has
neither answer nor value. Without the eval no reference is known, but for an item with one field called as one.
Source: the types `openai.types.evals` of the package openai 3.57.0 (2026-11).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ftbuild.imports.expected import Expected
from ftbuild.imports.graders import of_criteria
from ftbuild.imports.lines import Answer, broken, comparable, number
from ftbuild.imports.messages import answered
from ftbuild.problem import Problem
from ftbuild.rows import Row
from ftbuild.tools.schemas import shown

ITEM, EVAL, RUN = "eval.run.output_item", "eval", "eval.run"
REFERENCES = ("ideal", "expected", "reference", "ground_truth", "correct_label", "target", "expected_output", "answer")
SAID = "output items of OpenAI's Evals"


def is_one(value: Any) -> bool:
    """Return whether a value is an output item, an eval, a run, or a page of them."""
    return any(isinstance(each, Mapping) and each.get("object") in (ITEM, EVAL, RUN) for _, each in objects(value))


def objects(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what stands in a value, each with its place: itself, or what a page lists."""
    if isinstance(value, Mapping) and value.get("object") == "list" and isinstance(value.get("data"), list):
        yield from ((f"data[{at}]", each) for at, each in enumerate(value["data"]))
    else:
        yield "", value


def read(rows: Sequence[Row]) -> Iterator[Answer | Problem]:
    """Yield the answers, and what is wrong with the items that hold none."""
    listed = [(row.line, at, each) for row in rows for at, each in objects(row.value)]
    named = {each["id"]: each for _, _, each in listed if isinstance(each, Mapping) and each.get("object") == EVAL}
    for line, at, each in listed:
        kind = each.get("object") if isinstance(each, Mapping) else None
        if kind == ITEM:
            yield _answer(each, line, at, named)
        elif kind not in (EVAL, RUN):
            yield broken(f"{shown(each)} is no output item of an eval", line, at)


def expected(item: Mapping[str, Any], of_eval: Mapping[str, Any] | None) -> Expected:
    """Return what is expected of the answer to an item of a data source."""
    if of_eval is not None:
        return of_criteria(of_eval.get("testing_criteria") or [], item, "testing_criteria")
    found = Expected()
    said = [item[name] for name in REFERENCES if isinstance(item.get(name), str)]
    if len(said) == 1:
        found.refer(said[0])
    return found


def _answer(value: Mapping[str, Any], line: int, at: str, evals: Mapping[str, Any]) -> Answer | Problem:
    item, sample, results = (value.get(name) for name in ("datasource_item", "sample", "results"))
    if not isinstance(item, Mapping) or not isinstance(sample, Mapping):
        return broken("an output item without datasource_item or sample", line, at)
    if "datasource_item_id" not in value or "run_id" not in value:
        return broken("an output item without datasource_item_id or run_id", line, at)
    asked, said = sample.get("input") or (), [each for each in sample.get("output") or () if isinstance(each, Mapping)]
    output = None if _failed(sample) or not said else _said(said[-1])
    return Answer(
        str(value["datasource_item_id"]),
        str(value["run_id"]),
        line,
        at,
        [
            {"role": each["role"], "content": each.get("content")}
            for each in asked
            if isinstance(each, Mapping) and "role" in each
        ],
        output,
        expected(item, evals.get(str(value.get("eval_id")))),
        None if output is None else _value([each for each in results or () if isinstance(each, Mapping)]),
        comparable(item),
    )


def _failed(sample: Mapping[str, Any]) -> bool:
    """Return whether a sample holds an error; where there is none, its code and message may be empty."""
    error = sample.get("error")
    return bool(error.get("code") or error.get("message")) if isinstance(error, Mapping) else bool(error)


def _said(message: Mapping[str, Any]) -> str | Mapping[str, Any]:
    return answered(message if message.get("tool_calls") else message.get("content") or "")


def _value(results: Sequence[Mapping[str, Any]]) -> float | None:
    if len(results) == 1:
        return number(results[0].get("score", results[0].get("passed")))
    return float(all(each.get("passed") for each in results)) if results else None
