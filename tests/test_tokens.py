"""Tokens: each text counts what another implementation of OpenAI's encodings counts."""

import warnings

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from training_lines import call, dpo

from ftbuild.tokens import of_line, of_texts

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of importlib.resources, in loading its data
    import bpe_openai

LANGUAGES = 'The quick brown fox. 明日の会議は三時からです。 Встреча перенесена. 🙂 naïve  \n\n\t1234567 {"a": [1.5]}'
# What a later Unicode made a letter is one to the newer of two tables alone, and splits words otherwise.
ASSIGNED = st.characters(exclude_categories=["Cn", "Cs"])


@pytest.mark.parametrize("encoding", ["o200k_base", "cl100k_base"])
@given(st.text(ASSIGNED, max_size=200))
@example(LANGUAGES)
@example("<|endoftext|>")
def test_a_text_counts_what_another_implementation_counts(encoding: str, text: str) -> None:
    other = bpe_openai.get_encoding(encoding)
    assert of_texts([text], encoding) == [len(other.encode(text, disallowed_special=()))]


def test_a_message_counts_three_and_a_conversation_three() -> None:
    texts = ["user", "What is 2+3?", "assistant", "5"]
    line = {"messages": [{"role": texts[0], "content": texts[1]}, {"role": texts[2], "content": texts[3]}]}
    assert of_line(line, "o200k_base") == sum(of_texts(texts, "o200k_base")) + 2 * 3 + 3


def test_calls_and_tools_count_and_ids_do_not() -> None:
    message = {"role": "assistant", "tool_calls": [call(1, "get_weather", city="Bonn")]}
    tools = [{"type": "function", "function": {"name": "get_weather"}}]
    bare = of_line({"messages": [message]}, "o200k_base")
    assert bare == sum(of_texts(["assistant", "get_weather", '{"city": "Bonn"}'], "o200k_base")) + 3 + 3
    text = '[{"type":"function","function":{"name":"get_weather"}}]'
    assert of_line({"messages": [message], "tools": tools}, "o200k_base") - bare == of_texts([text], "o200k_base")[0]


def test_a_preference_counts_its_input_and_both_answers() -> None:
    line = dpo("Bonn")
    parts = [{"messages": line["input"]["messages"]}, *({"messages": line[key]} for key in line if key != "input")]
    assert of_line(line, "o200k_base") == sum(of_line(part, "o200k_base") for part in parts)


def test_an_encoding_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(KeyError):
        of_texts(["a"], "o300k_base")
