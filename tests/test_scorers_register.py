"""Register: shares of sentences, by their ends in Japanese and by informal markers in English."""

import json
from pathlib import Path
from statistics import fmean

import pytest

from ftbuild.scorers.case import Case, Score
from ftbuild.scorers.register import Register
from ftbuild.settings import Style, StyleRules

DATA = Path(__file__).parents[1] / "datasets" / "sources" / "polite_ja"
SCORER = Register(Style(language="en", system="", rules=StyleRules(), slang=("asap",)))


def values(output: str) -> tuple[float | None, ...]:
    return tuple(each.value for each in SCORER.score(Case("1", "", "", output)))


@pytest.mark.parametrize(
    ("output", "found"),
    [
        ("承知しました。明日伺います。", (1.0, 0.0, None)),
        ("承知しました。明日行くよ。", (0.5, 1.0, None)),
        ("了解。明日行くよ。", (0.0, 0.0, None)),
        ("「了解」とのことです。", (1.0, 0.0, None)),
        ("It is done. Please send it.", (None, None, 0.0)),
        ("It's done. Please send it ASAP! It is late. Bye.", (None, None, 0.5)),
        ("", (None, None, None)),
    ],
)
def test_ends_and_markers_are_shares_of_sentences(output: str, found: tuple[float | None, ...]) -> None:
    assert values(output) == found


def test_details_name_the_ends_and_the_markers() -> None:
    japanese, _, _ = SCORER.score(Case("1", "", "", "承知しました。明日行くよ。"))
    assert japanese == Score("register.desu_masu_ends", 0.5, ["明日行くよ"])
    *_, english = SCORER.score(Case("1", "", "", "It's done, ASAP!"))
    assert english.detail == ["It's", "ASAP", "!"]


def test_it_tells_the_polite_texts_of_the_data_from_the_plain_ones() -> None:
    pairs = [
        json.loads(line) for name in ("pairs", "unseen") for line in (DATA / f"{name}.jsonl").read_bytes().splitlines()
    ]
    polite, plain = ([values(each[how])[0] for each in pairs] for how in ("polite", "plain"))
    assert set(polite) == {1.0}
    assert fmean(each for each in plain if each is not None) < 0.05
