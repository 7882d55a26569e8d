"""Preference lines: read back as written, pass the rules of dpo files, and are made of pairs with a rejected answer."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from config_fixture import TONE, Own
from conversations_fixture import examples
from examples_fixture import example
from hypothesis import given
from training_lines import GOOD, in_bytes

from ftbuild.chat import Message
from ftbuild.example import Example
from ftbuild.render import dpo
from ftbuild.rules.lines import check
from ftbuild.rules.pack import PACKS
from ftbuild.settings import Source
from ftbuild.sources import read


@given(examples())
def test_a_line_reads_back_as_written(example_: Example) -> None:
    whole = replace(example_, rejected=Message("assistant", "No.")).conversation()
    assert dpo.parse(dpo.line(whole)) == whole


def test_the_bytes_of_a_line_are_pinned() -> None:
    pair = replace(example("hey", "Hello."), rejected=Message("assistant", "hey"))
    assert dpo.line(pair.conversation()).decode() == (
        '{"input":{"messages":[{"role":"user","content":"hey"}]},'
        '"preferred_output":[{"role":"assistant","content":"Hello."}],'
        '"non_preferred_output":[{"role":"assistant","content":"hey"}]}'
    )
    assert check(dpo.value(pair.conversation()), "dpo", PACKS["openai"]) == []


def test_preferences_of_openai_are_read_and_written_as_they_came() -> None:
    source = Source(kind="dpo_jsonl", path="d/x", licence="CC0-1.0", origin="here")
    found, problems = read(in_bytes(GOOD["dpo"]), "s", source)
    assert problems == []
    assert [json.loads(dpo.line(each.conversation())) for each in found] == GOOD["dpo"]
    broken = {**GOOD["dpo"][0], "preferred_output": []}
    assert [problem.at for problem in read(in_bytes([broken]), "s", source)[1]] == ["preferred_output"]


@pytest.fixture
def own(tmp_path: Path) -> Own:
    return Own(tmp_path)


def test_dpo_tone_prefers_the_formal_message_to_the_casual_one(own: Own) -> None:
    ended = own.run("dataset", "+experiment=dpo_tone")
    assert ended.code == 0, ended.err
    lines = (own.folder / ended.out.strip() / "train.jsonl").read_bytes().splitlines()
    first = json.loads(lines[0])
    assert list(first) == ["input", "preferred_output", "non_preferred_output"]
    assert first["preferred_output"] != first["non_preferred_output"]
    assert own.run("check", f"{ended.out.strip()}/train.jsonl").code == 0


def test_without_rejected_answers_nothing_is_written_and_the_remedy_is_said(own: Own) -> None:
    ended = own.run("dataset", TONE, "method=dpo")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.endswith(
        "884 of 884 train examples have no rejected answer\n"
        "    The method dpo learns from pairs of answers.\n"
        "    Fix: name its field in the sources (rejected: FIELD), or take method=supervised.\n"
    )
