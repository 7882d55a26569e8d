"""What lies beside the training lines in datasets/built/: their provenance with digests, the card and its picture."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ftbuild.dataset import lineage
from ftbuild.dataset.card import Card, Fact, fact
from ftbuild.example import SPLITS
from ftbuild.rules.pack import DEFAULT, PACKS
from ftbuild.runners.formats import json_lines, parse_lines
from ftbuild.settings import Settings
from ftbuild.store.store import Store

ENCODING = PACKS[DEFAULT].encoding


def described(
    store: Store, made: Mapping[str, str], lines: Mapping[str, bytes], settings: Settings, digest: str, made_from: str
) -> dict[str, bytes]:
    """Return the files by name; `made` are the outputs of the dataset, `lines` its training lines by split.

    `digest` names the lines, `made_from` what is told beside them.
    """
    places = list(lineage.with_digests(parse_lines(store.get(made["provenance.jsonl"])), lines))
    card = Card(
        digest=digest,
        method=settings.method.type,
        encoding=ENCODING,
        facts=list(_facts(store, made, lines, places)),
        sources=settings.dataset.sources,
        dropped=json.loads(store.get(made["dropped.json"])),
        by_time=settings.dataset.split.by == "time",
        made_from=made_from,
    )
    return {
        "provenance.jsonl": json_lines(places),
        "card.svg": card.picture().encode(),
        "card.md": card.markdown().encode(),
    }


def _facts(
    store: Store, made: Mapping[str, str], lines: Mapping[str, bytes], places: list[dict[str, Any]]
) -> Iterator[Fact]:
    at = 0
    for split in SPLITS:
        examples = parse_lines(store.get(made[f"{split}.jsonl"]))
        for example, line in zip(examples, parse_lines(lines[split]), strict=True):
            yield fact(places[at], example, line, ENCODING)
            at += 1
