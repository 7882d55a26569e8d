"""What the points of a sweep come to: who has won, and what is said of it."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbuild.cli.build import confirmed
from ftbuild.cli.sweep_text import text
from ftbuild.errors import ProviderError
from ftbuild.outcome import Build
from ftbuild.plan.graph import Graph
from ftbuild.report.words import REHEARSED
from ftbuild.store.store import Store
from ftbuild.sweep import Asked, Look, Sweep, best

WIDE = 200
MEANS = st.none() | st.floats(0, 1)


def results(mean: float | None, verdict: str = "better", *, lower: bool = False, n: int = 40) -> dict[str, Any]:
    gain = {"difference": 0.1, "low": 0.04, "high": 0.16}
    shown = {
        "metric": "chrf",
        "slice": None,
        "label": "character F-score",
        "lower_is_better": lower,
        "arms": {"tuned": {"n": n, "mean": mean, "low": None, "high": None}},
        "differences": {"base": gain},
    }
    return {"verdict_metric": "chrf", "arm": "tuned", "against": "base", "verdict": verdict, "metrics": [shown]}


def look(name: str, mean: float | None, *, lower: bool = False) -> Look:
    point: Any = SimpleNamespace(name=name)
    return Look(point, None, results(mean, lower=lower), "better", 0.012)  # type: ignore[arg-type]


def told(confirmed: dict[str, Any] | None, **more: Any) -> list[str]:
    """Return what is said after the line of the looks, of a sweep whose second point has won."""
    looks = [look("n_epochs=1", 0.5), look("n_epochs=2", 0.75)]
    asked = Asked(looks[1], looks[1].point, Graph())
    return text(Sweep(looks, (), asked, confirmed, **more), WIDE).split("\n")[1:]


@given(st.lists(MEANS, min_size=1, max_size=6), st.booleans())
def test_the_best_mean_wins_of_equal_ones_the_first_and_none_without_a_value(
    means: list[float | None], lower: bool
) -> None:
    looks = [look(str(number), mean, lower=lower) for number, mean in enumerate(means)]
    valued = [mean for mean in means if mean is not None]
    won = best(looks)
    if not valued:
        assert won is None
    else:
        assert won is looks[means.index(min(valued) if lower else max(valued))]


def test_the_best_point_is_marked_where_all_have_one_metric_and_real_numbers() -> None:
    looks = [look("n=1", 0.5), look("n=2", 0.75)]
    assert Sweep(looks).best is looks[1].point
    assert Sweep([]).best is None
    other = replace(looks[1], results=looks[1].results | {"verdict_metric": "exact"})
    rehearsed = replace(looks[1], results=looks[1].results | {"rehearsed": True})
    assert {Sweep([looks[0], each]).best for each in (other, rehearsed)} == {None}


@pytest.mark.parametrize(
    ("verdict", "word"),
    [
        ("better", "Confirmed"),
        ("worse", "Not confirmed"),
        ("no_difference", "Not confirmed"),
        ("underpowered", "Too few examples to tell"),
    ],
)
def test_the_end_says_whether_the_winner_holds_on_examples_that_nobody_had_looked_at(verdict: str, word: str) -> None:
    assert told(results(0.7, verdict, n=31)) == [
        "Winner n_epochs=2: character F-score 0.75 on the test split, +0.10 (+0.04 to +0.16) to base; "
        "among 2 looks (Holm, p 0.012): better",
        f"Asked again on 31 examples that nobody had looked at: 0.70, +0.10 (+0.04 to +0.16) to base. {word}.",
    ]


def test_examples_that_had_chosen_others_before_are_not_called_untouched() -> None:
    assert told(results(0.7), n_before=1)[-1] == (
        "1 other winner was asked on them before: untouched no more. dataset.split.seed draws new ones."
    )


def test_a_winner_that_could_not_be_asked_is_still_told() -> None:
    assert told(None)[-1] == "It was not asked on the confirm split: the same command asks it."
    why = "the points differ in goal.metric"
    said = text(Sweep([look("a", 0.5), look("b", 0.6)], unasked=why), WIDE).split("\n")
    assert said[-1] == f"No winner was asked on the confirm split: {why}"


def test_a_sweep_without_a_confirm_split_says_nothing_of_a_winner() -> None:
    assert text(Sweep([look("a", 0.5), look("b", 0.6)]), WIDE) == "Of 2 looks at once (Holm): better: a, b"
    assert text(Sweep(), WIDE) == ""


def test_run_json_tells_every_look_who_has_won_and_the_winner_what_it_came_to() -> None:
    looks = [look("a", 0.5), look("b", 0.6)]
    grown: Any = SimpleNamespace(name="b")
    sweep = Sweep(looks, (), Asked(looks[1], grown, Graph()), results(0.7), n_before=2)
    plain = {"looks": 2, "verdict": "better", "p": 0.012, "seeds": None, "winner": "b"}
    assert sweep.with_winner([each.point for each in looks]) == [looks[0].point, grown]
    assert sweep.told_of(looks[0].point) == plain
    assert sweep.told_of(grown) == plain | {"confirmed": results(0.7), "asked_before": 2}
    assert sweep.told_of(SimpleNamespace(name="failed")) is None  # type: ignore[arg-type]
    kept = replace(sweep, confirmed=None)
    assert kept.with_winner([each.point for each in looks]) == [each.point for each in looks]
    assert kept.told_of(looks[1].point) == plain


@pytest.mark.parametrize("raises", [True, False])
def test_where_the_winner_cannot_be_asked_now_the_sweep_keeps_what_it_came_to(tmp_path: Path, raises: bool) -> None:
    looks = [look("a", 0.5), look("b", 0.6)]
    grown: Any = SimpleNamespace(name="b")
    sweep, done = Sweep(looks, (), Asked(looks[1], grown, Graph())), Build(Store(tmp_path))
    gone = ProviderError("the server is gone")

    def walk(*_: object, **__: object) -> Build:
        if raises:
            raise gone
        return replace(done, failed={"tuned confirm": gone})

    walker: Any = SimpleNamespace(site=SimpleNamespace(go_on=lambda *_: None), walk=walk)
    both, told = confirmed(sweep, done, walker)
    assert both is done
    assert told == replace(sweep, error=gone)
    assert told.with_winner([each.point for each in looks]) == [each.point for each in looks]


def test_a_sweep_of_rehearsals_is_called_one() -> None:
    looks = [replace(each, results={**each.results, "rehearsed": True}) for each in (look("a", 0.5), look("b", 0.6))]
    assert text(Sweep(looks), WIDE).splitlines()[0] == REHEARSED
