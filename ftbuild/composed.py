"""A resolved config and where it came from, as plain values; and many of them as one small JSON value.

Needs no Hydra, YAML or pydantic: the settings are read from the tree when somebody asks for them.
In JSON every distinct value of a top-level key is said once, so a sweep costs what its points differ in.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftbuild.errors import EvaluationError
from ftbuild.halving import Halving
from ftbuild.origins import Origin, Origins
from ftbuild.problem import Problem
from ftbuild.search import Search
from ftbuild.source_files import Place

if TYPE_CHECKING:
    from ftbuild.settings import Settings

FOLDERS = ("huggingface",)  # kinds of sources whose path is a folder
SMOKE = ("model=tiny", "dataset.limit=20", "method.hyperparameters.n_epochs=1")


@dataclass(frozen=True)
class Composed:
    """One resolved config and where it came from.

    `tree` is the config as plain values; points of a sweep share what is equal in it, so it is not to be changed.
    `before` is the experiment of the round before, None of a first round.
    """

    experiment: str
    description: str
    overrides: tuple[str, ...]
    tree: Mapping[str, Any]
    origins: Origins
    before: "Composed | None" = None

    @property
    def rounds(self) -> "list[Composed]":
        """Return the rounds up to this one, the first of them first."""
        return [*(self.before.rounds if self.before is not None else ()), self]

    @cached_property
    def settings(self) -> "Settings":
        """Return the tree as settings.

        Raises:
            ValidationError: the tree is no settings; never for what `compose` has returned.
        """
        from ftbuild.settings import Settings

        return Settings.model_validate_json(json.dumps(self.tree))

    def source_path(self, name: str) -> Path:
        """Return the path of a source: absolute, or seen from the tree that holds its YAML."""
        place = self.source_place(name)
        return place.base / place.path

    def source_place(self, name: str) -> Place:
        """Return where the files of a source lie."""
        origin = self.origins.of(f"dataset.sources.{name}.path")
        source = self.tree["dataset"]["sources"][name]
        base = origin.tree if origin else Path.cwd()
        return Place(base, str(source["path"]), folder=source["kind"] in FOLDERS)

    def placed(self, error: EvaluationError) -> EvaluationError:
        """Return an error, which knows no files, with the place of each key of the config that a problem names."""
        return EvaluationError(*(each if each.path else self._placed(each) for each in error.problems))

    def _placed(self, problem: Problem) -> Problem:
        origin = self.origins.of(problem.what.partition(":")[0])
        return replace(problem, path=origin.path, line=origin.line) if origin is not None else problem


@dataclass(frozen=True)
class Asked:
    """A point in plain words, and by key where those stand that were not typed."""

    words: tuple[str, ...]
    origins: Mapping[str, Origin] = field(default_factory=dict)


@dataclass(frozen=True)
class Swept:
    """The points of a sweep in order, what is to be told of them, and how points are chosen where not all are built."""

    points: Sequence[Composed]
    notes: Sequence[Problem] = ()
    chosen_by: Halving | Search | None = None

    @classmethod
    def once(cls, points: Sequence[Composed], where: str) -> "Swept":
        """Return the points without those that say what an earlier one says; how many these are is told of `where`."""
        values = _Numbers()
        found: dict[tuple[object, ...], Composed] = {}
        for each in points:
            found.setdefault((each.experiment, *each.tree, *map(values.of, each.tree.values())), each)
        n_again = len(points) - len(found)
        said = f"{n_again} of {len(points)} points {'is' if n_again == 1 else 'are'} another once more"
        note = Problem(f"{said}: {len(found)} are left", where, severity="warning")
        return cls(list(found.values()), [note] if n_again else [])


def to_json(composed: Sequence[Composed]) -> dict[str, Any]:
    """Return compositions as one JSON value: a list of values, and points that name them by number."""
    values, places = _Numbers(), _Numbers()
    known: dict[int, int] = {}

    def place(origin: Origin) -> int:
        if id(origin) not in known:
            known[id(origin)] = places.of([origin.path, origin.line, str(origin.tree)])
        return known[id(origin)]

    def earlier(before: Composed | None) -> int:
        if id(before) not in known:
            known[id(before)] = values.of(None if before is None else to_json([before]))
        return known[id(before)]

    def written(origins: Mapping[str, Origin]) -> int:
        if id(origins) not in known:
            known[id(origins)] = values.of({key: place(each) for key, each in origins.items()})
        return known[id(origins)]

    points = [
        [
            values.of(each.experiment),
            values.of(each.description),
            values.of(list(each.overrides)),
            written(each.origins.files),
            written(each.origins.typed),
            earlier(each.before),
            values.of(list(each.tree)),
            *(values.of(value) for value in each.tree.values()),
        ]
        for each in composed
    ]
    return {"values": values.listed, "places": places.listed, "points": points}


def from_json(value: Mapping[str, Any]) -> list[Composed]:
    """Return the compositions that `to_json` was given, equal values shared."""
    values = value["values"]
    places = [Origin(path, line, Path(tree)) for path, line, tree in value["places"]]
    maps: dict[int, dict[str, Origin]] = {}

    befores: dict[int, Composed | None] = {}

    def earlier(number: int) -> Composed | None:
        if number not in befores:
            befores[number] = from_json(values[number])[0] if values[number] is not None else None
        return befores[number]

    def origins(number: int) -> dict[str, Origin]:
        if number not in maps:
            maps[number] = {key: places[at] for key, at in values[number].items()}
        return maps[number]

    return [
        Composed(
            experiment=values[experiment],
            description=values[description],
            overrides=tuple(values[overrides]),
            tree={name: values[number] for name, number in zip(values[names], tops, strict=True)},
            origins=Origins(origins(files), origins(typed)),
            before=earlier(before),
        )
        for experiment, description, overrides, files, typed, before, names, *tops in value["points"]
    ]


class _Numbers:
    """Distinct JSON values in the order they came, each with its number."""

    def __init__(self) -> None:
        self.listed: list[Any] = []
        self._by_text: dict[str, int] = {}
        self._by_object: dict[int, tuple[int, Any]] = {}  # holds the object too, so that its id stays its own

    def of(self, value: Any) -> int:
        """Return the number of `value`."""
        if id(value) not in self._by_object:
            number = self._by_text.setdefault(json.dumps(value), len(self.listed))
            if number == len(self.listed):
                self.listed.append(value)
            self._by_object[id(value)] = (number, value)
        return self._by_object[id(value)][0]
