import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbuild.scorers.case import Case, Score
from ftbuild.scorers.facts import Facts
from ftbuild.scorers.mentions import mentions


def facts(text: str) -> list[str]:
    return sorted(str(fact) for fact in mentions(text).facts)


def scores(casual: str, formal: str, output: str) -> tuple[float | None, float | None]:
    kept, invented = Facts().score(Case("1", casual, formal, output))
    return kept.value, invented.value


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("3pm or 3 p.m. or 15:00", ["time 15:00"]),
        ("3:30 and 03:47", ["time 03:47", "time 3:30"]),
        ("10 in the morning", ["time 10:00"]),
        ("july 5th, 5 July, July 5, the 5th of july", ["date July 5"]),
        ("March 3, 2025 and 2025-03-03", ["date March 3", "number 2025"]),
        ("thurs, Thursday's and weds", ["weekday Thursday", "weekday Wednesday"]),
        ("on sat we sat in the sun", ["weekday Saturday"]),
        ("in sept, in may. May I? You may", ["month May", "month September"]),
        ("tmrw, today, noon, before eod", ["day end of day", "day noon", "day today", "day tomorrow"]),
        ("1,360 and 1360 and 0.5", ["number 0.5", "number 1360"]),
        ("$16,250 or 18 bucks, 5 percent or 5%", ["number $16250", "number $18", "number 5%"]),
        ("5k, five thousand, 1.5 million", ["number 1500000", "number 5000"]),
        ("twenty-five, two hundred and five, a dozen, third", ["number 12", "number 205", "number 25", "number 3"]),
        ("one of them, at first", []),
        ("30-day, 12gb, 2.6s, 22nd", ["number 12", "number 2.6", "number 22", "number 30"]),
        ("2-4 or 2 to 4", ["number 2", "number 4"]),
        ("SKU-22 v2.3.1 0.19.4 B12 77-1042", ["code 0.19.4", "code 77-1042", "code b12", "code sku-22", "code v2.3.1"]),
        ("#4417, #A5519, a_b.cc, x.y@z.de", ["code a5519", "code a_b.cc", "code x.y@z.de", "number 4417"]),
        ("70/30", ["number 70/30"]),
    ],
)
def test_a_fact_is_found_whatever_its_spelling(text: str, found: list[str]) -> None:
    assert facts(text) == found


CASUAL = "hi mr okafor, wei-ling paid $18 at 3pm on thurs, order #4417. can u call brazil b4 8/21?"
FORMAL = (
    "Dear Mr. Okafor, your colleague Wei-Ling paid 18 dollars at 3 p.m. on Thursday, order 4417. "
    "Could you please call Brazil before 8/21?"
)


def test_the_detail_lists_kept_lost_and_invented_facts() -> None:
    output = "Dear Mr. Okafor, Wei-Ling paid 19 dollars at 15:00. Please call our Brazilian office, John."
    detail = {
        "kept": ["time 15:00", "name okafor", "name weiling"],
        "lost": ["number 8/21", "weekday Thursday", "number $18", "number 4417", "name brazil"],
        "invented": ["number $19", "name john"],
    }
    assert Facts().score(Case("1", CASUAL, FORMAL, output)) == [
        Score("facts.kept", 3 / 8, detail),
        Score("facts.invented", 1.0, detail),
    ]


@pytest.mark.parametrize(
    "output", [FORMAL, CASUAL, FORMAL.replace("18 dollars", "$18"), FORMAL.replace("8/21", "August 21")]
)
def test_reference_echo_and_other_spellings_keep_all_and_invent_nothing(output: str) -> None:
    assert scores(CASUAL, FORMAL, output) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("casual", "formal", "output", "expected"),
    [
        ("it is 11 degrees", "It is 11 degrees.", "It is at 11:00.", (1.0, 1.0)),
        ("by the end of july", "By the end of July.", "By July 15.", (1.0, 1.0)),
        ("call me til 6", "Call me until 6.", "Call me until 6:00.", (1.0, 0.0)),
        ("on april 6", "On April 6.", "On April 7.", (0.0, 1.0)),
        ("on april 6", "On April 6.", "In April.", (0.0, 0.0)),
        ("paid twice", "It was paid twice.", "It was paid 2 times.", (None, 0.0)),
        ("see tariq", "Please see Tariq.", "Please see Tariq's note.", (1.0, 0.0)),
        ("it broke", "It broke.", "Dear Sir or Madam, I regret that it broke.", (None, 0.0)),
        ("may i go", "May I go?", "We may go in May.", (None, 1.0)),
    ],
)
def test_changed_facts_are_lost_and_invented(
    casual: str, formal: str, output: str, expected: tuple[float | None, float | None]
) -> None:
    assert scores(casual, formal, output) == expected


@given(st.integers(2, 10**7), st.integers(2, 10**7))
def test_another_number_is_never_kept(number: int, other: int) -> None:
    expected = (1.0, 0.0) if number == other else (0.0, 1.0)
    assert scores(f"we got {number}", f"We received {number}.", f"We received {other:,}.") == expected


@given(st.integers(0, 99))
def test_number_words_and_digits_are_the_same(number: int) -> None:
    ones = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    words = (ones + "seventeen eighteen nineteen").split()
    tens = [*"xx", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
    word = words[number] if number < 20 else f"{tens[number // 10]}-{words[number % 10]}".removesuffix("-zero")
    assert mentions(f"about {word} of them").hold(mentions(f"{number}").facts[0])
