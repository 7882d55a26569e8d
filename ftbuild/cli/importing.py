"""What other evaluation tools ask, recognised by the layout of a file, and the config that `ftbuild init` writes."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import yaml

from ftbuild import imports, packed
from ftbuild.errors import DataError
from ftbuild.imports import Questions, evals_samples, promptfoo_config, yaml_text
from ftbuild.problem import Problem
from ftbuild.rows import BLANK, Row, read

CSV_OF_TESTS = b"__expected"


def questions(path: Path, content: bytes) -> Questions | None:
    """Return what a file of another tool asks, None where it is of none.

    Raises:
        DataError: it is no YAML.
    """
    name = packed.plain_name(path.name).lower()
    if name.endswith(".csv"):
        head = content.partition(b"\n")[0]
        return promptfoo_config.of_tests(content, str(path)) if CSV_OF_TESTS in head else None
    if not name.endswith((".yaml", ".yml", ".json", ".jsonl")):
        return None
    rows = _rows(path, name, content)
    first = next((row.value for row in rows if not row.problems), None)
    if promptfoo_config.is_test(first):
        return promptfoo_config.of_tests(content, str(path))
    if isinstance(first, Mapping) and promptfoo_config.is_one(first):
        return promptfoo_config.of_config(first, content, str(path), _files(first, path.parent))
    if (recorded := imports.recorded(rows)) is not None:
        return imports.of_recorded(recorded, str(path))
    return evals_samples.of_samples(rows, str(path)) if evals_samples.is_sample(first) else None


def source(path: Path, name: str, lines: Path, found: Questions) -> str:
    """Return the YAML of the source."""
    has_criteria = any(each.expected.criteria for each in found.listed)
    return (
        f"# What {path.name} asks: {found.said}, {len(found.listed):,} of them.   "
        f"ftbuild show +experiment={name} --split test\n"
        f"kind: chat_jsonl\npath: {lines.as_posix()}\n"
        "only: test                       # to test on, never to learn from\n"
        + ("criteria: criteria               # what each answer is to be like\n" if has_criteria else "")
        + "licence: internal                # goes with every example into its provenance\n"
        + yaml.safe_dump({"origin": path.name}, allow_unicode=True, width=10**6)
    )


def experiment(path: Path, name: str, source: str, *, judged: bool) -> str:
    """Return the YAML of the experiment; `judged` says whether answers have criteria to be judged by."""
    goal, evaluation = ("own_criteria", "own_criteria") if judged else ("closer", "answers")
    return (
        f"# @package _global_\n# Tests a model by what {path.name} asks.   ftbuild +experiment={name}\n"
        f"defaults:\n  - /source@dataset.sources.{source}: {source}\n"
        f"  - override /style: plain\n  - override /goal: {goal}\n  - override /evaluation: {evaluation}\n"
        "  - override /method: none        # to tune too, take this line out and add a source to learn from\n"
    )


def _rows(path: Path, name: str, content: bytes) -> list[Row]:
    """Return the rows of a file; of YAML one, or one an item of a list.

    Raises:
        DataError: it is no YAML.
    """
    if not name.endswith((".yaml", ".yml")):
        return [row for row in read(BytesIO(content)).rows if not any(each.rule == BLANK for each in row.problems)]
    try:
        value: Any = yaml_text.read(content)
    except yaml.YAMLError as error:
        what, line = yaml_text.problem(error)
        raise DataError(Problem(what, str(path), line)) from None
    return [Row(1, b"", each) for each in (value if isinstance(value, list) else [value])]


def _files(config: Mapping[str, Any], folder: Path) -> dict[str, bytes]:
    """Return the files that a config names, as far as they are there."""
    named = {each: folder / each for each in promptfoo_config.referenced(config)}
    return {each: file.read_bytes() for each, file in named.items() if file.is_file()}
