"""What `promptfoo eval -o results.json` writes: results of every test with every prompt and provider.

Version 3 is {evalId, results: {version, prompts, results: [...]}, config}; version 2 has a table beside its results,
which alone holds the tests. With `-o results.jsonl` each line is a result. `promptfoo export` and the results that the
dashboard of OpenAI's Evals exports for `promptfoo import` are version 3. A column is a provider with a prompt. Of an
answer the value is promptfoo's own score; a result without a response, after an error, has neither answer nor value.
Source: promptfoo 0.123 (`src/types/index.ts`, `src/types/schemas/import.ts`, `src/csv.ts`), MIT (2026-11).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ftbuild.imports.expected import of_test
from ftbuild.imports.lines import Answer, broken, comparable, number
from ftbuild.imports.messages import answered, asked
from ftbuild.problem import Problem
from ftbuild.rows import Row
from ftbuild.tools.schemas import shown

OWN_VARIABLES = ("_conversation", "sessionId")  # what promptfoo adds while it runs
LABEL_CHARACTERS = 40
SAID = "results of promptfoo"


def is_one(value: Any) -> bool:
    """Return whether a value is a file of results, or a line of one."""
    return isinstance(value, Mapping) and (_summary(value) is not None or _is_result(value))


def read(rows: Sequence[Row]) -> Iterator[Answer | Problem]:
    """Yield the answers, column after column as promptfoo numbers them, and what is wrong with the other results."""
    found: list[tuple[int, Answer | Problem]] = []
    for row in rows:
        summary = _summary(row.value) if isinstance(row.value, Mapping) else None
        if summary is None:
            found += _answers([row.value], row.line, [""], (), ())
            continue
        place, given = summary
        results = given["results"]
        places = [f"{place}[{at}]" for at in range(len(results))]
        found += _answers(results, row.line, places, given.get("prompts") or (), _tests(given.get("table")))
    names: dict[str, int] = {}
    for at, each in sorted(found, key=lambda pair: pair[0]):
        if isinstance(each, Answer) and names.setdefault(each.column, at) != at:
            yield replace(each, column=f"{each.column} ({at})")  # the same provider with other settings
        else:
            yield each


def _summary(value: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    """Return the place of the results of a file and what holds them, None for what is none."""
    inner = value.get("results")
    if isinstance(inner, Mapping) and isinstance(inner.get("results"), list):
        return "results.results", inner
    return ("results", value) if isinstance(inner, list) and "version" in value and "stats" in value else None


def _is_result(value: Mapping[str, Any]) -> bool:
    return "prompt" in value and {"success", "score"} <= value.keys() and bool({"vars", "testCase"} & value.keys())


def _tests(table: Any) -> Sequence[tuple[list[str], Mapping[str, Any]]]:
    """Return the tests of a table of version 2, each with the values of the variables that say something."""
    body = table.get("body") if isinstance(table, Mapping) else None
    rows = [each for each in body if isinstance(each, Mapping)] if isinstance(body, list) else []
    return [(sorted(filter(None, map(str, each.get("vars") or []))), each.get("test") or {}) for each in rows]


def _answers(
    results: Sequence[Any],
    line: int,
    places: Sequence[str],
    prompts: Sequence[Any],
    tests: Sequence[tuple[list[str], Mapping[str, Any]]],
) -> Iterator[tuple[int, Answer | Problem]]:
    """Yield the answers, each with the number of its column."""
    numbers: dict[str, int] = {}  # of the questions of a file that does not number them
    seen: dict[tuple[str, str], int] = {}
    several = len({str(each.get("raw")) for each in prompts if isinstance(each, Mapping)}) > 1
    for result, at in zip(results, places, strict=True):
        if not isinstance(result, Mapping) or not _is_result(result):
            yield 0, broken(f"{shown(result)} is no result of promptfoo", line, at)
            continue
        given = result.get("testCase")
        test: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
        variables = result.get("vars") or test.get("vars") or {}
        if not isinstance(variables, Mapping):
            yield 0, broken(f"vars: {shown(variables)} is no map", line, at)
            continue
        question = comparable({k: v for k, v in variables.items() if k not in OWN_VARIABLES})
        if not test:
            said = sorted(filter(None, map(str, variables.values())))
            test = next((each for values, each in tests if values == said), {})
        column = _column(result, several=several)
        name = result.get("testIdx")
        if not isinstance(name, int):
            again = seen[column, question] = seen.get((column, question), 0) + 1
            first = numbers.setdefault(question, len(numbers))
            name = f"{first}" if again == 1 else f"{first}.{again}"
        prompt = result["prompt"]
        messages = asked(prompt.get("raw") if isinstance(prompt, Mapping) else prompt)
        response = result.get("response")
        output = response.get("output") if isinstance(response, Mapping) else None
        expected = of_test(test, variables, f"{at}.testCase".lstrip("."))
        answer = Answer(
            str(name),
            column,
            line,
            at,
            messages,
            None if output is None else answered(output),
            expected,
            None if output is None else number(result["score"]),
            question,
        )
        at_column = result.get("promptIdx")
        yield at_column if isinstance(at_column, int) else 0, answer


def _column(result: Mapping[str, Any], *, several: bool) -> str:
    """Return who answered: the provider, and the prompt where there are several."""
    provider, prompt = result.get("provider"), result["prompt"]
    given = provider if isinstance(provider, Mapping) else {"id": provider}
    name = str(given.get("label") or given.get("id") or "?")
    if not several or not isinstance(prompt, Mapping):
        return name
    label = " ".join(str(prompt.get("label") or prompt.get("display") or prompt.get("raw")).split())
    return f"{name}, {label if len(label) <= LABEL_CHARACTERS else label[:LABEL_CHARACTERS] + '...'}"
