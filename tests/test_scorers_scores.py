from typing import get_args

import pytest
from settings_fixture import FULL, settings

from ftbuild import scorers
from ftbuild.scorers.case import Case, Score
from ftbuild.settings import Style, StyleRules
from ftbuild.settings.contradictions import metrics_of
from ftbuild.settings.evaluation import ScorerName, ScorerOptions

STYLE = Style(language="en", system="x", rules=StyleRules(emoji="never", contractions="never"))


def _options(*names: ScorerName) -> dict[ScorerName, ScorerOptions]:
    return {name: ScorerOptions() for name in names}


def score(name: scorers.ScorerName, output: str, target: str = "It is done.") -> list[Score]:
    (scorer,) = scorers.build({name: ScorerOptions()}, STYLE)
    return scorer.score(Case("1", "its done", target, output))


def test_scorers_come_in_the_order_asked_with_name_and_version() -> None:
    built = scorers.build(_options("exact", "style", "chrf", "facts"), STYLE)
    assert [(each.name, each.version) for each in built] == [("exact", 1), ("style", 1), ("chrf", 1), ("facts", 1)]


def test_every_metric_of_every_scorer_has_a_description() -> None:
    built = scorers.build(_options(*get_args(ScorerName)), STYLE)
    assert {metric for each in built for metric in each.metrics} <= set(scorers.METRICS)


def test_a_goal_may_name_the_metrics_that_the_scorers_give_and_no_others() -> None:
    evaluation = FULL["evaluation"] | {"scorers": {name: {} for name in get_args(ScorerName)}}
    chosen = settings(FULL | {"evaluation": evaluation})
    built = scorers.build(chosen.evaluation.scorers, chosen.style)
    assert metrics_of(chosen) == [metric.name for each in built for metric in each.metrics]


def test_style_scores_each_rule_that_is_on_and_all_together() -> None:
    assert score("style", "It's done.") == [
        Score("style.all_kept", 0.0, ["contractions"]),
        Score("style.contractions", 0.0, ['"It\'s" at character 1']),
        Score("style.emoji", 1.0, []),
    ]


def test_an_empty_answer_keeps_no_rule() -> None:
    assert [each.value for each in score("style", " ")] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(("output", "value"), [("It is\u00a0 done.", 1.0), ("It is done", 0.0), ("", 0.0)])
def test_exact_folds_spaces_and_unicode_forms(output: str, value: float) -> None:
    assert score("exact", output) == [Score("exact", value)]


def chrf_by_hand(output: str, target: str) -> float:
    """chrF2 of Popović 2015 as sacrebleu averages it: precision and recall over orders, then F."""
    precisions, recalls = [], []
    for n in range(1, 7):
        grams = []
        for text in (output, target):
            joined = text.replace(" ", "")
            grams.append([joined[i : i + n] for i in range(len(joined) - n + 1)])
        hypothesis, reference = grams
        if hypothesis and reference:
            match = sum(min(hypothesis.count(gram), reference.count(gram)) for gram in set(hypothesis))
            precisions.append(match / len(hypothesis))
            recalls.append(match / len(reference))
    precision, recall = sum(precisions) / len(precisions), sum(recalls) / len(recalls)
    return 5 * precision * recall / (4 * precision + recall)


def test_chrf_is_the_published_formula() -> None:
    (found,) = score("chrf", "It was done today.")
    assert found.value == pytest.approx(chrf_by_hand("It was done today.", "It is done."))


@pytest.mark.parametrize(("output", "value"), [("It is done.", 1.0), ("", 0.0)])
def test_chrf_goes_from_nothing_to_one(output: str, value: float) -> None:
    (found,) = score("chrf", output)
    assert found.value == pytest.approx(value)
