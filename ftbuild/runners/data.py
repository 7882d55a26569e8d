"""The data actions: ingest a source, build the dataset, render its training lines."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ftbuild.chat import ResponseFormat, Tool
from ftbuild.dataset import offered
from ftbuild.dataset.build import build as build_dataset
from ftbuild.digest import of_bytes, of_value, short
from ftbuild.errors import DataError
from ftbuild.example import SPLITS, Example
from ftbuild.problem import Problem
from ftbuild.render import dpo, reinforcement, supervised
from ftbuild.render.lacking import lacking
from ftbuild.render.lacking import problem as lacking_problem
from ftbuild.rules import examples as rules
from ftbuild.runners.formats import json_file, json_lines, parse_lines
from ftbuild.settings import Shares, Source, Style
from ftbuild.sources import read as read_source
from ftbuild.sources.structured import formed
from ftbuild.workers import Made

LINES: Mapping[str, Callable[[Mapping[str, Any]], bytes]] = {
    "supervised": supervised.line,
    "dpo": dpo.line,
    "reinforcement": reinforcement.line,
}


def ingest(settings: Any, _inputs: Mapping[str, bytes], given: Mapping[str, Any]) -> Made:
    """Read one source; `given` says where it lies. Its bytes are kept, so that a later change can be told line by line.

    Raises:
        DataError: the file is not the one that was planned with, or holds lines that are no examples.
    """
    source = Source.model_validate_json(json.dumps({**settings["source"], "origin": ""}))
    content = Path(given["path"]).read_bytes()
    if of_bytes(content) != settings["bytes"]:
        raise DataError(Problem("changed while the build began", source.path, fix="the same command again."))
    examples, problems = read_source(content, settings["name"], source)
    examples, problems = formed(examples, problems, source, _form(settings))
    return Made(
        {"examples.jsonl": json_lines(each.to_json() for each in examples), "source": content},
        f"{len(examples):,} examples",
        _warnings(problems),
    )


def _form(settings: Any) -> ResponseFormat | None:
    said = settings.get("response_format")
    return ResponseFormat.from_json(json.loads(said)) if said is not None else None


def dataset(settings: Any, inputs: Mapping[str, bytes], _given: Mapping[str, Any]) -> Made:
    """Style, deduplicate and split the examples of all sources, and check what will be trained on.

    Raises:
        DataError: the findings, if one of them is an error.
    """
    examples = [Example.from_json(value) for content in inputs.values() for value in parse_lines(content)]
    style = Style.model_validate_json(
        json.dumps(
            {
                **{name: settings[name] for name in ("language", "system")},
                "rules": {},
                "expand": dict(settings["expand"]),
            }
        )
    )
    shares = Shares.model_validate_json(json.dumps(settings["split"]))
    tools = tuple(Tool.from_json(json.loads(each)) for each in settings.get("tools", ()))
    flag = settings.get("parallel_tool_calls")
    near = settings.get("deduplicate") == "near"
    terms = _terms(settings, examples, tools)
    built, problems = build_dataset(examples, style, shares, settings["limit"], tools, flag, near=near, terms=terms)
    every = [each for split in SPLITS for each in built.splits[split]]
    problems += offered.losses(every, terms)
    pack = rules.pack_for(settings.get("strict_tools"))
    warnings = _warnings(problems + rules.check([*built.splits["train"], *built.splits["validation"]], pack))
    outputs = {
        f"{split}.jsonl": json_lines(
            {
                "id": each.id,
                **each.conversation(),
                "raw": each.raw,
                "group": each.group,
                "slices": dict(each.slices),
            }
            for each in built.splits[split]
        )
        for split in SPLITS
    }
    outputs["provenance.jsonl"] = json_lines(
        {
            "id": each.id,
            "split": split,
            "source": each.source,
            "path": each.path,
            "line": each.line,
            "group": each.group,
            "transforms": _transforms(each, style.system),
            "licence": settings["licences"][each.source],
        }
        for split in SPLITS
        for each in built.splits[split]
    )
    outputs["dropped.json"] = json_file(built.dropped)
    outputs |= {name: json_file(value) for name, value in offered.beside(every, terms).items()}
    note = _counts({split: len(built.splits[split]) for split in SPLITS}) + ", no problems"
    n_cut = built.dropped.get(offered.CUT, 0)
    return Made(outputs, note + (f", {n_cut:,} calls cut off" if n_cut else ""), warnings)


def _terms(settings: Any, examples: Sequence[Example], tools: Sequence[Tool]) -> offered.Terms:
    """Return what a provider takes of these examples and their tools."""
    one_by_one = settings.get("parallel_calls") == "one_by_one"
    return offered.Terms(offered.names_for(examples, tools), settings.get("strict_tools"), one_by_one)


def render(settings: Any, inputs: Mapping[str, bytes], _given: Mapping[str, Any]) -> Made:
    """Write the lines that a provider takes for the method, with a manifest.

    Raises:
        DataError: examples lack what the method learns from: a rejected answer, a field that the grader reads.
    """
    to_line = LINES[settings["method"]]
    outputs = {}
    counts = {}
    for split in SPLITS:
        examples = list(parse_lines(inputs[split]))
        counts[split] = len(examples)
        wanting = Counter(lacking(each, settings["method"], settings.get("reads", ())) for each in examples)
        if told := [
            lacking_problem(what, wanting[what], len(examples), split, settings["method"]) for what in wanting if what
        ]:
            raise DataError(*told)
        outputs[f"{split}.jsonl"] = b"".join(to_line(example) + b"\n" for example in examples)
    digest = of_value(["lines.v1", *(outputs[f"{split}.jsonl"].decode() for split in SPLITS)])
    outputs["manifest.json"] = json_file({"schema_version": 1, "digest": digest, "counts": counts})
    return Made(outputs, f"training lines {short(digest)}")


def _transforms(example: Example, system: str) -> list[str]:
    """Return what was done to an example since it was read."""
    asked = next((each.content for each in reversed(example.prompt) if each.role == "user"), None)
    first = example.messages[0]
    return [
        *(["system"] if (first.role, first.content) == ("system", system) else []),
        *(["expand"] if asked is not None and asked != example.raw else []),
    ]


def _warnings(problems: Sequence[Problem]) -> Sequence[Problem]:
    """Return the findings if none is an error, else raise them all."""
    if any(problem.severity == "error" for problem in problems):
        raise DataError(*problems)
    return problems


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} {split}" for split, n in counts.items())
