"""The trials of a search as the driver takes them: who is asked for, what is remembered, and where it ends."""

import json
from pathlib import Path

import pytest
from settings_fixture import FULL, graph

from ftbuild.cli.choosing import Outcome
from ftbuild.cli.driven import refuse_outage
from ftbuild.cli.trials import Trials, memory
from ftbuild.cli.walk import between
from ftbuild.composed import Composed
from ftbuild.errors import CostError, EvaluationError, FtbuildError, JobError, ProviderError, StoreError
from ftbuild.origins import Origins
from ftbuild.outcome import Build
from ftbuild.points import Point
from ftbuild.problem import Problem
from ftbuild.search import Range, Search, remembered
from ftbuild.store.store import Store

DEAR = CostError(Problem("one paid job, about $2.00 in all: more than --max-cost 1", "command line"))


def search(n_trials: int = 4, finalists: int = 1, at_once: int = 1) -> Search:
    keys = {"seed": Range(1, 1000, whole=True)}
    return Search(n_trials, "random", 1, at_once, finalists, keys, {}, {"seed": ("conf/sweep/ours.yaml", 4, "/here")})


def point() -> Point:
    return Point(Composed("tone", "", ("+experiment=tone",), {}, Origins({})), ("+experiment=tone",), ())


def tell(trials: Trials, *means: float | None) -> str:
    asked = trials.ask()
    worth = {"metric": "chrf", "n": 5, "lower_is_better": False}
    found = [
        Outcome(trial, None if mean is None else {**worth, "mean": mean}, "" if mean is not None else "it failed")
        for trial, mean in zip(asked, means, strict=True)
    ]
    said = trials.tell(found)
    trials.keep()
    return said


def test_a_trial_is_asked_for_in_words_and_knows_the_line_that_draws_it(tmp_path: Path) -> None:
    [trial] = Trials(search(), point(), tmp_path / "memory").ask()
    experiment, seed = trial.asked.words
    assert (experiment, seed.partition("=")[0], trial.name) == ("+experiment=tone", "seed", seed)
    assert str(trial.asked.origins["seed"]) == "conf/sweep/ours.yaml:4"


def test_failed_trials_are_told_and_stop_no_others_and_the_best_ones_are_built(tmp_path: Path) -> None:
    trials = Trials(search(4, finalists=2), point(), tmp_path / "memory")
    assert "failed" in tell(trials, None)
    for mean in (0.25, 0.5, 0.125):
        tell(trials, mean)
    assert trials.ask() == []
    second, third = remembered(tmp_path / "memory")[1:3]
    assert [each.name for each in trials.finalists()] == [
        f"seed={third.values['seed']}",
        f"seed={second.values['seed']}",
    ]
    assert trials.stopped()[1] == "Failed: trial 1 (it failed)"
    json.dumps(trials.to_json())


def test_a_search_ends_with_the_trials_that_the_money_allows(tmp_path: Path) -> None:
    trials = Trials(search(), point(), tmp_path / "memory")
    trials.ask()
    assert not trials.ends_at(DEAR)  # there is nothing to build
    trials = Trials(search(), point(), tmp_path / "memory")
    tell(trials, 0.5)
    trials.ask()
    assert trials.ends_at(DEAR)
    assert trials.ask() == []
    assert len(trials.finalists()) == 1
    assert trials.stopped()[-1] == (
        "The search has ended early: command line: one paid job, about $2.00 in all: more than --max-cost 1"
    )
    assert len(Trials(search(), point(), tmp_path / "memory").ask()) == 1  # the next command goes on


def test_what_was_told_is_written_once_it_is_kept_and_once_only(tmp_path: Path) -> None:
    path = tmp_path / "memory"
    trials = Trials(search(), point(), path)
    [trial] = trials.ask()
    trials.tell([Outcome(trial, {"metric": "chrf", "n": 5, "mean": 0.5, "lower_is_better": False})])
    assert not path.exists()  # a plan writes nothing
    tell(trials, 0.25)
    trials.keep()
    assert [each.mean for each in remembered(path)] == [0.5, 0.25]


@pytest.mark.parametrize(
    ("error", "is_its_own"),
    [
        (JobError("it diverged"), True),
        (ProviderError("no such rate", status=400), True),
        (ProviderError("no room today", status=503), False),
        (ProviderError("too many requests", status=429), False),
        (ProviderError("the key is refused", status=401), False),
        (ProviderError("cannot be reached"), False),
        (StoreError("the disk is full"), False),
    ],
)
def test_only_what_failed_for_a_reason_of_its_own_counts_as_a_failed_trial(
    tmp_path: Path, error: FtbuildError, is_its_own: bool
) -> None:
    done = Build(Store(tmp_path), {}, {"job": error})
    if is_its_own:
        refuse_outage(done)
    else:
        with pytest.raises(type(error)) as raised:
            refuse_outage(done)
        assert raised.value is error


def test_money_that_ends_after_some_was_paid_says_what_becomes_of_that() -> None:
    assert str(between(DEAR)) == (
        "command line: one paid job, about $2.00 in all: more than --max-cost 1\n"
        "    Nothing more was sent. What was paid for is kept, and the same command goes on from there."
    )


def test_where_no_trial_has_a_value_nothing_is_built(tmp_path: Path) -> None:
    trials = Trials(search(1), point(), tmp_path / "memory")
    tell(trials, None)
    with pytest.raises(EvaluationError, match=r"^no point is left to build: seed=\d+: it failed$"):
        trials.finalists()


def test_more_trials_are_the_same_search_and_other_settings_are_another(tmp_path: Path) -> None:
    store, given, other = Store(tmp_path), graph(FULL), graph(FULL | {"seed": 8})
    one, two = (Point(point().composed, (), tuple(each.actions)) for each in (given, other))
    places = [
        memory(search(4), given, one, store),
        memory(search(9, finalists=2, at_once=3), given, one, store),
        memory(search(4), other, two, store),
    ]
    assert places[0] == places[1] != places[2]
