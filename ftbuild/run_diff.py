"""What differs between two runs: config, examples, implementation, metrics, cost.

Pure: two sides as plain values in, one RunDiff out. Knows nothing of where runs are kept or how a
difference is shown. A part that is None was not compared, because one side no longer has it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ftbuild.dataset.diff import ExampleChange, Placed
from ftbuild.dataset.diff import diff as diff_examples
from ftbuild.example import SPLITS, USUAL

SCHEMA_VERSION = 1
Numbers = Mapping[str, Any]


@dataclass(frozen=True)
class Side:
    """One run as plain values.

    `told` is what its run.json says. `settings` are the settings_lines and `training` the training of its
    report; `examples` those of its dataset, `tested` its test examples as its report holds them (no source,
    no messages); `versions` those of its implementation by name. None is "no longer there"; `training`
    also where nothing was trained.
    """

    run_id: str
    told: Mapping[str, Any]
    settings: Sequence[Mapping[str, Any]] | None = None
    examples: Sequence[Placed] | None = None
    tested: Sequence[Placed] | None = None
    versions: Mapping[str, Any] | None = None
    training: Mapping[str, Any] | None = None

    @property
    def dataset_key(self) -> str | None:
        """Return the key of the action that made the dataset."""
        return next((each["key"] for each in self.told["actions"] if each["kind"] == "dataset"), None)


@dataclass(frozen=True)
class SettingChange:
    """A key of the config whose value differs; of a key that only one side has, the other's line is None."""

    key: str
    old: Mapping[str, Any] | None
    new: Mapping[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form; `in` tells a key that is not there from one that is null."""
        told: dict[str, Any] = {
            "key": self.key,
            "in": "both" if self.old and self.new else "old" if self.old else "new",
        }
        for name, line in (("old", self.old), ("new", self.new)):
            told[name] = line["value"] if line else None
            told[f"{name}_origin"] = (line["origin"] or None) if line else None
        return told


@dataclass(frozen=True)
class Change:
    """Something with a name, as it was and as it is."""

    name: str
    old: Any
    new: Any

    @property
    def differs(self) -> bool:
        """Return whether the two are not the same."""
        return bool(self.old != self.new)


@dataclass(frozen=True)
class MetricChange:
    """A metric of one arm on one slice: `{n, mean, low, high}` of either side, None where it was not measured."""

    metric: str
    label: str
    slice: str | None
    arm: str
    lower_is_better: bool
    old: Numbers | None
    new: Numbers | None

    @property
    def difference(self) -> float | None:
        """Return new minus old, None where one side has no value."""
        was, now = (numbers["mean"] if numbers else None for numbers in (self.old, self.new))
        return None if was is None or now is None else now - was

    @property
    def differs(self) -> bool:
        """Return whether anything of it is not the same."""
        return self.old != self.new


@dataclass(frozen=True)
class DataDiff:
    """What differs in the examples of the `splits` that could be compared."""

    splits: Sequence[str]
    changes: Sequence[ExampleChange]

    @property
    def is_whole(self) -> bool:
        """Return whether all splits could be compared, not the test examples alone."""
        return len(self.splits) > 1

    @property
    def test_differs(self) -> bool:
        """Return whether the two were tested on different examples."""
        return any(
            "test" in {side.split for side in (each.old, each.new) if side}
            for each in self.changes
            if each.what != "reworked"
        )

    def counts(self) -> dict[str, dict[str, int]]:
        """Return how many of what each compared split has; a changed example counts where it is now."""
        found = {split: dict.fromkeys(COUNTED, 0) for split in self.splits}
        for each in self.changes:
            if each.what != "moved":
                found[each.here.split][each.what] += 1
            if each.old and each.new and each.has_moved:
                found[each.old.split]["moved_out"] += 1
                found[each.new.split]["moved_in"] += 1
        return found


COUNTED = ("added", "removed", "changed", "moved_in", "moved_out", "reworked")


@dataclass(frozen=True)
class RunDiff:
    """What differs between two runs. `metrics` and `costs` hold also what is the same, the rest only what differs."""

    old: Side
    new: Side
    config: Sequence[SettingChange] | None
    data: DataDiff | None
    implementation: Sequence[Change] | None
    metrics: Sequence[MetricChange]
    outcome: Sequence[Change]
    costs: Sequence[Change]

    @property
    def is_empty(self) -> bool:
        """Return whether everything was compared and nothing differs; cost and time do not count."""
        if self.config is None or self.implementation is None or self.data is None:
            return False
        found = [*self.config, *self.data.changes, *self.implementation, *self.outcome]
        return self.data.is_whole and not found and not any(each.differs for each in self.metrics)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form; a part that was not compared is null."""
        return {
            "schema_version": SCHEMA_VERSION,
            "old": _run(self.old),
            "new": _run(self.new),
            "equal": self.is_empty,
            "config": None if self.config is None else [each.to_json() for each in self.config],
            "data": None if self.data is None else _data(self.data),
            "implementation": None if self.implementation is None else [asdict(each) for each in self.implementation],
            "metrics": [{**asdict(each), "difference": each.difference} for each in self.metrics],
            "outcome": [asdict(each) for each in self.outcome],
            "costs": [asdict(each) for each in self.costs],
        }


def compare(old: Side, new: Side) -> RunDiff:
    """Return what differs; of a run with itself nothing. Swapped sides give the same, old and new swapped."""
    return RunDiff(
        old,
        new,
        config=_config(old, new),
        data=_examples(old, new),
        implementation=_implementation(old, new),
        metrics=_metrics(old, new),
        outcome=_outcome(old, new),
        costs=[
            Change("seconds", old.told["seconds"], new.told["seconds"]),
            Change("cost_usd", old.told["cost_usd"], new.told["cost_usd"]),
            *(Change(name, *(_trained(side, name) for side in (old, new))) for name in ("trained_tokens", "job_id")),
        ],
    )


def _config(old: Side, new: Side) -> list[SettingChange] | None:
    if old.settings is None or new.settings is None:
        return None
    was, now = ({line["key"]: line for line in side.settings or ()} for side in (old, new))
    return [
        SettingChange(key, was.get(key), now.get(key))
        for key in dict.fromkeys([*now, *was])
        if key not in was or key not in now or was[key]["value"] != now[key]["value"]
    ]


def _examples(old: Side, new: Side) -> DataDiff | None:
    """Return the difference of the whole datasets, or of the test examples where only these are left."""
    counts = [side.told["dataset"]["counts"] for side in (old, new)]
    splits = tuple(split for split in SPLITS if split in USUAL or any(split in each for each in counts))
    if old.dataset_key is not None and old.dataset_key == new.dataset_key:
        return DataDiff(splits, [])
    if old.examples is not None and new.examples is not None:
        return DataDiff(splits, diff_examples(old.examples, new.examples))
    if old.tested is not None and new.tested is not None:
        return DataDiff(("test",), diff_examples(old.tested, new.tested))
    return None


def _implementation(old: Side, new: Side) -> list[Change] | None:
    """Return the versions that differ; none where the keys are the same, which versions enter."""
    was, now = ({each["key"] for each in side.told["actions"]} for side in (old, new))
    if was and was == now:
        return []
    if old.versions is None or new.versions is None:
        return None
    both = [name for name in new.versions if name in old.versions]
    found = [Change(name, old.versions[name], new.versions[name]) for name in both]
    return [each for each in found if each.differs]


def _metrics(old: Side, new: Side) -> list[MetricChange]:
    was, now = (
        {
            (m["metric"], m["slice"], arm): (m, numbers)
            for m in side.told["metrics"]
            for arm, numbers in m["arms"].items()
        }
        for side in (old, new)
    )
    found = []
    for name in dict.fromkeys([*now, *was]):
        metric = (now.get(name) or was[name])[0]
        sides = [side[name][1] if name in side else None for side in (was, now)]
        found.append(MetricChange(name[0], metric["label"], name[1], name[2], metric["lower_is_better"], *sides))
    return found


def _outcome(old: Side, new: Side) -> list[Change]:
    """Return verdict, ending and the conditions of the goal that ended otherwise."""
    was, now = ({each["name"]: each["ending"] for each in side.told["goal"]} for side in (old, new))
    found = [Change(name, old.told[name], new.told[name]) for name in ("verdict", "ending")]
    found += [Change(f"goal.{name}", was.get(name), now.get(name)) for name in dict.fromkeys([*now, *was])]
    return [each for each in found if each.differs]


def _trained(side: Side, name: str) -> Any:
    if name == "job_id":
        return next(iter(side.told["jobs"]), None)
    return side.training[name] if side.training else None


def _run(side: Side) -> dict[str, Any]:
    told = side.told
    return {"run_id": side.run_id, **{name: told.get(name) for name in ("experiment", "started_at", "commit", "dirty")}}


def _data(data: DataDiff) -> dict[str, Any]:
    return {
        "splits": list(data.splits),
        "counts": data.counts(),
        "test_differs": data.test_differs,
        "changes": [{"what": each.what, "old": _placed(each.old), "new": _placed(each.new)} for each in data.changes],
    }


def _placed(each: Placed | None) -> dict[str, Any] | None:
    return None if each is None else {**asdict(each), "messages": list(each.messages) or None}
