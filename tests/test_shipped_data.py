"""The data of the shipped experiments: it builds, and what was written to be tested on is what it was."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from config_fixture import CONF, Own

from ftbuild.chat import Message
from ftbuild.cli.build import composed_of
from ftbuild.cli.options import parse
from ftbuild.digest import of_file
from ftbuild.example import Example
from ftbuild.settings import Source
from ftbuild.sources.generator import _material, read

SOURCES = CONF.parent / "datasets" / "sources"
EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))


def test_what_was_written_by_hand_to_test_parallel_calls_is_frozen() -> None:
    """Written and read before any model was trained on the rest; a change of it makes old scores worthless."""
    path = SOURCES / "assistant" / "handwritten.jsonl"
    assert of_file(path) == "027f6ace8a312f6d53218838ae68a2b2d93b36e5b37a7d75ac2ba45463f044f5"
    kinds = Counter(json.loads(line)["kind"] for line in path.read_bytes().splitlines())
    assert kinds == {"one": 25, "two": 25, "three": 15, "none": 15}


def of_assistant(name: str) -> tuple[Source, bytes]:
    composed = composed_of(parse("plan", ["+experiment=parallel_tools"])).points[0]
    source = composed.settings.dataset.sources[name]
    return source, composed.source_path(name).read_bytes()


def called(messages: Iterable[Message]) -> Iterator[tuple[str, str, Any]]:
    """Yield tool, argument and value of every free argument; those of an enum are few and in every split."""
    tools = yaml.safe_load((CONF / "tools" / "assistant.yaml").read_text(encoding="utf-8"))
    for call in (call for message in messages for call in message.tool_calls):
        for name, value in json.loads(call.arguments).items():
            if "enum" not in tools[call.name]["args"][name]:
                yield call.name, name, value


def test_no_free_argument_of_the_tests_of_parallel_calls_stands_in_what_is_practised() -> None:
    """Of the requests no day either; in those by hand a few days are those of the requests, which the README says."""
    source, content = of_assistant("requests")
    made = [each for each in read(content, "requests", source) if isinstance(each, Example)]
    learnt = {each for example in made if example.only != "test" for each in called(example.messages)}
    asked = {each for example in made if example.only == "test" for each in called(example.messages)}
    written = {
        each
        for line in (SOURCES / "assistant" / "handwritten.jsonl").read_bytes().splitlines()
        for each in called(map(Message.from_json, json.loads(line)["messages"]))
    }
    assert len(asked) > 200
    assert len(written) > 100
    assert asked & learnt == set()
    assert {name for _, name, _ in written & learnt} <= {"day"}

    source, content = of_assistant("practice")
    values = _material(content, source).values.values()
    practised = {each.value for pool in values for split in ("train", "validation") for each in pool[split]}
    assert {each for each in asked | written if each[2] in practised} == set()


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_builds_its_data_and_no_line_is_refused(name: str, tmp_path: Path) -> None:
    ended = Own(tmp_path).run("show", f"+experiment={name}", "-n", "1", "--format", "json")
    assert ended.code == 0, ended.err
    [shown] = json.loads(ended.out)["examples"]
    assert shown["n_learnt"] > 0
    assert shown["licence"] == "CC0-1.0"
    assert (SOURCES.parent.parent / shown["path"]).exists()
