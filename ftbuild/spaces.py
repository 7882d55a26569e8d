"""A search space spread out: the words of each of its points, as they would be typed.

Owns the order of the points (grid, then zip, then random, what stands last varies fastest; then list), what is drawn,
what is left out, the last rung of each, and how Hydra's grammar spells a value. Knows nothing of Hydra: what reads its
sweeps is passed in.
What the command line sets a space leaves alone. `${...}` in a space is the points' own, resolved in each.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from itertools import product
from random import Random as Chance
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ftbuild import config_problems
from ftbuild.errors import ConfigError
from ftbuild.halving import CHECKPOINTS, Halving, are_epochs, rises
from ftbuild.origins import Origin, Origins
from ftbuild.search import Range, Search, few_digits
from ftbuild.settings import Draw, Settings, Sweep
from ftbuild.settings.contradictions import Contradiction

PLAIN = re.compile(r"(?!(true|false|null|nan|inf)$)[A-Za-z_][\w/.-]*", re.ASCII | re.IGNORECASE)
FIXES = {"experiment": "ftbuild -m +experiment=NAME,NAME", "sweep": "leave it out."}  # of keys that no space sets

Read = Callable[[str, str], Sequence[Any] | None]


@dataclass(frozen=True)
class Said:
    """A value of a point, and the key of the config that says it."""

    value: Any
    at: str


@dataclass(frozen=True)
class Word:
    """An override of a point as it would be typed, and where the space says it."""

    key: str
    text: str
    origin: Origin | None


Point = Mapping[str, Said]


def spread(
    node: Any, origins: Origins, options: config_problems.Options, typed: Mapping[str, Any], read: Read
) -> list[list[Word]]:
    """Return the words of every point of the node `sweep`, in order.

    `typed` are the values that the command line sets, by key. `read` returns the values that a text of Hydra's grammar
    says for a key, None where it is no sweep.

    Raises:
        ConfigError: with all that is wrong in the space.
    """
    try:
        space = _read(node)
    except ValidationError as error:
        raise ConfigError(*config_problems.from_validation(error, Settings, origins, options)) from error
    spreading = _Spreading(space, typed, read)
    points = spreading.points()
    if spreading.faults:
        raise ConfigError(*config_problems.from_contradictions(spreading.faults, origins))
    return [
        [Word(key, f"{key}={spelt(said.value)}", origins.of(said.at)) for key, said in point.items()]
        for point in points
    ]


def chosen_by(node: Any, origins: Origins, read: Read) -> Halving | Search | None:
    """Return how the points of a space that was spread are chosen, None where all of them are built."""
    space = _read(node)
    if (halving := space.halving) is not None:
        [(key, values)] = halving.rungs.items()
        rungs = tuple(values if not isinstance(values, str) else read(key, values) or ())
        return Halving(key, (*rungs, None) if key == CHECKPOINTS else rungs, halving.keep)
    if (search := space.search) is None:
        return None
    keys = {
        key: _range(draw) or [spelt(each) for each in _listed(draw, key, read)] for key, draw in search.drawn.items()
    }
    when = {
        key: {other: [spelt(each) for each in values] for other, values in said.items()}
        for key, said in search.when.items()
    }
    places = {key: _place(origins.of(f"sweep.search.from.{key}")) for key in keys}
    how = (search.n_trials, search.sampler, search.seed, search.at_once, search.finalists)
    return Search(*how, keys, when, places)


def _range(draw: Draw) -> Range | None:
    if draw.low is None or draw.high is None:
        return None
    return Range(draw.low, draw.high, draw.log, draw.whole)


def _listed(draw: Draw, key: str, read: Read) -> Sequence[Any]:
    return (draw.choices if not isinstance(draw.choices, str) else read(key, draw.choices)) or ()


def _place(origin: Origin | None) -> tuple[str, int | None, str] | None:
    return (origin.path, origin.line, str(origin.tree)) if origin else None


def _read(node: Any) -> Sweep:
    return TypeAdapter(dict[str, Sweep]).validate_json(json.dumps({"sweep": node}))["sweep"]


def bare(key: str) -> str:
    """Return a key of an override without the + in front of it."""
    return key.lstrip("+")


def spelt(value: Any) -> str:
    """Return how Hydra's grammar spells a value; all text but a plain word stands in quotes."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{spelt(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(spelt, value)) + "]"
    if not isinstance(value, str):
        return repr(value) if isinstance(value, float) else json.dumps(value)
    if PLAIN.fullmatch(value):
        return value
    # Backslashes are escapes where a quote follows them, and themselves elsewhere.
    inner = re.sub(r'(\\*)("|$)', lambda found: found[1] * 2 + found[2].replace('"', '\\"'), value)
    return f'"{inner}"'


class _Spreading:
    """The points of a space as its parts say them, and what is wrong with these."""

    def __init__(self, space: Sweep, typed: Mapping[str, Any], read: Read) -> None:
        self._space, self._typed, self._read = space, typed, read
        self._known: list[str] = []
        self.faults: list[Contradiction] = []

    def points(self) -> list[Point]:
        """Return the points in order, less those that are left out."""
        axes = [*self._grid(), *self._zipped(), *self._random()]
        listed = [
            {key: Said(value, f"sweep.list[{number}]") for key, value in point.items()}
            for number, point in enumerate(self._space.points)
        ]
        last = self._last_rung()
        self._look_at_keys([*axes, *([[last]] if last else []), listed])
        if self._space.search is not None:
            return self._searched([*axes, listed])
        if not axes and not listed:
            self._fault("sweep", "no point: it has no grid, zip, random or list", "sweep=none is no sweep.")
        multiplied = product(*map(self._left_open, axes)) if axes else ()
        whole: list[Point] = [{key: said for part in parts for key, said in part.items()} for parts in multiplied]
        whole += map(self._open, listed)
        return [] if self.faults else [{**point, **last} for point in self._less(whole)]

    def _left_open(self, axis: Sequence[Point]) -> list[Point]:
        """Return the points of an axis without what the command line sets; one, where that is all of it."""
        found = [self._open(point) for point in axis]
        return found if any(found) else found[:1]

    def _open(self, point: Point) -> Point:
        return {key: said for key, said in point.items() if bare(key) not in self._typed}

    def _grid(self) -> Iterator[list[Point]]:
        for key, values in self._space.grid.items():
            yield [{key: said} for said in self._values(key, values, f"sweep.grid.{key}")]

    def _zipped(self) -> Iterator[list[Point]]:
        for name, group in self._space.zip.items():
            lists = {key: self._values(key, values, f"sweep.zip.{name}.{key}") for key, values in group.items()}
            lengths = {key: len(values) for key, values in lists.items()}
            if len(set(lengths.values())) > 1:
                said = ", ".join(f"{key} has {n}" for key, n in lengths.items())
                fix = "as many values for each key; what is to be combined freely belongs into grid."
                self._fault(f"sweep.zip.{name}", f"lists of unequal length: {said}", fix)
            elif lists:
                yield [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]

    def _random(self) -> Iterator[list[Point]]:
        random = self._space.random
        if random is None:
            return
        drawn = {}
        for key, draw in random.drawn.items():
            at = f"sweep.random.from.{key}"
            choices = None if draw.choices is None else [said.value for said in self._values(key, draw.choices, at)]
            if choices != []:
                chance = Chance(f"{random.seed} {key}")
                drawn[key] = [Said(_drawn(draw, choices, chance.random()), at) for _ in range(random.n)]
        yield [dict(zip(drawn, values, strict=True)) for values in zip(*drawn.values(), strict=True)]

    def _searched(self, others: Sequence[Sequence[Point]]) -> list[Point]:
        """Return the one point that a search starts from, which says nothing of its own."""
        search = self._space.search
        assert search is not None
        if any(others) or self._space.halving is not None or self._space.exclude:
            self._fault(
                "sweep.search", "a search has no other points beside it", "leave out grid, list, halving and so on."
            )
        before: list[str] = []
        for key, draw in search.drawn.items():
            at = f"sweep.search.from.{key}"
            self._look_at_keys([[{key: Said(None, at)}], []])
            if bare(key) in self._typed:
                self._fault(at, f"{key} is on the command line too", "leave it out there.")
            if draw.choices is not None:
                self._values(key, draw.choices, at)
            before.append(key)
        for key, said in search.when.items():
            at = f"sweep.search.when.{key}"
            for other in [key, *said]:
                if other not in before:
                    self.faults.append(Contradiction(at, f"nothing draws {other!r}", before, other))
                elif other != key and key in before and before.index(other) > before.index(key):
                    self._fault(at, f"{other} is drawn after {key}", "put it before that in sweep.search.from.")
        return [] if self.faults else [{}]

    def _last_rung(self) -> Point:
        """Return what every point of a halving ends with, nothing where there is none or its job says it."""
        if self._space.halving is None:
            return {}
        [(key, values)] = self._space.halving.rungs.items()
        at = f"sweep.halving.rungs.{key}"
        said = self._values(key, values, at)
        if key == CHECKPOINTS:
            if said and not are_epochs([each.value for each in said]):
                shown = spelt([each.value for each in said])
                self._fault(at, f"{shown} are no epochs that rise", "as [1] or [1,2]; the end of the job follows.")
            return {}
        if bare(key) in self._typed:
            self._fault(at, f"{key} is on the command line too", "leave it out there, or sweep.halving=null.")
        elif said and not rises([each.value for each in said]):
            shown = spelt([each.value for each in said])
            self._fault(at, f"{shown} are no two or more numbers that rise", "as [1,3]; the last may be null, for all.")
        return {key: Said(said[-1].value, at)} if said else {}

    def _values(self, key: str, values: str | list[Any], at: str) -> list[Said]:
        """Return the values of a key, none where a fault is told of them."""
        if not isinstance(values, str):
            return [Said(value, f"{at}[{number}]") for number, value in enumerate(values)]
        read = self._read(key, values)
        if not read:
            what = "is no list and no sweep that can be listed" if read is None else "asks for no value at all"
            self._fault(at, f"{values!r} {what}", f"a list as [{values}], or range(1,4), choice(a,b), 1,2.")
        return [Said(value, at) for value in read or ()]

    def _look_at_keys(self, parts: Sequence[Sequence[Point]]) -> None:
        """Note the keys that no space can set, and those that two axes set; the last of the parts is the list."""
        first: dict[str, str] = {}
        for part in parts:
            for key, said in {key: said for point in reversed(part) for key, said in point.items()}.items():
                at, name = said.at.partition("[")[0], bare(key).partition(".")[0]
                if name in FIXES:
                    self._fault(said.at, f"{key} is for the command line, and no space sets it", FIXES[name])
                elif key.startswith("~"):
                    self._fault(said.at, f"{key} takes a key out, and a space sets it", f"{key[1:]}: null")
                elif key in first and (part is not parts[-1] or ".halving." in first[key]):
                    self._fault(at, f"{key} has its values in {first[key]} already", "say it once.")
                first.setdefault(key, at)
        self._known = list(first)

    def _less(self, whole: Sequence[Point]) -> list[Point]:
        """Return the points that nothing excludes."""
        left = list(whole)
        for number, excluded in enumerate(self._space.exclude):
            left = [point for point in left if not self._has(point, excluded)]
            is_open = not any(bare(key) in self._typed for key in excluded)  # else it may be about other values
            if is_open and not any(self._has(point, excluded) for point in whole):
                self._excludes_nothing(f"sweep.exclude[{number}]", excluded)
        if whole and not left:
            self._fault("sweep.exclude", f"all of the {len(whole)} points are left out", "leave fewer out.")
        return left

    def _excludes_nothing(self, at: str, excluded: Mapping[str, Any]) -> None:
        unknown = next((key for key in excluded if key not in self._known), None)
        if unknown is not None:
            said = f"no point has {unknown!r}, so nothing is left out"
            self.faults.append(Contradiction(at, said, self._known, unknown))
        else:
            shown = ", ".join(f"{key}: {spelt(value)}" for key, value in excluded.items())
            self._fault(at, f"no point has {{{shown}}}, so nothing is left out", "mend it, or take it out.")

    def _has(self, point: Point, wanted: Mapping[str, Any]) -> bool:
        """Return whether a point has all values, those of the command line in front of its own."""
        values = {**{bare(key): said.value for key, said in point.items()}, **self._typed}
        return all(bare(key) in values and _same(values[bare(key)], value) for key, value in wanted.items())

    def _fault(self, at: str, said: str, fix: str) -> None:
        self.faults.append(Contradiction(at, said, (), fix=fix))


def _same(one: Any, other: Any) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _drawn(draw: Draw, choices: Sequence[Any] | None, chance: float) -> Any:
    """Return the value at `chance`, 0 to 1, of all that can be drawn; computed in decimals, so alike on every machine.

    The logarithm is drawn evenly with `log`; whole numbers are cut off from a range that is longer by one.
    """
    if choices is not None:
        return choices[int(chance * len(choices))]
    assert draw.low is not None
    assert draw.high is not None
    with localcontext(prec=28):
        low, high, at = Decimal(repr(draw.low)), Decimal(repr(draw.high)) + draw.whole, Decimal(chance)
        value = (low.ln() + at * (high.ln() - low.ln())).exp() if draw.log else low + at * (high - low)
        if draw.whole:
            return min(int(value // 1), int(draw.high))
        return few_digits(value, draw.low, draw.high)
