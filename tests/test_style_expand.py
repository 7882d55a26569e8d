import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftbuild.settings import Style, StyleRules
from ftbuild.style import expand

STYLE = Style(
    language="en",
    system="Write formally.",
    rules=StyleRules(),
    expand={
        "u": "you",
        "ur": "your",
        "r": "are",
        "pls": "please",
        "thx": "thank you",
        "asap": "as soon as possible",
        "b4": "before",
        "hr": "hour",
        "jan": "January",
        "im": "I am",
        "lets": "let us",
        "cant": "cannot",
        "gotta": "have to",
        "lol": "",
        "haha": "",
    },
)
PIECES = [
    *STYLE.expand,
    "don't",
    "i'd",
    "let's",
    "it's",
    "why",
    "Jan",
    "HR",
    "an",
    "in",
    "room",
    "&",
    "3",
    "5 ",
    "like",
]
PIECES += ["Thx", "ASAP", "LOL", "they’re", "can't", ",", ".", "!", "\n", "(", ")", "-", "'", "been", "been?", "x@y.de"]


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("can u send it asap pls", "can you send it as soon as possible please"),
        ("U sent ur form. Thx!", "You sent your form. Thank you!"),
        ("send it ASAP. ASAP means now", "send it as soon as possible. As soon as possible means now"),
        ("half an hr with the hr team", "half an hour with the hr team"),
        ("paid in jan, ask Jan", "paid in January, ask Jan"),
        ("lets go, it lets users in", "let us go, it lets users in"),
        ("room b4 was taken b4 noon", "room b4 was taken before noon"),
    ],
)
def test_short_forms_become_words_in_the_case_they_stood_in(short: str, long: str) -> None:
    assert expand(short, STYLE) == long


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("I don't know, they’re late", "I do not know, they are late"),
        ("I can't and I won't", "I cannot and I will not"),
        ("why didn't we know? can't we ask", "why did we not know? can we not ask"),
        ("it's been fine, that's it, let's go", "it has been fine, that is it, let us go"),
        ("i'd like it, you'd better ask, he'd put it", "I would like it, you had better ask, he'd put it"),
        ("the customer's form, Ana's form", "the customer's form, Ana's form"),
        ("it's gotta be, i've gotta go", "it has to be, I have to go"),
        ("DON'T", "DO NOT"),
    ],
)
def test_contractions_are_written_out_where_they_have_one_reading(short: str, long: str) -> None:
    assert expand(short, STYLE) == long


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("lol that broke", "that broke"),
        ("Haha, that broke", "That broke"),
        ("that broke, lol.", "that broke."),
        ("that, lol, broke haha", "that, broke"),
        ("fine. lol. bye", "fine. bye"),
        ("it broke (lol)", "it broke"),
        ("lol!", "lol!"),
    ],
)
def test_a_word_taken_out_leaves_tidy_text_and_never_nothing(short: str, long: str) -> None:
    assert expand(short, STYLE) == long


@pytest.mark.parametrize(
    "text",
    ["R&D", "R & D", "401(k)", "5k", "e-mail", "u.s.", "the u.s. office", "pls.txt", "a/u/b", "https://x.de/u?r=u",
     "u@r.com", "u-turn", "r2", "#u", "C:\\u\\r", "im@home.de"],
)  # fmt: skip
def test_names_of_files_addresses_and_codes_stay(text: str) -> None:
    assert expand(text, STYLE) == text


@settings(max_examples=150)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join) | st.text(max_size=40))
def test_expanding_twice_is_expanding_once(text: str) -> None:
    once = expand(text, STYLE)
    assert expand(once, STYLE) == once


def test_a_word_written_out_shows_what_its_neighbour_means() -> None:
    assert expand("b4 jan", STYLE) == "before January"
