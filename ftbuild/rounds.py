"""A round and the one before it, as compositions: what both are asked with, and the arm that the earlier becomes.

Needs no Hydra: the composer says what the experiment of the round before comes to.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from ftbuild.composed import Composed
from ftbuild.errors import ConfigError
from ftbuild.origins import Origins
from ftbuild.plan.rounds import BEFORE
from ftbuild.problem import Problem, nearest

AFTER = "round.after"
ARM = f"evaluation.arms.{BEFORE}"
SOURCES = "dataset.sources"
OF_ONE_GROUP = ("experiment", "source", "sweep")  # groups that say what a round has for itself
OF_ONE = ("round", "goal", "evaluation")  # nodes that no model is trained by


def refuse(name: str, later: Sequence[str], origins: Origins, known: Iterable[str]) -> None:
    """Say nothing where a round can come after the experiment of a name; `later` are the rounds that do.

    Raises:
        ConfigError: there is no such experiment, or it comes after itself.
    """
    known = list(known)
    if name not in known:
        close = nearest(name, known)
        fix = f"the nearest is {close!r}." if close else "ftbuild lists the experiments."
        raise ConfigError(_problem(f"no experiment {name!r}", fix, origins))
    if name in later:
        way = " -> ".join([*later[later.index(name) :], name])
        fix = "name the experiment whose misses this one learns from."
        raise ConfigError(_problem(f"{name!r} comes after itself: {way}", fix, origins))


def is_of_both(key: str, sources: Collection[str]) -> bool:
    """Return whether a value of the command line is meant for the round before as well, which has these `sources`."""
    if key.partition(".")[0] in OF_ONE:
        return False
    return not key.startswith(f"{SOURCES}.") or key.removeprefix(f"{SOURCES}.").partition(".")[0] in sources


def after(composed: Composed, before: Composed) -> Composed:
    """Return a round with the model of the round before as an arm, which is asked as the one that is judged.

    Raises:
        ConfigError: the round before trains no model, or an arm has the name.
    """
    name = before.experiment
    if all(arm.kind != "tuned" for arm in before.settings.arms.values()):
        raise ConfigError(_problem(f"{name} trains no model", "name an experiment that does.", composed.origins))
    arms = composed.tree["evaluation"]["arms"]
    if arms.get(BEFORE) is not None:
        said = f"{ARM}: that is what the model of {AFTER} is called, and it is there without being said"
        raise ConfigError(_problem(said, "call the arm something else, or take it out.", composed.origins, ARM))
    evaluation = {**composed.tree["evaluation"], "arms": _with_arm(arms, composed, before)}
    origin = composed.origins.of(AFTER)
    files = composed.origins.files if origin is None else {**composed.origins.files, ARM: origin}
    return replace(
        composed,
        tree={**composed.tree, "evaluation": evaluation},
        origins=replace(composed.origins, files=files),
        before=before,
    )


def looks(composed: Composed) -> int:
    """Return how many rounds in a row, this one the last, are measured on examples of the same sources."""
    own = _measured(composed)
    earlier = list(reversed(composed.rounds))
    return next((number for number, each in enumerate(earlier) if own.isdisjoint(_measured(each))), len(earlier))


def _measured(composed: Composed) -> set[tuple[str, str, str]]:
    """Return the sources that give examples to what a round is measured on."""
    split = composed.settings.evaluation.split
    sources = composed.settings.dataset.of_examples.items()
    return {(split, name, each.path) for name, each in sources if each.only in (None, split)}


def _with_arm(arms: dict[str, Any], composed: Composed, before: Composed) -> dict[str, Any]:
    """Return the arms with that of the round before in front of those that are trained."""
    tuned = [name for name, arm in arms.items() if arm is not None and arm["kind"] == "tuned"]
    judged = composed.settings.goal.arm
    like = arms[judged if judged in tuned else tuned[0]] if tuned else {}
    arm = {"kind": BEFORE, **{name: like[name] for name in ("retrieval", "examples") if name in like}}
    asked = {name: before.tree[name] for name in ("model", "provider")}
    if asked != {name: composed.tree[name] for name in asked}:
        arm |= asked
    at = list(arms).index(tuned[0]) if tuned else len(arms)
    return dict([*list(arms.items())[:at], (BEFORE, arm), *list(arms.items())[at:]])


def _problem(said: str, fix: str, origins: Origins, key: str = AFTER) -> Problem:
    origin = origins.of(key)
    what = said if said.startswith(key) else f"{key}: {said}"
    return Problem(what, origin.path if origin else "command line", origin.line if origin else None, fix=fix)
