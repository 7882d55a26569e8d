import pytest

from ftbuild.settings import Style, StyleRules
from ftbuild.settings.style import AtMost
from ftbuild.style import sentence_case, sentences, violations

STYLE = Style(
    language="en",
    system="Write formally.",
    rules=StyleRules(
        contractions="never",
        slang="never",
        emoji="never",
        exclamation_marks="never",
        sentence_case="always",
        sentence_words=AtMost(at_most=8),
        banned=("no worries", "can you", "what's up"),
        required=("please", "thank you"),
    ),
    slang=("hey", "ok", "asap"),
)


def broken(text: str) -> dict[str, list[str]]:
    return {rule: found for rule, found in violations(text, STYLE).items() if found}


def test_a_formal_text_breaks_no_rule() -> None:
    assert violations("Thank you. Could Dr. Ito call on Monday?", STYLE) == {
        "contractions": [],
        "slang": [],
        "emoji": [],
        "exclamation_marks": [],
        "sentence_case": [],
        "sentence_words": [],
        "banned": [],
        "required": [],
    }


def test_rules_that_are_off_are_not_checked() -> None:
    off = Style(language="en", system="x", rules=StyleRules(emoji="never"))
    assert violations("hey!! don't 🙏", off) == {"emoji": ["'🙏' at character 13"]}


@pytest.mark.parametrize(
    ("rule", "text", "found"),
    [
        ("contractions", "Please do, I’m in. It's on. Wheres it?", ["'I’m' at 12", '"It\'s" at 20', "'Wheres' at 29"]),
        ("contractions", "Please see Ana's form and the site's in bits.", ['"site\'s" at 31']),
        ("slang", "Please, Hey, look OK. Not asap.pdf.", ["'Hey' at 9", "'OK' at 19"]),
        ("emoji", "Please :) see 👍🏽.", ["':)' at 8", "'👍🏽' at 15"]),
        ("exclamation_marks", "Please stop!! Now！", ["'!!' at 12", "'！' at 18"]),
        ("sentence_words", "Please do. A b c d e f g h i.", ["'A b c d e ... (9 words)' at 12"]),
        ("banned", "Please, No  worries. What’s up?", ["'No  worries' at 9", "'What’s up' at 22"]),
        ("required", "Do it.", ["'none of please, thank you' at 1"]),
    ],
)
def test_a_broken_rule_says_what_and_where(rule: str, text: str, found: list[str]) -> None:
    assert violations(text, STYLE)[rule] == [each.replace(" at ", " at character ") for each in found]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Please do. it is late", ["it", "late"]),
        ("Please, i said on monday.", ["i", "monday"]),
        ("Please use iOS. eu-west-2 is up. \"Quoted\" is fine.", []),
        ("Dear Ana,\n\nPlease call. Thank you, at 6 p.m.", []),
        ("Please note: 3 are left. $5 is due. See below:", []),
        ("", [""]),
    ],
)  # fmt: skip
def test_sentence_case_finds_small_starts_and_missing_stops(text: str, found: list[str]) -> None:
    assert [each.split("' at")[0].strip("'") for each in violations(text, STYLE)["sentence_case"]] == found


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("One. Two? Three", ["One.", "Two?", "Three"]),
        ("Call Mr. Ito at 3 p.m. on Monday. No. 5 is free.", ["Call Mr. Ito at 3 p.m. on Monday.", "No. 5 is free."]),
        ("It ends at 6 p.m. Please come.", ["It ends at 6 p.m.", "Please come."]),
        ("It is at 6 p.m. Friday.", ["It is at 6 p.m. Friday."]),
        ("No. It is v2.3.1.", ["No.", "It is v2.3.1."]),
        ('He said "stop." Then left.', ['He said "stop."', "Then left."]),
        ("Dear Ana,\nthis is it.", ["Dear Ana,", "this is it."]),
    ],
)
def test_sentences_end_at_stops_that_are_no_abbreviation(text: str, parts: list[str]) -> None:
    assert sentences(text) == parts


@pytest.mark.parametrize(
    ("text", "cased"),
    [
        ("where is it", "Where is it?"),
        ("i paid on friday. can you check", "I paid on Friday. Can you check?"),
        ("it ends at 6 p.m.", "It ends at 6 p.m."),
        ("see eu-west-2,", "See eu-west-2."),
        ("", ""),
    ],
)
def test_sentence_case_capitalises_and_closes(text: str, cased: str) -> None:
    assert sentence_case(text) == cased
