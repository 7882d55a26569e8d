import json
import random
from pathlib import Path
from typing import Any

import pytest
from settings_fixture import TINY, graph, settings

from ftbuild.composed import Composed
from ftbuild.foresight import _sure_from, foresee
from ftbuild.lookup import Planned
from ftbuild.origins import Origins
from ftbuild.plan.action import TARGETS
from ftbuild.points import Point
from ftbuild.settings import Condition
from ftbuild.stats import interval, judge
from ftbuild.stats.clustered import Clusters
from ftbuild.stats.power import smallest_shown
from ftbuild.store.store import Record, Store


@pytest.mark.parametrize("condition", [Condition(at_least=0.8), Condition(at_least=0.6), Condition(at_most=0.3)])
def test_at_the_value_foreseen_a_condition_is_met_about_four_times_in_five(condition: Condition) -> None:
    value = _sure_from(condition, Clusters([0.0] * 200), lower=False)
    assert value is not None
    draw = random.Random(5)
    met = sum(
        judge(condition, interval([float(draw.random() < value) for _ in range(200)])).ending == "met"
        for _ in range(400)
    )
    assert 0.72 <= met / 400 <= 0.93


def test_more_examples_show_less_and_too_few_show_nothing() -> None:
    condition = Condition(beats="base", by=0.1)
    found = [_sure_from(condition, Clusters([float(i % 3 == 0) for i in range(n)]), lower=False) for n in (9, 100, 400)]
    assert found == [pytest.approx(each) if each else None for each in (0.64, 0.3, 0.2)]
    assert _sure_from(condition, Clusters([]), lower=False) is None


def test_where_lower_is_better_the_value_lies_below() -> None:
    value = _sure_from(Condition(beats="base"), Clusters([float(i % 2) for i in range(100)]), lower=True)
    assert value is not None
    assert -0.25 < value < -0.1


@pytest.mark.parametrize(
    "condition", [Condition(at_least=0.995), Condition(at_most=0.005), Condition(at_least=0.97), Condition(at_least=1)]
)
def test_near_the_end_of_the_range_the_steps_are_smaller(condition: Condition) -> None:
    """The first value that is shown, looked for in steps of a millionth."""
    wanted, side = (condition.at_least, 1) if condition.at_least is not None else (condition.at_most or 0, -1)
    n = 100_000
    value = _sure_from(condition, Clusters([0.0] * n), lower=False)
    if wanted == 1:
        assert value is None
        return

    def is_shown(away: float) -> bool:
        spread = ((wanted * (1 - wanted) + (wanted + side * away) * (1 - wanted - side * away)) / 2) ** 0.5
        return smallest_shown(spread / n**0.5, n) <= away

    first = next(each / 1e6 for each in range(1, 10**6) if is_shown(each / 1e6))
    assert value is not None
    assert first <= side * (value - wanted) + 1e-9 <= first + 0.001
    assert 0 < value < 1


def planned(store: Store, outputs: dict[tuple[str, str], dict[str, Any]]) -> list[Planned]:
    """Return the plan of an experiment in which every answer is a target, with the outputs that are there."""
    found = []
    for action in graph(TINY).actions.values():
        made = {
            name: store.put(lines(each)) for name, each in outputs.get((action.kind.name, action.label), {}).items()
        }
        record = Record("k" * 64, action.kind.name, action.label, made, "", 1.0, 1.0) if made else None
        found.append(Planned(action, None, "HIT" if made else "RUN", [], record))
    return found


def lines(examples: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in examples)


def test_what_is_told_of_is_the_answers_that_are_scored(tmp_path: Path) -> None:
    """50 conversations of 4 answers: 200, in groups of 4; an answer without a score leaves its neighbours theirs."""
    store, given = Store(tmp_path), settings(TINY)
    examples = [{"id": f"e{i}", "group": f"g{i}", "slices": {"source": "pairs"}} for i in range(50)]
    targets = [each | {"id": f"{each['id']}#{k}"} for each in examples for k in range(4)]
    base = {each["id"]: float(number % 4 < 2) for number, each in enumerate(targets) if number}
    scores = [{"id": name, "scores": {"style.all_kept": value}} for name, value in base.items()]
    there = {("dataset", "dataset"): {"test.jsonl": examples}, ("score", "base scores"): {"scores.jsonl": scores}}
    wanted = {"require": {"better": Condition(beats="base")}, "keep": {}, "metric": "style.all_kept"}
    goal = given.goal.model_copy(update=wanted)

    def foreseen(outputs: dict[tuple[str, str], dict[str, Any]]) -> Any:
        all_of_it = planned(store, outputs)
        return foresee(
            goal,
            Point(Composed("mine", "", (), TINY, Origins({})), (), tuple(one.action.id for one in all_of_it)),
            all_of_it,
            store,
        )

    assert foreseen(there) is None
    found = foreseen(there | {(TARGETS.name, "targets"): {"test.jsonl": targets}})
    groups = {str(each["id"]): str(each["group"]) for each in targets}
    expected = _sure_from(
        Condition(beats="base"), Clusters(list(base.values()), [groups[str(each)] for each in base]), False
    )
    assert (found.n, found.measured, found.sure_from) == (200, True, {"better": expected})
