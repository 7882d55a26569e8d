"""What may say in other words what a test example says: by vectors, measured on what nobody suspects."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ftbuild.dataset.meant import Meant, texts, usual, worded
from ftbuild.dataset.wall import Twin
from ftbuild.retrieval.index import Vectors

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
COPIES = [example(f"copy {n}") for n in range(20)]


def told(n_learnt: int) -> Meant:
    anew = {f"copy {n}": f"test {n}" for n in range(20)}
    found = vectors([*TESTS, *LEARNT, *DRAFTS, *COPIES], np.random.default_rng(7), anew)
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


def test_calls_are_none_of_its_business() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "light", "arguments": '{"on": true}'}}
    calling = {"role": "assistant", "content": None, "tool_calls": [call]}
    assert worded({"messages": [{"role": "user", "content": "light"}, calling]}) == []
