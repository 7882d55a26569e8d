"""Shares of sources in the training split: a source with a share gives just so many of its examples.

Nothing is repeated: a share is reached by leaving examples of that source out. Which ones is drawn from digests,
so what is kept stays kept when there is room for more, and their order in the split tells nothing of the draw.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from ftbuild.digest import of_value
from ftbuild.problem import Problem

ROUNDING = 1e-9


class Placed(Protocol):
    """An example, as far as a share is concerned."""

    @property
    def source(self) -> str:
        """Return the name of its source."""

    @property
    def path(self) -> str:
        """Return its file."""

    @property
    def line(self) -> int:
        """Return its line there."""

    @property
    def id(self) -> str:
        """Return its name."""


P = TypeVar("P", bound=Placed)


@dataclass(frozen=True)
class Mix:
    """Shares of the training split by source; `sources` and `paths` are the names that facts number."""

    shares: Mapping[str, float]
    seed: int
    sources: Sequence[str]
    paths: Sequence[str]


@dataclass(frozen=True)
class Mixed(Generic[P]):
    """The examples that stay, in their order; how many of each source were left out, and who could not give enough."""

    kept: tuple[P, ...]
    left_out: Mapping[str, int]
    problems: tuple[Problem, ...]


def mixed(train: Sequence[P], shares: Mapping[str, float], seed: int) -> Mixed[P]:
    """Return the training split with the `shares` of sources held; a source without a share keeps all it has."""
    have = Counter(each.source for each in train)
    wanted, short = counts(have, shares)
    kept_ids: dict[str, set[tuple[str, int, str]]] = {}
    for name in wanted:
        own = sorted((each for each in train if each.source == name), key=lambda each: _draw(each, seed))
        kept_ids[name] = {_place(each) for each in own[: wanted[name]]}
    kept = tuple(each for each in train if each.source not in wanted or _place(each) in kept_ids[each.source])
    after = Counter(each.source for each in kept)
    problems = tuple(
        Problem(
            f"dataset.sources.{name}.share is {shares[name]:g}, and {name} has {have[name]:,} examples to learn from: "
            f"{have[name] / max(1, len(kept)):.3g} of {len(kept):,}; {n:,} would reach it",
            why="Nothing is repeated to fill a share.",
            fix=f"add {n - have[name]:,} examples to {name}, or lower its share.",
            rule="share-not-reached",
            severity="warning",
        )
        for name, n in short.items()
    )
    return Mixed(kept, {name: have[name] - after[name] for name in wanted if have[name] > after[name]}, problems)


def counts(have: Mapping[str, int], shares: Mapping[str, float]) -> tuple[dict[str, int], dict[str, int]]:
    """Return how many examples each source with a share gives, and of those that have too few how many it takes.

    `have` is what there is by source. Where no source is without a share, the scarcest is kept whole and the
    others fit it.
    """
    free = {name: share for name, share in shares.items() if have.get(name)}
    scarce = {name: share for name, share in shares.items() if name not in free}
    fixed = sum(n for name, n in have.items() if name not in shares)
    if free and not fixed:
        whole = min(have[name] / share for name, share in free.items())
        wanted = {name: min(have[name], max(1, round(share * whole))) for name, share in free.items()}
        return wanted, _missed(scarce, have, wanted, fixed)
    while True:
        total = (fixed + sum(have[name] for name in scarce if have.get(name))) / max(ROUNDING, 1 - sum(free.values()))
        lacking = [name for name, share in free.items() if have[name] < round(share * total)]
        if not lacking:
            wanted = {name: max(1, round(share * total)) for name, share in free.items()}
            wanted |= {name: have[name] for name in scarce if have.get(name)}
            return wanted, _missed(scarce, have, wanted, fixed)
        for name in lacking:
            scarce[name] = free.pop(name)


def _missed(
    scarce: Mapping[str, float], have: Mapping[str, int], wanted: Mapping[str, int], fixed: int
) -> dict[str, int]:
    """Return how many examples the scarce sources would need beside those of the others."""
    needed = {
        name: round(share / (1 - share) * (fixed + sum(n for other, n in wanted.items() if other != name)))
        for name, share in scarce.items()
    }
    return {name: n for name, n in needed.items() if n > have.get(name, 0)}


def _draw(example: Placed, seed: int) -> tuple[str, str, int]:
    return of_value(["mix.v1", seed, example.id]), example.path, example.line


def _place(example: Placed) -> tuple[str, int, str]:
    return example.path, example.line, example.id
