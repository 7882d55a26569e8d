"""What lies beside the training lines in datasets/built/: their provenance with digests, the card and its picture."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from ftbuild.dataset import lineage, offered, prices
from ftbuild.dataset.card import Card
from ftbuild.example import SPLITS
from ftbuild.runners import counting
from ftbuild.runners.formats import each_line
from ftbuild.settings import Provider, Settings
from ftbuild.store.store import Store
from ftbuild.stream import FEW, Content


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
        "provenance.jsonl": _Provenance(store, made, lines),
        "card.svg": card.picture().encode(),
        "card.md": card.markdown().encode(),
    }


@dataclass(frozen=True)
class _Provenance:
    """Where each example comes from, with the number and the digest of its training line, put together as it is read.

    `made` are the outputs of the dataset, `lines` those of its training lines.
    """

    store: Store
    made: Mapping[str, str]
    lines: Mapping[str, str]

    def pieces(self) -> Iterator[bytes]:
        """Yield the lines, some at a time."""
        entries = each_line(self.store.stream(self.made["provenance.jsonl"]))
        for split in SPLITS:
            numbered = enumerate(each_line(self.store.stream(self.lines[f"{split}.jsonl"])), 1)
            while some := list(islice(numbered, FEW)):
                yield b"".join([lineage.with_digest(next(entries), number, line) + b"\n" for number, line in some])
