"""Score lines of one configuration, built with several seeds -> its metric over seeds and over examples.

Pure. The seeds are told apart from the examples: the interval is that of other examples, for the mean of these models.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

from ftbuild.evaluate.compare import CONFIDENCE, Lines
from ftbuild.scorers import metric_of
from ftbuild.stats import compare as paired
from ftbuild.stats import interval, spread


def over_seeds(arms: Mapping[int, Mapping[str, Lines]], metric: str, arm: str, against: str) -> dict[str, Any]:
    """Return what several seeds of one configuration come to; `arms` are the score lines of each seed's arms.

    `spread` is of the arm's mean by seed, `over_examples` the interval of the mean of all seeds, `gain` the paired
    difference to `against`; for both of them an example's value is its mean over the seeds. `is_hidden` says that the
    arm is better by less than its seeds differ. Only examples with a value from every seed count.
    """
    judged, other = ([_values(lines[name], metric) for lines in arms.values()] for name in (arm, against))
    shared = [each for each in judged[0] if all(each in values for values in (*judged, *other))]
    groups = {line["id"]: line["group"] for line in next(iter(arms.values()))[arm]}
    found = spread([fmean(values[each] for each in shared) for values in judged] if shared else [])
    over, before = ({each: fmean(values[each] for values in side) for each in shared} for side in (judged, other))
    gain = paired(before, over, groups, CONFIDENCE)
    side = -1 if metric_of(metric).lower_is_better else 1
    return {
        "metric": metric,
        "label": metric_of(metric).label,
        "lower_is_better": metric_of(metric).lower_is_better,
        "arm": arm,
        "against": against,
        "seeds": list(arms),
        "spread": asdict(found),
        "over_examples": asdict(interval(list(over.values()), [groups[each] for each in over], CONFIDENCE)),
        "gain": asdict(gain),
        "is_hidden": gain.difference is not None and found.hides(side * gain.difference),
    }


def _values(lines: Sequence[Mapping[str, Any]], metric: str) -> dict[str, float]:
    values = {line["id"]: line["scores"].get(metric) for line in lines}
    return {name: value for name, value in values.items() if value is not None}
