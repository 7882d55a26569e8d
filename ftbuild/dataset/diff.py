"""What differs between the examples of two datasets: added, removed, changed, moved to another split.

Pure, and symmetric: told the other way round, added and removed change places and every pair is turned.
Knows nothing of where the examples are kept.

Two examples are one if they say the same (their ids are equal), wherever they stand: lines inserted above
change nothing. Of the rest, two are one that was edited if nothing else has its user text, or if they stand
in one place of one file, counted from the nearest lines above or below that stayed.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal

from ftbuild.example import SPLITS

What = Literal["added", "removed", "changed", "moved", "reworked"]
Pair = tuple["Placed", "Placed"]


@dataclass(frozen=True)
class Placed:
    """An example of a dataset: where it came from, its split, and what is trained on.

    `raw` is the user's text as it came, `target` the answer; `messages` and `slices` in their JSON form.
    """

    id: str
    split: str
    source: str
    path: str
    line: int
    raw: str
    target: str
    messages: Sequence[Mapping[str, Any]] = ()
    group: str = ""
    slices: Mapping[str, str] = field(default_factory=dict)

    @property
    def order(self) -> tuple[int, str, str, int, str]:
        """Return the place in a list for people: by split, then as in the sources."""
        return SPLITS.index(self.split), self.source, self.path, self.line, self.id


@dataclass(frozen=True)
class ExampleChange:
    """One example that is not the same on both sides; `old` is None for an added one, `new` for a removed one."""

    old: Placed | None
    new: Placed | None

    @property
    def what(self) -> What:
        """Return what happened to it.

        moved: it says the same in another split. reworked: the source says the same, what is trained on
        does not (another system message, another group).
        """
        if self.old is None:
            return "added"
        if self.new is None:
            return "removed"
        if self.old.id != self.new.id:
            return "changed"
        return "moved" if self.has_moved else "reworked"

    @property
    def has_moved(self) -> bool:
        """Return whether it is in another split now; a changed one may have moved too."""
        return self.old is not None and self.new is not None and self.old.split != self.new.split

    @property
    def here(self) -> Placed:
        """Return the newer side, the older one of what is gone."""
        return self.new or self.old  # type: ignore[return-value]


def diff(old: Iterable[Placed], new: Iterable[Placed]) -> list[ExampleChange]:
    """Return what differs, in the order of the splits and of the sources; nothing for equal datasets."""
    # Copies, since what is taken out of a list is known by the very object.
    was, now = ([replace(each) for each in sorted(side, key=lambda each: each.order)] for side in (old, new))
    pairs: list[Pair] = []
    for same in (_everything, _content_and_split, _content, _id_and_split, lambda each: each.id):
        pairs += _paired(was, now, same)
    stayed = [pair for pair in pairs if pair[0].path == pair[1].path and pair[0].source == pair[1].source]
    pairs += _paired(was, now, lambda each: each.raw, alone=True)
    pairs += _in_place(was, now, stayed)
    found = [ExampleChange(*pair) for pair in pairs if _told(*pair)]
    found += [ExampleChange(each, None) for each in was] + [ExampleChange(None, each) for each in now]
    return sorted(found, key=lambda each: (each.here.order, each.old is None))


def _told(old: Placed, new: Placed) -> bool:
    """Say whether a pair differs in anything but its place."""
    return any(getattr(old, name) != getattr(new, name) for name in ("id", "split", "messages", "group", "slices"))


def _everything(each: Placed) -> Hashable:
    return _content(each), each.split, each.source, each.path, each.line


def _content_and_split(each: Placed) -> Hashable:
    return _content(each), each.split


def _id_and_split(each: Placed) -> Hashable:
    return each.id, each.split


def _content(each: Placed) -> Hashable:
    return each.id, repr(each.messages), each.group, repr(sorted(each.slices.items()))


def _paired(
    was: list[Placed], now: list[Placed], same: Callable[[Placed], Hashable], *, alone: bool = False
) -> list[Pair]:
    """Take out of both lists the examples that are the same, in order; `alone` only those that no other equals."""
    there: defaultdict[Hashable, tuple[list[Placed], list[Placed]]] = defaultdict(lambda: ([], []))
    for side, examples in enumerate((was, now)):
        for each in examples:
            there[same(each)][side].append(each)
    if alone:
        there = defaultdict(lambda: ([], []), {key: both for key, both in there.items() if [*map(len, both)] == [1, 1]})
    pairs = [pair for both in there.values() for pair in zip(*both, strict=False)]
    _take(was, now, pairs)
    return pairs


def _take(was: list[Placed], now: list[Placed], pairs: Sequence[Pair]) -> None:
    """Take pairs out of the two lists, the very objects."""
    taken = {id(each) for pair in pairs for each in pair}
    was[:] = [each for each in was if id(each) not in taken]
    now[:] = [each for each in now if id(each) not in taken]


def _in_place(was: list[Placed], now: list[Placed], stayed: Sequence[Pair]) -> list[Pair]:
    """Take out of both lists the examples that stand where the other stood; of several the most alike."""
    facing = {(id(old), id(new)): (old, new) for old, new in _facing(was, now, stayed)}
    turned = _facing(now, was, [(new, old) for old, new in stayed])
    facing |= {(id(old), id(new)): (old, new) for new, old in turned}
    pairs: list[Pair] = []
    taken: set[int] = set()
    for old, new in sorted(facing.values(), key=lambda pair: _distance(*pair)):
        if not taken & {id(old), id(new)}:
            taken |= {id(old), id(new)}
            pairs.append((old, new))
    _take(was, now, pairs)
    return pairs


def _facing(ones: Sequence[Placed], others: Sequence[Placed], stayed: Sequence[Pair]) -> Iterator[Pair]:
    """Yield each of `ones` with those of `others` that stand where its neighbours say it should."""
    there: defaultdict[Hashable, list[Placed]] = defaultdict(list)
    for other in others:
        there[other.source, other.path, other.line].append(other)
    shifts: defaultdict[Hashable, list[tuple[int, int]]] = defaultdict(list)
    for one, other in sorted(stayed, key=lambda pair: pair[0].line):
        shifts[one.source, one.path].append((one.line, other.line - one.line))
    for one in ones:
        known = shifts[one.source, one.path]
        below = bisect_left(known, (one.line,))
        near = {known[below - 1][1] if below else 0, *(shift for _, shift in known[below : below + 1])}
        for shift in near:
            for other in there[one.source, one.path, one.line + shift]:
                yield one, other


def _distance(old: Placed, new: Placed) -> tuple[float, int, list[tuple[int, str, str, int, str]]]:
    """Return how unlike two examples are, by the pairs of letters they share (Dice); the same both ways round."""
    one, other = (Counter(pairwise(text)) for text in map(_said, (old, new)))
    shared = 2 * (one & other).total() / max(1, one.total() + other.total())
    return -shared, abs(old.line - new.line), sorted((old.order, new.order))


def _said(each: Placed) -> str:
    return f"{each.raw}\n{each.target}"
