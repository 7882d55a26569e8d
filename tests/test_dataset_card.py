"""The dataset card: what is in the folder, counted; a price has a date, and no price is not nothing."""

import re
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from config_fixture import CONF
from hypothesis import given
from hypothesis import strategies as st

from ftbuild import tokens
from ftbuild.dataset import histogram, prices
from ftbuild.dataset.card import Card, Fact
from ftbuild.profiles import profiles
from ftbuild.render.methods import VALUES
from ftbuild.runners.counting import facts, read, written
from ftbuild.settings import Source

SOURCE = Source(
    kind="pairs", path="data/a.jsonl", input="i", target="t", group="g", licence="CC0-1.0", origin="Written | here."
)
SOURCES = {"b": SOURCE.model_copy(update={"path": "data/b.jsonl", "only": "test"}), "a": SOURCE}
FACTS = [
    Fact("train", "a", (("language", "en"),), 40, 10, (1, 0), ("get_weather",), True),
    Fact("train", "a", (("language", "ja"),), 70, 12, (2,), ("get_weather", "calculate"), True),
    Fact("validation", "a", (("language", "en"),), 50, 9, (0,), (), True),
    Fact("test", "b", (("language", "en"),), 60, 0, (1,), ("calculate",), True),
]
CARD = Card(
    digest="ab" * 32,
    method="supervised",
    encoding="o200k_base",
    counted=Counter(FACTS),
    sources=SOURCES,
    dropped={"duplicate": 2, "email redacted": 3},
    made_from="cd" * 32,
    prices=prices.of_profiles(profiles(CONF.parent, {}), "supervised"),
)
WANTED = f"""\
# Dataset abababababab

| split | examples | tokens | of them answers to learn | longest line |
|---|---|---|---|---|
| train | 2 | 110 | 22 | 70 |
| validation | 1 | 50 | 9 | 50 |
| test | 1 | 60 | 0 | 60 |

Tokens are counted in o200k_base, as OpenAI counts; other models cut texts otherwise.
An epoch trains on 110 tokens.

| source | train | validation | test | file | split | licence | origin |
|---|---|---|---|---|---|---|---|
| a | 2 | 1 | 0 | data/a.jsonl | by group | CC0-1.0 | Written \\| here. |
| b | 0 | 0 | 1 | data/b.jsonl | test | CC0-1.0 | Written \\| here. |

| calls | train | validation | test |
|---|---|---|---|
| calculate | 1 | 0 | 1 |
| get_weather | 2 | 0 | 0 |

| most calls in a turn | train | validation | test |
|---|---|---|---|
| none | 0 | 1 | 0 |
| one | 1 | 0 | 1 |
| 2 at once | 1 | 0 | 0 |

| language | train | validation | test |
|---|---|---|---|
| en | 1 | 1 | 1 |
| ja | 1 | 0 | 0 |

## Tokens a line, all splits

```text
 32-63  {"█" * 40} 3
64-127  {"█" * 13}▍ 1
```

## Calls a turn, all splits

```text
0  {"█" * 40} 2
1  {"█" * 40} 2
2  {"█" * 20} 1
```

The same as a picture: [card.svg](card.svg)

## What is not in it

- 2 dropped: duplicate
- 3 taken out of the texts: email

## What an epoch costs

| provider | model | an epoch | because |
|---|---|---|---|
| azure | any | unknown | no price of supervised is known here |
| compatible | any | unknown | no price of supervised is known here |
| embedded | any | nothing | trains on your own machine |
| nebius | any | unknown | no price of supervised is known here |
| openai | gpt-4.1-2025-04-14 | under $0.01 | $25.00 a million tokens, 2025-11 |
| openai | gpt-4.1-mini-2025-04-14 | under $0.01 | $5.00 a million tokens, 2025-11 |
| openai | gpt-4.1-nano-2025-04-14 | under $0.01 | $1.50 a million tokens, 2025-11 |
| openai | gpt-4o-2024-08-06 | under $0.01 | $25.00 a million tokens, 2025-11 |
| openai | gpt-4o-mini-2024-07-18 | under $0.01 | $3.00 a million tokens, 2025-11 |

Each line of the split files is what a provider takes, and nothing else; `provenance.jsonl` says for
every example, in the same order, where it came from and what was done to it. `ftbuild blame` reads
it, for a line or a digest of one.

Digest of the lines `{"ab" * 32}`, of where they come from `{"cd" * 32}`.
"""


def test_the_card_says_what_is_in_the_folder() -> None:
    assert CARD.markdown() == WANTED


def test_a_price_that_is_not_known_is_unknown_and_never_nothing() -> None:
    said = replace(CARD, method="dpo", prices=prices.of_profiles(profiles(CONF.parent, {}), "dpo")).markdown()
    assert re.findall(r"\| (\w+) \| any \| (\w+) \|", said) == [
        ("azure", "unknown"),
        ("compatible", "unknown"),
        ("embedded", "nothing"),
        ("openai", "unknown"),
    ]
    assert "$" not in said


def test_an_epoch_costs_its_tokens_at_the_price_of_a_million() -> None:
    assert prices.epoch_usd(5.0, 523_446) == pytest.approx(2.61723)


def test_an_example_is_counted_by_its_turns_and_what_of_it_is_learnt() -> None:
    call: dict[str, Any] = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "Do it twice."},
        {"role": "assistant", "tool_calls": [call, call]},
        {"role": "tool", "tool_call_id": "1", "content": "done"},
        {"role": "assistant", "content": "Done.", "weight": 0},
    ]
    example = {"messages": messages, "slices": {"source": "a", "language": "en"}}
    [found], [tested] = (list(facts([example], split, "supervised")) for split in ("train", "test"))
    slices = (("language", "en"),)
    assert (found.calls, found.called, found.slices, found.has_tools) == ((2, 0), ("f",), slices, False)
    assert found.n_tokens == tokens.of_line({"messages": messages}, "o200k_base")
    assert found.n_learnt == tokens.of_line({"messages": messages[1:2]}, "o200k_base")
    assert (tested.n_tokens, tested.n_learnt) == (found.n_tokens, 0)


@pytest.mark.parametrize("method", VALUES)
def test_the_tokens_are_those_of_the_line_whatever_the_method_and_of_answers_those_of_the_example(method: str) -> None:
    asked = [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Yes?"}]
    answer, worse = ({"role": "assistant", "content": text} for text in ("Half past three.", "No."))
    example = {"messages": [*asked, asked[0], answer], "rejected": worse, "slices": {"source": "a"}}
    [found] = facts([example], "train", method)
    assert found.n_tokens == tokens.of_line(VALUES[method](example), "o200k_base")
    assert found.n_learnt == tokens.of_line({"messages": [asked[1], answer]}, "o200k_base")


@given(st.lists(st.integers(0, 10_000), max_size=50))
def test_a_histogram_counts_everything_once(numbers: list[int]) -> None:
    doubling = histogram.doubling("t", Counter(numbers))
    each = histogram.each_number("t", Counter(n % 7 for n in numbers))
    assert sum(n for _, n in doubling.bars) == sum(n for _, n in each.bars) == len(numbers)
    for said, n in zip(histogram.text(doubling).splitlines(), (n for _, n in doubling.bars), strict=True):
        assert said.endswith(f" {n:,}")
        assert (n > 0) == any(letter in said for letter in "▏▎▍▌▋▊▉█")


def test_facts_are_read_as_they_were_written() -> None:
    counted = Counter({each: number for number, each in enumerate(FACTS, 1)})
    assert read(written(counted)) == counted


def test_the_picture_is_an_svg_file_of_its_own() -> None:
    picture = ET.fromstring(CARD.picture())
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    texts = [each.text for each in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == [
        *("Tokens a line, all splits", "32-63", "3", "64-127", "1"),
        *("Calls a turn, all splits", "0", "2", "1", "2", "2", "1"),
    ]
    rects = list(picture.iter("{http://www.w3.org/2000/svg}rect"))
    widths = [float(each.attrib["width"]) for each in rects]
    assert widths == [440.0, 146.7, 440.0, 440.0, 220.0]
