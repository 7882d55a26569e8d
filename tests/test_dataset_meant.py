"""What may say in other words what a test example says: by vectors, measured on what nobody suspects."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from project_fixture import Project
from rehearsal_fixture import REHEARSED, recorded, stop_server

from ftbuild.dataset.meant import Meant, texts, usual, worded
from ftbuild.dataset.wall import Twin
from ftbuild.retrieval.index import Vectors, name_of
from ftbuild.runners.formats import json_lines
from ftbuild.runners.walled import to_read, wall

SHARED = 5.0  # what the vectors of all texts have in common, as those of language models do


def example(name: str, split: str = "train") -> dict[str, Any]:
    said = [{"role": "user", "content": f"{name}?"}, {"role": "assistant", "content": f"{name}."}]
    return {"messages": said, "path": "said.jsonl", "line": int(name.split()[1]), "split": split}


def vectors(examples: Sequence[dict[str, Any]], drawn: np.random.Generator, anew: dict[str, str]) -> Vectors:
    """Return vectors at random but for texts written `anew`, which are near that of the text they are made of."""
    known: dict[str, Any] = {}
    for text in texts(one for each in examples for one in worded(each)):
        of = anew.get(text[:-1])
        near = known[f"{of}{text[-1]}"] if of is not None else np.full(24, SHARED)
        known[text] = near + drawn.normal(0, 0.5 if of is not None else 1.0, 24)
    return Vectors.of([], known, 24)


TESTS = [example(f"test {n}", "test") for n in range(50)]
LEARNT = [example(f"learnt {n}") for n in range(400)]
DRAFTS = [example(f"draft {n}") for n in range(1000)]
ANEW = {f"copy {n}": f"test {n}" for n in range(20)}
COPIES = [example(f"copy {n}") for n in range(20)]


def told(n_learnt: int) -> Meant:
    found = vectors([*TESTS, *LEARNT, *DRAFTS, *COPIES], np.random.default_rng(7), ANEW)
    return Meant(TESTS, usual(LEARNT[:n_learnt]), found)


def test_what_was_written_anew_is_told_with_its_place_and_one_in_a_hundred_others_is() -> None:
    meant = told(400)
    assert [meant.twin(each) for each in COPIES] == [Twin("said.jsonl", n, "test", "in other words") for n in range(20)]
    assert 2 <= sum(meant.twin(each) is not None for each in DRAFTS) <= 25
    problem = meant.twin(COPIES[3]).problem("mine.jsonl", 8)  # type: ignore[union-attr]
    assert str(problem) == (
        "mine.jsonl:8: warning: may say in other words what a test example says: said.jsonl:3\n"
        "    The score would flatter the model.\n"
        "    Fix: look at both; take it out, or write another with words and values of its own.    "
        "test-example-in-training"
    )


def test_of_few_examples_beyond_doubt_nothing_is_said() -> None:
    meant = told(99)
    assert not meant.can_tell
    assert [each for each in COPIES if meant.twin(each)] == []


def files(n_learnt: int) -> dict[str, bytes]:
    """Return the files of a dataset with drafts among what it learns from, as the wall reads them."""
    learnt = [("own", each) for each in LEARNT[:n_learnt]] + [("drafts", each) for each in COPIES]
    splits = {"train": learnt, "validation": [], "test": [("own", each) for each in TESTS]}
    places = [
        {"source": source, "path": f"{source}.jsonl", "line": each["line"], "split": split}
        for split, some in splits.items()
        for source, each in some
    ]
    written = {split: json_lines(each for _, each in some) for split, some in splits.items()}
    return {**written, "provenance": json_lines(places)}


def test_in_a_build_drafts_are_told_and_what_is_asked_for_is_what_is_compared() -> None:
    named = {"walled": ["drafts"], "unsuspected": ["own"]}
    inputs = files(400)
    found = vectors([*TESTS, *LEARNT, *COPIES], np.random.default_rng(7), ANEW)
    assert {name_of(each) for each in to_read(named, inputs)} == set(found.names)
    made = wall(named, {**inputs, "vectors": found.to_bytes()}, {})
    assert made.note == "20 of 20 examples to look at"
    assert [(each.path, each.line, each.severity) for each in made.warnings] == [
        ("drafts.jsonl", n, "warning") for n in range(20)
    ]
    few = wall(named, {**files(99), "vectors": found.to_bytes()}, {})
    assert few.note == "nothing to say: that takes 100 examples beyond doubt, in words"
    assert list(few.warnings) == []
    assert to_read({**named, "walled": []}, inputs) == []


def test_calls_are_none_of_its_business() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "light", "arguments": '{"on": true}'}}
    calling = {"role": "assistant", "content": None, "tool_calls": [call]}
    assert worded({"messages": [{"role": "user", "content": "light"}, calling]}) == []


@pytest.mark.slow
def test_a_walled_source_is_held_before_the_tests_in_meaning_before_its_lines_are_written(project: Project) -> None:
    meaning = "dataset.sources.pairs.walled=meaning"
    ended = project.run("dataset", *REHEARSED, meaning)
    assert ended.code == 0, ended.err
    labels = [line[9:].split("  ")[0].strip() for line in ended.err.splitlines() if not line.startswith(" " * 12)]
    assert [each for each in labels if each in ("dataset", "wall vectors", "wall", "lines")] == [
        "dataset", "wall vectors", "wall", "lines",
    ]  # fmt: skip
    texts = [
        text for each in recorded(project) if each["path"].endswith("/embeddings") for text in each["body"]["input"]
    ]
    assert len(texts) == len(set(texts)) > 0
    stop_server(project)
