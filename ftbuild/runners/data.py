"""The data actions: ingest a source, build the dataset, render its training lines."""

from collections.abc import Mapping

from ftbuild.chat import Message
from ftbuild.dataset.build import build as build_dataset
from ftbuild.digest import of_value, short
from ftbuild.engine import Build, Made
from ftbuild.example import SPLITS, Example
from ftbuild.plan.action import Action
from ftbuild.render import supervised
from ftbuild.rules import supervised as rules
from ftbuild.runners.workshop import Workshop, json_file, json_lines, parse_lines
from ftbuild.sources import read as read_source


def ingest(shop: Workshop, action: Action, _key: str, _done: Build) -> Made:
    """Read one source."""
    source = shop.settings.dataset.sources[action.label]
    examples, problems = read_source(shop.source_paths[action.label].read_bytes(), action.label, source)
    shop.refuse(problems)
    return Made({"examples.jsonl": json_lines(each.to_json() for each in examples)}, f"{len(examples):,} examples")


def dataset(shop: Workshop, action: Action, _key: str, done: Build) -> Made:
    """Style, deduplicate and split the examples of all sources, and check what will be trained on."""
    examples = [
        Example.from_json(value) for each in action.inputs for value in parse_lines(done.read(action, each.role))
    ]
    settings = shop.settings.dataset
    dataset, problems = build_dataset(examples, shop.settings.style, settings.split, settings.limit)
    shop.refuse(problems + rules.check([*dataset.splits["train"], *dataset.splits["validation"]]))
    outputs = {
        f"{split}.jsonl": json_lines(
            {
                "id": each.id,
                "messages": [message.to_json() for message in each.messages],
                "raw": each.raw,
                "group": each.group,
                "slices": dict(each.slices),
            }
            for each in dataset.splits[split]
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
            "transforms": ["system", *(["expand"] if each.messages[-2].content != each.raw else [])],
            "licence": action.settings["licences"][each.source],
        }
        for split in SPLITS
        for each in dataset.splits[split]
    )
    outputs["dropped.json"] = json_file(dataset.dropped)
    return Made(outputs, _counts({split: len(dataset.splits[split]) for split in SPLITS}) + ", no problems")


def render(_shop: Workshop, action: Action, _key: str, done: Build) -> Made:
    """Write the lines a provider takes, with a manifest."""
    outputs = {}
    counts = {}
    for split in SPLITS:
        examples = list(parse_lines(done.read(action, split)))
        counts[split] = len(examples)
        outputs[f"{split}.jsonl"] = b"".join(
            supervised.line(tuple(Message.from_json(each) for each in example["messages"])) + b"\n"
            for example in examples
        )
    digest = of_value(["lines.v1", *(outputs[f"{split}.jsonl"].decode() for split in SPLITS)])
    outputs["manifest.json"] = json_file({"schema_version": 1, "digest": digest, "counts": counts})
    return Made(outputs, f"training lines {short(digest)}")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} {split}" for split, n in counts.items())
