"""The data actions: ingest a source, build the dataset, render its training lines."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ftbuild.chat import Tool
from ftbuild.dataset import lineage, redact
from ftbuild.dataset.build import build as build_dataset
from ftbuild.digest import of_bytes, of_value, short
from ftbuild.errors import DataError
from ftbuild.example import SPLITS, Example
from ftbuild.problem import Problem
from ftbuild.render import dpo, supervised
from ftbuild.rules import examples as rules
from ftbuild.runners.formats import json_file, json_lines, parse_lines
from ftbuild.settings import Shares, Source, Style
from ftbuild.sources import read as read_source
from ftbuild.workers import Made

LINES: Mapping[str, Callable[[Mapping[str, Any]], bytes]] = {"supervised": supervised.line, "dpo": dpo.line}


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
    return Made(
        {"examples.jsonl": json_lines(each.to_json() for each in examples), "source": content},
        f"{len(examples):,} examples",
        _warnings(problems),
    )


def dataset(settings: Any, inputs: Mapping[str, bytes], _given: Mapping[str, Any]) -> Made:
    """Style, deduplicate and split the examples of all sources, and check what will be trained on.

    Raises:
        DataError: the findings, if one of them is an error.
    """
    examples = [Example.from_json(value) for content in inputs.values() for value in parse_lines(content)]
    if rules_on := settings.get("redact"):
        examples = [redact.redacted(each, tuple(rules_on)) for each in examples]
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
    built, problems = build_dataset(
        examples, style, shares, settings["limit"], tools, flag, near=near, mix=settings.get("shares", {})
    )
    warnings = _warnings(problems + rules.check([*built.splits["train"], *built.splits["validation"]]))
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
        lineage.entry(each, split, shares, settings["licences"][each.source], each.source in settings.get("shares", ()))
        for split in SPLITS
        for each in built.splits[split]
    )
    taken = redact.totals(each for kept in built.splits.values() for each in kept)
    outputs["dropped.json"] = json_file(built.dropped | {f"{name} redacted": n for name, n in taken.items()})
    note = _counts({split: len(built.splits[split]) for split in SPLITS})
    note += f", redacted {redact.told(taken)}" * bool(taken) + ", no problems"
    return Made(outputs, note, warnings)


def render(settings: Any, inputs: Mapping[str, bytes], _given: Mapping[str, Any]) -> Made:
    """Write the lines that a provider takes for the method, with a manifest.

    Raises:
        DataError: the method learns from preferences, and examples have no rejected answer.
    """
    to_line = LINES[settings["method"]]
    outputs = {}
    counts = {}
    for split in SPLITS:
        examples = list(parse_lines(inputs[split]))
        counts[split] = len(examples)
        if settings["method"] == "dpo" and (n := sum("rejected" not in each for each in examples)):
            what = f"{n:,} of {len(examples):,} {split} examples have no rejected answer"
            fix = "name its field in the sources (rejected: FIELD), or take method=supervised."
            raise DataError(Problem(what, why="The method dpo learns from pairs of answers.", fix=fix))
        outputs[f"{split}.jsonl"] = b"".join(to_line(example) + b"\n" for example in examples)
    digest = of_value(["lines.v1", *(outputs[f"{split}.jsonl"].decode() for split in SPLITS)])
    outputs["manifest.json"] = json_file({"schema_version": 1, "digest": digest, "counts": counts})
    return Made(outputs, f"training lines {short(digest)}")


def _warnings(problems: Sequence[Problem]) -> Sequence[Problem]:
    """Return the findings if none is an error, else raise them all."""
    if any(problem.severity == "error" for problem in problems):
        raise DataError(*problems)
    return problems


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} {split}" for split, n in counts.items())
