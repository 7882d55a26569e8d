"""What lies beside the training lines in datasets/built/: their provenance with digests, the card and its picture."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from ftbuild import tokens
from ftbuild.dataset import lineage
from ftbuild.dataset.card import Card, Fact, fact
from ftbuild.example import SPLITS
from ftbuild.rules.pack import DEFAULT, PACKS
from ftbuild.runners.formats import each_line, json_lines, parse_lines
from ftbuild.settings import Settings
from ftbuild.store.store import Store
from ftbuild.stream import Content, Spool, Stream

ENCODING = PACKS[DEFAULT].encoding
AT_ONCE = 512


def described(
    store: Store, made: Mapping[str, str], lines: Mapping[str, Stream], settings: Settings, digest: str, made_from: str
) -> dict[str, Content]:
    """Return the files by name; `made` are the outputs of the dataset, `lines` its training lines by split.

    `digest` names the lines, `made_from` what is told beside them.
    """
    provenance = Spool(str(store.folder))
    counted: Counter[Fact] = Counter()
    for some in _parts(store, made, lines):
        provenance.add(json_lines(place for place, _, _ in some))
        counted.update(facts(some))
    card = Card(
        digest=digest,
        method=settings.method.type,
        encoding=ENCODING,
        counted=counted,
        sources=settings.sources,
        dropped=json.loads(store.get(made["dropped.json"])),
        by_time=settings.dataset.split.by == "time",
        made_from=made_from,
        retrieval=json.loads(store.get(made["retrieval.json"])) if "retrieval.json" in made else None,
    )
    return {
        "provenance.jsonl": provenance.content(),
        "card.svg": card.picture().encode(),
        "card.md": card.markdown().encode(),
    }


Part = list[tuple[dict[str, Any], dict[str, Any], bytes]]


def _parts(store: Store, made: Mapping[str, str], lines: Mapping[str, Stream]) -> Iterator[Part]:
    """Yield the provenance of each example, the example and its training line, some at a time."""
    places = parse_lines(store.stream(made["provenance.jsonl"]))
    for split in SPLITS:
        examples = parse_lines(store.stream(made[f"{split}.jsonl"]))
        numbered = enumerate(zip(examples, each_line(lines[split]), places, strict=False), 1)
        while some := list(islice(numbered, AT_ONCE)):
            yield [(lineage.with_digest(place, number, line), example, line) for number, (example, line, place) in some]


def facts(some: Part) -> Iterator[Fact]:
    """Yield the facts of some examples, each given by its provenance, itself and its training line."""
    n_tokens = tokens.of_lines((json.loads(line) for _, _, line in some), ENCODING)
    learnt = [tokens.learnt(example["messages"]) if place["split"] != "test" else [] for place, example, _ in some]
    n_learnt = tokens.of_lines(({"messages": each} for each in learnt), ENCODING)
    for (place, example, _), n, n_of, answers in zip(some, n_tokens, n_learnt, learnt, strict=True):
        yield fact(place, example, n, n_of if answers else 0)
