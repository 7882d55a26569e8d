from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from settings_fixture import FULL, settings

from ftbuild import scorers
from ftbuild.evaluate import scoring
from ftbuild.scorers.case import Case, Score
from ftbuild.scorers.words import words
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
    assert [(each.name, each.version) for each in built] == [("exact", 2), ("style", 1), ("chrf", 1), ("facts", 1)]


def test_every_metric_of_every_scorer_has_a_description() -> None:
    built = scorers.build(_options(*get_args(ScorerName)), STYLE)
    assert {metric for each in built for metric in each.metrics} <= set(scorers.METRICS)


def test_a_goal_may_name_the_metrics_that_the_scorers_give_and_no_others() -> None:
    given = {
        "constraints": {"words": {"at_most": 9}, "language": "en"},
        "grounding": {"abstains": ["does not say"]},
    }
    evaluation = FULL["evaluation"] | {"scorers": {name: given.get(name, {}) for name in get_args(ScorerName)}}
    chosen = settings(FULL | {"evaluation": evaluation})
    built = scorers.build(chosen.evaluation.scorers, chosen.style)
    assert metrics_of(chosen) == [metric.name for each in built for metric in each.metrics]


def test_of_several_samples_the_mean_counts_and_the_worst_is_shown() -> None:
    target = "The fee is 12 euros."
    cases = [Case("1", "fee: 12 euros", target, said) for said in (target, "No idea.", "12 euros.")]
    [line] = scoring.score([cases], scorers.build(_options("facts", "exact"), STYLE))
    assert line["scores"]["exact"] == pytest.approx(1 / 3)
    assert line["sample"] == 1
    assert line["detail"]["facts.kept"]["lost"]
    [first] = scoring.score([cases[1:]], scorers.build(_options("facts"), STYLE))
    assert "sample" not in first


def test_without_a_reference_what_compares_with_one_has_no_value() -> None:
    case = Case("1", "", "get_weather({})", "It rains.", referenced=False)
    built = scorers.build(_options("chrf", "rouge_l", "exact", "facts", "style"), STYLE)
    [line] = scoring.score([[case]], built)
    valued = {name.partition(".")[0] for name, value in line["scores"].items() if value is not None}
    assert valued == {"style"}


def test_style_scores_each_rule_that_is_on_and_all_together() -> None:
    assert score("style", "It's done.") == [
        Score("style.all_kept", 0.0, ["contractions"]),
        Score("style.contractions", 0.0, ['"It\'s" at character 1']),
        Score("style.emoji", 1.0, []),
    ]


def test_an_empty_answer_keeps_no_rule() -> None:
    assert [each.value for each in score("style", " ")] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("output", "same", "normalised"),
    [
        ("It is done.", 1.0, 1.0),
        ("It is\u00a0 done.\n", 0.0, 1.0),
        ("Ｉｔ is done．", 0.0, 1.0),
        ("it is done.", 0.0, 0.0),
        ("", 0.0, 0.0),
    ],
)
def test_exact_is_to_the_letter_and_normalised_folds_spaces_and_unicode_forms(
    output: str, same: float, normalised: float
) -> None:
    assert score("exact", output) == [Score("exact", same), Score("exact.normalised", normalised)]


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


@pytest.mark.parametrize(
    ("target", "output", "value"),
    [
        # Lin 2004, section 3.1
        ("police killed the gunman", "police kill the gunman", 0.75),
        ("police killed the gunman", "the gunman kill police", 0.5),
        # as google-research's rouge-score 0.1.2 computes them, without stemming
        ("The quick brown fox jumps over the lazy dog", "The quick brown dog jumps on the log.", 0.5882352941176471),
        ("testing one two", "testing", 0.5),
        ("Please send 3 files, to Ann by Friday.", "Could you please send Ann 3 files by friday?", 0.7058823529411765),
        # of six characters and five, four are a common subsequence
        ("明日は雨です", "明日も雨だ。", 2 * 3 / 11),
        ("one", "", 0.0),
        ("...", "one", None),
    ],
)
def test_rouge_l_is_the_published_number(target: str, output: str, value: float | None) -> None:
    assert score("rouge_l", output, target) == [Score("rouge_l", value if value is None else pytest.approx(value))]


def longest_common(one: list[str], other: list[str]) -> int:
    """The longest common subsequence, by trying everything."""
    if not one or not other:
        return 0
    if one[0] == other[0]:
        return 1 + longest_common(one[1:], other[1:])
    return max(longest_common(one[1:], other), longest_common(one, other[1:]))


@given(*[st.lists(st.sampled_from(["a", "b", "雨", "で"]), min_size=1, max_size=7)] * 2)
def test_rouge_l_is_what_trying_everything_finds(output: list[str], target: list[str]) -> None:
    found = score("rouge_l", " ".join(output), " ".join(target))
    assert found == [Score("rouge_l", pytest.approx(2 * longest_common(output, target) / (len(output) + len(target))))]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Don't send ＦＩＬＥ_2!", ["don", "t", "send", "file", "2"]),
        ("ｶﾞﾝﾀﾞﾑを3台、Tokyoへ", ["ガ", "ン", "ダ", "ム", "を", "3", "台", "tokyo", "へ"]),
        ("한국어 단어, слово", ["한국어", "단어", "слово"]),
        ("…「」", []),
    ],
)
def test_words_stand_between_spaces_or_are_characters(text: str, found: list[str]) -> None:
    assert words(text) == found
