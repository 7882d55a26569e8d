"""The examples of a built dataset from which nothing may be learnt, as the wall takes them, and those beyond doubt."""

from collections.abc import Iterator, Mapping
from typing import Any

from ftbuild.runners.walled import placed
from ftbuild.settings import Settings
from ftbuild.store.store import Store

SPLITS = ("test", "confirm")


def held_out(outputs: Mapping[str, str], store: Store) -> Iterator[dict[str, Any]]:
    """Yield the examples that test or confirm, each with its place and split; `outputs` are those of the dataset."""
    there = [each for each in SPLITS if f"{each}.jsonl" in outputs]
    return placed(lambda name: store.get(outputs[f"{name}.jsonl"]), there)


def unsuspected(outputs: Mapping[str, str], settings: Settings, store: Store) -> Iterator[dict[str, Any]]:
    """Yield the training examples that nobody made after a test was seen: those of the sources that are not walled."""
    sources = {name for name, each in settings.dataset.sources.items() if not each.walled}
    learnt = placed(lambda name: store.get(outputs[f"{name}.jsonl"]), ["train"])
    return (each for each in learnt if each["source"] in sources)
