"""Grounding: what the passages hold, which one is named, and what becomes of questions that they do not answer."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbuild.chat import Message
from ftbuild.retrieval.grounding import block, passages_in, with_context
from ftbuild.retrieval.passages import Passage
from ftbuild.runners.formats import json_lines, parse_lines
from ftbuild.runners.measure import score
from ftbuild.scorers.case import Case, GivenPassage, Score
from ftbuild.scorers.grounding import Grounding
from ftbuild.settings.evaluation import ScorerOptions

SCORER = Grounding(ScorerOptions(abstains=["The handbook does not say", "記載がありません"]))
LEAVE = GivenPassage("Leave, Days", "Everyone has 27 days of paid leave.", True)
OTHER = GivenPassage("Leave", "Requests go to your manager.", False)
REFERENCE = "You have 27 days. (Leave, Days)"
REFUSAL = "The handbook does not say; please ask the People Desk."
GOLD_IS_LEFT_OUT = GivenPassage("Leave, Days", LEAVE.text, False)


def scores(output: str, target: str = REFERENCE, passages: tuple[GivenPassage, ...] = (LEAVE, OTHER)) -> list[Score]:
    return SCORER.score(Case("1", "How many days in 2026?", target, output, passages=passages))


def values(*given: object) -> dict[str, float | None]:
    return {each.metric.removeprefix("grounding."): each.value for each in scores(*given)}  # type: ignore[arg-type]


def test_a_right_answer_is_supported_and_names_its_passage() -> None:
    assert scores("Everyone has 27 days. (Leave, Days)") == [
        Score("grounding.supported", 1.0, []),
        Score("grounding.citation", 1.0, ["Leave, Days"]),
        Score("grounding.abstains", None),
        Score("grounding.invented", 0.0, []),
        Score("grounding.answers", 1.0),
    ]


def test_an_invented_one_says_what_no_passage_holds() -> None:
    assert scores("You have 28 days in 2026. (Leave)") == [
        Score("grounding.supported", 2 / 7, ["you", "have", "28", "in", "2026"]),
        Score("grounding.citation", 0.0, ["Leave"]),
        Score("grounding.abstains", None),
        Score("grounding.invented", 1.0, ["number 28"]),  # the question holds 2026
        Score("grounding.answers", 1.0),
    ]


@pytest.mark.parametrize(
    ("output", "right"),
    [
        ("27. (Leave, Days)", 1.0),
        ("27. (Leave,  Days) (Leave, Days)", 1.0),
        ("27. (Leave, Days) (Leave)", 0.0),
        ("27. (Leave, Weeks)", 0.0),
        ("27. (leave, days)", 0.0),
        ("27.", 0.0),
    ],
)
def test_a_citation_is_the_whole_name_of_the_right_passage_alone(output: str, right: float) -> None:
    assert values(output)["citation"] == right


@pytest.mark.parametrize(
    ("passages", "target", "absent"),
    [
        ((LEAVE, OTHER), REFERENCE, False),
        ((LEAVE, OTHER), REFUSAL, True),
        ((GOLD_IS_LEFT_OUT, OTHER), REFERENCE, True),
        ((OTHER,), REFUSAL, True),
    ],
)
def test_where_the_answer_is_absent_to_abstain_is_right_and_elsewhere_to_answer(
    passages: tuple[GivenPassage, ...], target: str, absent: bool
) -> None:
    refused, answered = values(REFUSAL, target, passages), values(REFERENCE, target, passages)
    assert (refused["abstains"], answered["abstains"]) == ((1.0, 0.0) if absent else (None, None))
    assert (refused["answers"], answered["answers"]) == ((None, None) if absent else (0.0, 1.0))
    assert (refused["supported"], refused["invented"]) == (None, None)


def test_where_nobody_knows_which_passage_is_right_no_citation_is() -> None:
    unknown = (GivenPassage(LEAVE.name, LEAVE.text),)
    found = values(REFERENCE, REFERENCE, unknown)
    assert (found["citation"], found["abstains"], found["answers"]) == (None, None, None)
    assert found["supported"] is not None


def test_an_answer_without_passages_has_no_value_and_an_empty_one_supports_nothing() -> None:
    assert set(values(REFERENCE, REFERENCE, ()).values()) == {None}
    assert values(" ") == {"supported": 0.0, "citation": 0.0, "abstains": None, "invented": 0.0, "answers": 0.0}


def test_japanese_is_held_by_pairs_of_characters() -> None:
    passage = GivenPassage("休暇", "有給休暇は年に二十日です。", True)
    [supported, *_] = scores("休暇は年に三十日です。", "二十日です。", (passage,))
    assert supported == Score("grounding.supported", 1 - 2 / 9, ["に三", "三十"])


NAMES = st.text('abc "<>&,休', min_size=1, max_size=12)
TEXTS = st.text("ab\n <>/&休", min_size=1, max_size=30).map(lambda text: f"x{text}</passage>{text}x")


@given(st.lists(st.tuples(NAMES, TEXTS), max_size=4), TEXTS)
def test_passages_are_read_back_from_the_prompt_by_their_own_names(found: list[tuple[str, str]], asked: str) -> None:
    passages = [Passage("x.md", 1, name, (), text) for name, text in found]
    read = passages_in(with_context(block(passages), asked))
    assert read == [(name, text.replace("</passage>", "&lt;/passage>")) for name, text in found]


def test_a_build_takes_the_passages_from_the_prompt_and_the_right_one_from_provenance() -> None:
    passages = [Passage("leave.md", 1, "Leave", ("Days",), LEAVE.text), Passage("leave.md", 9, "Leave", (), OTHER.text)]
    asked = with_context(block(passages), 'What is <passage name="x">\ny\n</passage>?')
    example = {
        "id": "1",
        "raw": "How many days?",
        "group": "g",
        "slices": {},
        "messages": [Message("user", asked).to_json(), Message("assistant", REFERENCE).to_json()],
    }
    lines = {
        "examples": json_lines([example]),
        "predictions": json_lines([{"id": "1", "content": REFERENCE}]),
        "provenance": json_lines([{"id": "1", "passages": [{"gold": True}, {"gold": False}]}]),
    }
    options = json.loads(SCORER.options.model_dump_json(exclude_defaults=True))
    settings = {"scorers": [["grounding", 1, options]], "rules": {}, "slang": [], "language": "en"}
    [line] = parse_lines(score(settings, lines, {}).outputs["scores.jsonl"])
    assert line["scores"] == {each.metric: each.value for each in scores(REFERENCE)}
