"""The examples of a built dataset from which nothing may be learnt, as the wall takes them, and those beyond doubt."""

from collections.abc import Iterator, Mapping
from typing import Any

from ftbuild.runners.formats import parse_lines
from ftbuild.settings import Settings
from ftbuild.store.store import Store

SPLITS = ("test", "confirm")


def held_out(outputs: Mapping[str, str], store: Store) -> Iterator[dict[str, Any]]:
    """Yield the examples that test or confirm, each with its place and split; `outputs` are those of the dataset."""
    places: dict[str, list[Mapping[str, Any]]] = {split: [] for split in SPLITS}
    for place in parse_lines(store.get(outputs["provenance.jsonl"])):
        if place["split"] in places:
            places[place["split"]].append(place)
    for split in SPLITS:
        if f"{split}.jsonl" in outputs:
            examples = parse_lines(store.get(outputs[f"{split}.jsonl"]))
            for example, at in zip(examples, places[split], strict=True):
                yield {**example, "path": at["path"], "line": at["line"], "split": split}


def unsuspected(outputs: Mapping[str, str], settings: Settings, store: Store) -> Iterator[dict[str, Any]]:
    """Yield the training examples that nobody made after a test was seen: those of the sources that are not walled."""
    sources = {name for name, each in settings.dataset.sources.items() if not each.walled}
    places = [each for each in parse_lines(store.get(outputs["provenance.jsonl"])) if each["split"] == "train"]
    for example, at in zip(parse_lines(store.get(outputs["train.jsonl"])), places, strict=True):
        if at["source"] in sources:
            yield example
