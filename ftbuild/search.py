"""A search: which point is tried next, from what those before it were worth. The only module that knows Optuna.

Optuna draws, and keeps nothing: each trial is suggested by a sampler of its own, seeded with the search's seed and the
trial's number, that is told of the finished ones. So a search goes on from its memory as if it had never been stopped.
The memory is a file of JSON lines, one a finished trial. T. Akiba et al., "Optuna", KDD 2019.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftbuild.errors import ConfigError
from ftbuild.problem import Problem
from ftbuild.store import durable

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler

DRAWN_DIGITS = 4  # significant ones: enough to search by, and few enough to type
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, whole ones with `whole`; by their logarithm with `log`."""

    low: float
    high: float
    log: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Search:
    """What is drawn for `n_trials` points, `at_once` of them together; the `finalists` best of them are built in full.

    `keys` have a range, or choices as they would be typed. A key of `when` is drawn where each other key has one of the
    values, as they would be typed; the others come before it. `places` say where keys stand: path, line, tree.
    """

    n_trials: int
    sampler: str
    seed: int
    at_once: int
    finalists: int
    keys: Mapping[str, Range | Sequence[str]]
    when: Mapping[str, Mapping[str, Sequence[str]]]
    places: Mapping[str, Sequence[Any] | None]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        value: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Search":
        """Return what `to_json` was given."""
        keys = {key: Range(**each) if isinstance(each, dict) else list(each) for key, each in value["keys"].items()}
        return cls(**{**value, "keys": keys})


@dataclass(frozen=True)
class Tried:
    """A finished trial: its values as they would be typed, and what it was worth; None where it failed by `error`."""

    values: Values
    worth: Mapping[str, Any] | None
    error: str = ""

    @property
    def mean(self) -> float | None:
        """Return its mean, None where it has no value."""
        return self.worth["mean"] if self.worth else None


def ends(drawn: Range | Sequence[str]) -> list[Any]:
    """Return the two ends of a range, as they are drawn, or all choices."""
    if not isinstance(drawn, Range):
        return list(drawn)
    return [int(each) if drawn.whole else each for each in (drawn.low, drawn.high)]


def few_digits(value: Any, low: float, high: float) -> float:
    """Return a number between two with few digits."""
    return min(max(float(f"{value:.{DRAWN_DIGITS}g}"), low), high)


def best(tried: Sequence[Tried], n: int) -> list[int]:
    """Return the numbers of the `n` best trials with different values, the best first, of equal ones the earlier."""
    first = {json.dumps(each.values, sort_keys=True): number for number, each in reversed([*enumerate(tried)])}
    valued = [(each.mean, number) for number in first.values() if (each := tried[number]).mean is not None]
    sign = 1 if any(each.worth and each.worth["lower_is_better"] for each in tried) else -1
    return [number for _, number in sorted((sign * mean, number) for mean, number in valued if mean is not None)[:n]]


def to_ask(search: Search, n_tried: int) -> int:
    """Return how many trials are asked for next."""
    return max(0, min(search.at_once, search.n_trials - n_tried))


def remembered(path: Path) -> list[Tried]:
    """Return the finished trials of a search, in order; none where it has just begun. A line cut short is none."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else ():
        if line.endswith("\n"):
            found.append(Tried(**json.loads(line)))
    return found


def remember(path: Path, tried: Sequence[Tried]) -> None:
    """Add finished trials to the memory of a search."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for each in tried:
        durable.append_line(path, json.dumps(asdict(each)).encode())


def refuse_without_optuna() -> None:
    """Say nothing where Optuna is installed.

    Raises:
        ConfigError: it is not.
    """
    if find_spec("optuna") is None:
        what, fix = "sweep.search needs the package optuna, which is not installed", "pip install 'ftbuild[search]'"
        raise ConfigError(Problem(what, why="Nothing was trained.", fix=fix))


def suggest(search: Search, tried: Sequence[Tried], n: int) -> list[Values]:
    """Return the values of the next `n` trials: the same for the same trials before them."""
    found: list[Values] = []
    for _ in range(n):
        study = _study(search, tried, found)
        trial = study.ask()
        values: dict[str, Any] = {}
        for key, drawn in search.keys.items():
            wanted = search.when.get(key, {})
            if all(other in values and typed(values[other]) in said for other, said in wanted.items()):
                values[key] = _drawn(trial, key, drawn)
        found.append(values)
    return found


def typed(value: Any) -> str:
    """Return a value of a trial as it would be typed; choices are texts that are typed so already."""
    return value if isinstance(value, str) else json.dumps(value)


def _study(search: Search, tried: Sequence[Tried], under_way: Sequence[Values]) -> "Study":
    import optuna
    from optuna.trial import TrialState, create_trial

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    lower = any(each.worth and each.worth["lower_is_better"] for each in tried)
    number = len(tried) + len(under_way)
    study = optuna.create_study(sampler=_sampler(search, number), direction="minimize" if lower else "maximize")
    spaces = {key: _distribution(drawn) for key, drawn in search.keys.items()}
    for each in (*tried, *(Tried(values, None) for values in under_way)):
        state = TrialState.COMPLETE if each.mean is not None else TrialState.FAIL
        params = {key: value for key, value in each.values.items() if key in spaces}
        own = {key: spaces[key] for key in params}
        study.add_trial(create_trial(state=state, value=each.mean, params=params, distributions=own))
    return study


def _sampler(search: Search, number: int) -> "BaseSampler":
    """Return the sampler of one trial."""
    import numpy as np
    import optuna

    seed = int(np.random.SeedSequence([search.seed, number]).generate_state(1)[0])
    if search.sampler == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed)


def _distribution(drawn: Range | Sequence[str]) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if not isinstance(drawn, Range):
        return CategoricalDistribution(list(drawn))
    if drawn.whole:
        return IntDistribution(int(drawn.low), int(drawn.high), log=drawn.log)
    return FloatDistribution(drawn.low, drawn.high, log=drawn.log)


def _drawn(trial: "Trial", key: str, drawn: Range | Sequence[str]) -> Any:
    if not isinstance(drawn, Range):
        return trial.suggest_categorical(key, list(drawn))
    if drawn.whole:
        return trial.suggest_int(key, int(drawn.low), int(drawn.high), log=drawn.log)
    return few_digits(trial.suggest_float(key, drawn.low, drawn.high, log=drawn.log), drawn.low, drawn.high)
