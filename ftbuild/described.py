"""What lies beside the training lines in datasets/built/: their provenance with digests, the card and its picture."""

import json
from collections.abc import Mapping
from itertools import islice

from ftbuild.dataset import lineage, offered, prices
from ftbuild.dataset.card import Card
from ftbuild.example import splits_in
from ftbuild.runners import counting
from ftbuild.runners.formats import each_line
from ftbuild.settings import Provider, Settings
from ftbuild.store.store import Store
from ftbuild.stream import FEW, Content, Spool


def described(
    store: Store,
    made: Mapping[str, str],
    lines: Mapping[str, str],
    settings: Settings,
    digest: str,
    made_from: str,
    providers: Mapping[str, Provider],
) -> dict[str, Content]:
    """Return the files by name; `made` are the outputs of the dataset, `lines` those of its training lines.

    `digest` names the lines, `made_from` what is told beside them; `providers` are all profiles there are.
    """
    card = Card(
        digest=digest,
        method=settings.method.lines,
        encoding=counting.ENCODING,
        counted=counting.read(store.get(lines["facts.jsonl"])),
        sources=settings.sources,
        dropped=json.loads(store.get(made["dropped.json"])),
        by_time=settings.dataset.split.by == "time",
        made_from=made_from,
        beside={name: what for name, what in offered.BESIDE.items() if name in made},
        prices=prices.of_profiles(providers, settings.method.lines),
        retrieval=json.loads(store.get(made["retrieval.json"])) if "retrieval.json" in made else None,
    )
    return {
        "provenance.jsonl": _provenance(store, made, lines),
        "card.svg": card.picture().encode(),
        "card.md": card.markdown().encode(),
    }


def _provenance(store: Store, made: Mapping[str, str], lines: Mapping[str, str]) -> Content:
    """Return where each example comes from, with the number and the digest of its training line."""
    spool = Spool(str(store.folder))
    entries = each_line(store.stream(made["provenance.jsonl"]))
    for split in splits_in(lines):
        numbered = enumerate(each_line(store.stream(lines[f"{split}.jsonl"])), 1)
        while some := [*islice(numbered, FEW)]:
            spool.add(b"".join([lineage.with_digest(next(entries), *each) + b"\n" for each in some]))
    return spool.content()
