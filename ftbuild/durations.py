"""How long a plan will take: the seconds of earlier actions like its own, brought to the size of the data.

A guess out of this store's records, for people alone. Like is what has the same kind and label, and asks the same model
of the same server. Of jobs the last counts, token by token. Of sets of answers the slowest of late does: one that was
cut short and taken up again has fewer seconds than it took.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftbuild.errors import StoreError
from ftbuild.estimates import TO_COME, sizes
from ftbuild.lookup import History, Planned
from ftbuild.plan import cost
from ftbuild.plan.action import JOB, PREDICT, RENDER, Action
from ftbuild.plan.cost import Sizes
from ftbuild.points import Point, owners
from ftbuild.store.store import Store

LATEST = 5
ASKED_OF = (("provider", "kind"), ("provider", "base_url"), ("provider", "engine"), ("model", "id"))


@dataclass(frozen=True)
class Expected:
    """The seconds of all actions to come one after the other; those of the `unknown`, labels, are not among them."""

    seconds: float
    unknown: tuple[str, ...] = ()


def expected(planned: Sequence[Planned], points: Sequence[Point], store: Store) -> Expected:
    """Return how long what is to come has taken before."""
    history, own = History(store), owners(points)
    lines = {one.action.id: one for one in planned if one.action.kind is RENDER}
    known: dict[str, Sizes | None] = {}
    seconds, unknown = 0.0, list[str]()
    for one in planned:
        if one.status not in TO_COME:
            continue
        point = own[one.action.id]
        name = next(each for each in point.ids if each in lines)
        if name not in known:
            known[name] = sizes(lines[name], store)
        found = _seconds(one.action, point, known[name], history, store)
        seconds += found or 0.0
        unknown += [one.action.label] if found is None else []
    return Expected(seconds, tuple(dict.fromkeys(unknown)))


def _seconds(action: Action, point: Point, found: Sizes | None, history: History, store: Store) -> float | None:
    """Return how long the like of an action took, None where there is none."""
    asked = json.loads(action.settings_text)
    like = [each for each in history.of(action) if _is_like(each["preimage"]["settings"], asked)]
    n = _n(action, point, found) if found is not None else None
    times = []
    for each in like[: 1 if action.kind is JOB else LATEST]:
        n_then = _n_then(action, each, store) if n is not None else None
        times.append(each["seconds"] * n / n_then if n is not None and n_then else each["seconds"])
    return max(times, default=None)


def _is_like(then: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    return all((then.get(one) or {}).get(name) == (now.get(one) or {}).get(name) for one, name in ASKED_OF)


def _n(action: Action, point: Point, found: Sizes) -> int | None:
    """Return how many tokens a job trains on, or how many answers are asked for; None of any other action."""
    settings = point.composed.settings
    if action.kind is JOB:
        return found.train_tokens * cost.epochs(settings.method.hyperparameters.n_epochs, found.n_train)
    return found.n_test * settings.evaluation.samples if action.kind is PREDICT and action.stage != "confirm" else None


def _n_then(action: Action, manifest: Mapping[str, Any], store: Store) -> int | None:
    """Return the same of an earlier action; None where its outputs are gone or do not say."""
    try:
        if action.kind is PREDICT:
            return store.get(manifest["outputs"]["predictions.jsonl"]).count(b"\n")
        trained: int | None = json.loads(store.get(manifest["outputs"]["job.json"]))["trained_tokens"]
    except StoreError:
        return None
    return trained
