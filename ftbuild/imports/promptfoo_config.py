"""A config of promptfoo: what it asks, and what it expects.

{prompts, providers, defaultTest, tests}, as YAML or JSON; prompts and tests may stand in files of their own, which are
given by name. The first prompt is what is asked: an experiment asks in one way. Tests are {vars, assert, options}; in a
CSV a column is a variable, and `__expected` an assertion. A variable with a list makes a test of each of its values.
Scripts that make prompts or tests are not run. Source: promptfoo 0.123 (`src/csv.ts`, docs of configuration), MIT
(2026-11).
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import product
from pathlib import PurePath
from typing import Any

import yaml

from ftbuild import packed, rows
from ftbuild.imports import yaml_text
from ftbuild.imports.expected import Expected, of_test
from ftbuild.imports.messages import asked
from ftbuild.imports.questions import Question, Questions
from ftbuild.imports.templates import filled, filled_in
from ftbuild.problem import Problem
from ftbuild.sources import csv_rows
from ftbuild.tools.schemas import shown

FILE = "file://"
TESTS_IN = (".yaml", ".yml", ".json", ".jsonl", ".csv")
PROMPTS_IN = (".txt", ".md", ".json", ".yaml", ".yml", ".j2")
CARRIED = ("prompts", "tests", "defaultTest", "description", "$schema")
CODE = "Nothing that is code is run."
EXPECTED = re.compile(r"(not-)?([a-z][a-z-]*)(?:\((\d+(?:\.\d+)?)\))?:\s*(.*)", re.DOTALL)
OLD_NAMES = {"fn": "javascript", "eval": "javascript", "grade": "llm-rubric"}
Files = Mapping[str, bytes]


@dataclass(frozen=True)
class _Test:
    said: Mapping[str, Any]
    path: str
    line: int
    at: str


NO_DEFAULT = _Test({}, "", 1, "")


def is_one(value: Any) -> bool:
    """Return whether a value is a config, or a test of one."""
    if not isinstance(value, Mapping):
        return False
    return ("tests" in value and bool({"prompts", "providers", "targets"} & value.keys())) or is_test(value)


def is_test(value: Any) -> bool:
    """Return whether a value is a test."""
    return (
        isinstance(value, Mapping) and isinstance(value.get("assert"), list) and isinstance(value.get("vars"), Mapping)
    )


def referenced(config: Mapping[str, Any]) -> list[str]:
    """Return the files that a config names for its prompts and tests, as it names them."""
    named = [*_listed(config.get("prompts")), *_listed(config.get("tests"))]
    texts = [each.get("raw") or each.get("id") if isinstance(each, Mapping) else each for each in named]
    return [each.removeprefix(FILE) for each in texts if isinstance(each, str) and _is_file(each)]


def of_config(config: Mapping[str, Any], content: bytes, path: str, files: Files) -> Questions:
    """Return what a config asks; `content` are its bytes, for the lines, `files` those that it names."""
    found = Questions("tests of promptfoo")
    line_of = _lines(content)
    for name in config:
        if name not in CARRIED:
            fix = "model and provider are conf/model and conf/provider." if name in ("providers", "targets") else ""
            said = f"not carried over: {name}"
            found.leave(Problem(said, path, line_of.get(name), fix=fix))
    prompt = _prompt(config.get("prompts"), path, line_of, files, found)
    default = _Test(config.get("defaultTest") or {}, path, line_of.get("defaultTest", 1), "defaultTest")
    if not isinstance(default.said, Mapping):
        said = f"not carried over: {shown(default.said)}"
        found.leave(Problem(said, path, default.line, at=default.at, fix="write it into the config."))
        default = NO_DEFAULT
    for test in _tests(config.get("tests"), path, line_of, files, found):
        _ask(test, prompt, default, found)
    return found


def of_tests(content: bytes, path: str) -> Questions:
    """Return what a file of tests asks: without a config the prompt is the only variable, or the one called prompt."""
    found = Questions("tests of promptfoo")
    for test in _in_file(path, content, found):
        variables = test.said.get("vars")
        names = [*variables] if isinstance(variables, Mapping) else []
        name = "prompt" if "prompt" in names else names[0] if len(names) == 1 else None
        if name is None:
            what = f"not carried over: the whole test: which of {', '.join(names) or 'no variables'} is asked?"
            found.leave(
                Problem(what, test.path, test.line, at=test.at, fix="begin with the config: it has the prompt.")
            )
        else:
            _ask(test, f"{{{{{name}}}}}", NO_DEFAULT, found)
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _is_file(text: str) -> bool:
    return text.startswith(FILE) or ("\n" not in text and "{{" not in text and text.endswith((*TESTS_IN, *PROMPTS_IN)))


def _lines(content: bytes) -> dict[str, int]:
    """Return the lines of the keys of a config, and of its tests as `tests[3]`; nothing of what is no YAML."""
    try:
        root = yaml_text.nodes(content)
    except yaml.YAMLError:
        return {}
    found: dict[str, int] = {}
    for key, value in root.value if isinstance(root, yaml.MappingNode) else ():
        found[str(key.value)] = key.start_mark.line + 1
        if isinstance(value, yaml.SequenceNode):
            found |= {f"{key.value}[{at}]": each.start_mark.line + 1 for at, each in enumerate(value.value)}
    return found


def _prompt(said: Any, path: str, line_of: Mapping[str, int], files: Files, found: Questions) -> Any:
    """Return the first prompt, a template or a list of messages with templates; None where none can be filled in."""
    given = [each.get("raw") or each.get("id") if isinstance(each, Mapping) else each for each in _listed(said)]
    first: Any = "{{prompt}}" if not given else None
    for number, each in enumerate(given):
        at, line = f"prompts[{number}]", line_of.get(f"prompts[{number}]", line_of.get("prompts"))
        text = each
        if isinstance(each, str) and _is_file(each):
            name = each.removeprefix(FILE)
            text = files[name].decode("utf-8", "replace") if name in files and name.endswith(PROMPTS_IN) else None
            if text is not None and name.endswith(".txt"):
                text, *others = re.split(r"^---\s*$", text, flags=re.MULTILINE)
                given += others
                text = text.strip()
        if not isinstance(text, str) or text.startswith((FILE, "exec:")) or re.match(r"\w+://", text):
            found.leave(Problem(f"not carried over: the prompt {shown(each)}", path, line, at=at, why=CODE))
        elif first is None:
            first = _chat(text)
        else:
            why = "An experiment asks in one way, that of the first prompt."
            found.leave(Problem(f"not carried over: the prompt {shown(text)}", path, line, at=at, why=why))
    return first


def _chat(text: str) -> Any:
    """Return the messages that a prompt holds as JSON or YAML, the text where it holds none."""
    try:
        value = yaml_text.read(text) if text.lstrip()[:1] in ("[", "-") else None
    except yaml.YAMLError:
        return text
    are_messages = isinstance(value, list) and all(isinstance(each, Mapping) and "role" in each for each in value)
    return value if value and are_messages else text


def _tests(said: Any, path: str, line_of: Mapping[str, int], files: Files, found: Questions) -> Iterator[_Test]:
    for number, each in enumerate(_listed(said)):
        at = f"tests[{number}]"
        line = line_of.get(at, line_of.get("tests", 1))
        name = each.removeprefix(FILE) if isinstance(each, str) else ""
        if isinstance(each, Mapping) and "path" not in each:
            yield _Test(each, path, line, at)
        elif name in files and name.endswith(TESTS_IN):
            yield from _in_file(str(PurePath(path).parent / name), files[name], found)
        else:
            why = CODE if not name.endswith(TESTS_IN) else "There is no such file beside the config."
            found.leave(Problem(f"not carried over: the tests {shown(each)}", path, line, at=at, why=why))


def _in_file(path: str, content: bytes, found: Questions) -> Iterator[_Test]:
    name = packed.plain_name(path)
    if name.endswith((".yaml", ".yml")):
        try:
            listed = _listed(yaml_text.read(content))
        except yaml.YAMLError as error:
            what, line = yaml_text.problem(error)
            found.problems.append(Problem(what, path, line))
            return
        each_row = [(1, f"[{at}]", each) for at, each in enumerate(listed)]
    else:
        is_csv = name.endswith(".csv")
        read = list(csv_rows.rows(content) if is_csv else rows.read(BytesIO(content)).rows)
        for row in read:
            found.problems += [Problem(e.what, path, row.line, fix=e.fix) for e in row.problems if e.rule != rows.BLANK]
        values = [(row.line, "", row.value) for row in read if not row.problems]
        each_row = [(line, at, _of_record(value) if is_csv else value) for line, at, value in values]
    for line, at, value in each_row:
        if isinstance(value, Mapping):
            yield _Test(value, path, line, at)
        else:
            found.problems.append(
                Problem(f"{shown(value)} is no test", path, line, at=at, fix="{vars: ..., assert: ...}")
            )


def _of_record(record: Mapping[str, str]) -> dict[str, Any]:
    """Return the test of a record of CSV."""
    variables, asserts, options = {}, [], {}
    test: dict[str, Any] = {}
    for name, value in record.items():
        if name.startswith("__expected"):
            asserts += [_assertion(value)] if value.strip() else []
        elif name in ("__prefix", "__suffix"):
            options[name[2:]] = value
        elif name == "__threshold":
            test |= {"threshold": value} if value.strip() else {}
        elif name.startswith("__config:") and value.strip():
            asserts.append({"type": name})
        elif not name.startswith("__"):
            variables[name] = value
    return {**test, "vars": variables, "assert": asserts, "options": {**options, "disableVarExpansion": True}}


def _assertion(text: str) -> dict[str, Any]:
    """Return the assertion that a text of CSV is: `contains: Paris`; one without a name is to be equalled."""
    if text.startswith(FILE):
        return {"type": "python" if ".py" in text else "javascript", "value": text}
    found = EXPECTED.fullmatch(text)
    if found is None or not (found[2] in OLD_NAMES or "-" in found[2] or found[2] in PLAIN):
        return {"type": text} if text in ("is-json", "contains-json") else {"type": "equals", "value": text}
    return {"type": (found[1] or "") + OLD_NAMES.get(found[2], found[2]), "value": found[4]}


# Names of assertions that are one word; those of several are known by their hyphen.
PLAIN = (
    *(
        "bleu",
        "classifier",
        "contains",
        "cost",
        "equals",
        "factuality",
        "gleu",
        "guardrails",
        "icontains",
        "javascript",
    ),
    *("latency", "levenshtein", "meteor", "moderation", "perplexity", "pi", "python", "regex", "ruby", "similar"),
    "webhook",
)


def _ask(test: _Test, prompt: Any, default: _Test, found: Questions) -> None:
    options = {**(default.said.get("options") or {}), **(test.said.get("options") or {})}
    given = [default.said.get("vars") or {}, test.said.get("vars") or {}]
    if prompt is None or not all(isinstance(each, Mapping) for each in given):
        what = "not carried over: the whole test: " + ("no prompt is" if prompt is None else "its vars are not")
        found.leave(Problem(f"{what} written in the config", test.path, test.line, at=test.at))
        return
    for variables in _each(given[0] | given[1], expands=not options.get("disableVarExpansion")):
        try:
            values = filled_in(variables, variables)
            messages = _filled(prompt, values, options)
        except ValueError as error:
            said = f"not carried over: the whole test: it has {error}"
            found.leave(
                Problem(said, test.path, test.line, at=test.at, fix="write prompt and vars with {{name}} alone.")
            )
            return
        expected = Expected()
        if not options.get("disableDefaultAsserts"):
            of_test(default.said, values, default.at, expected)
            expected.problems = [replace(each, path=default.path, line=default.line) for each in expected.problems]
        of_test(test.said, values, test.at, expected)
        found.ask(Question(messages, expected, test.path, test.line, test.at))


def _each(variables: Mapping[str, Any], *, expands: bool) -> Iterator[dict[str, Any]]:
    """Yield the variables with every choice of one value from each list."""
    choices: Sequence[list[Any]] = [
        each if expands and isinstance(each, list) else [each] for each in variables.values()
    ]
    yield from (dict(zip(variables, values, strict=True)) for values in product(*choices))


def _filled(prompt: Any, variables: Mapping[str, Any], options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the messages of a prompt.

    Raises:
        ValueError: it is more than a text with names in it.
    """
    for name, each in variables.items():
        if isinstance(each, str) and each.startswith(FILE):
            raise ValueError(f"a variable that stands in a file: {name}")
    if isinstance(prompt, str):
        return asked(filled(f"{options.get('prefix', '')}{prompt}{options.get('suffix', '')}", variables))
    return json.loads(json.dumps(filled_in(prompt, variables)))  # type: ignore[no-any-return]
