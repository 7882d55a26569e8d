"""The search by vectors and by both, against their definitions; and the vectors asked for once."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbuild.errors import ProviderError
from ftbuild.evaluate.calls import Calls
from ftbuild.evaluate.vectors import BATCH, vectors
from ftbuild.retrieval.index import FINE, Index, K, Vectors, fused
from ftbuild.retrieval.passages import Passage
from ftbuild.retrieval.ranking import nearest

NUMBERS = st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=3)
SCORES = st.lists(st.integers(0, 3), min_size=1, max_size=7)
QUESTION = "How many days?"


def passages(n: int) -> list[Passage]:
    return [Passage("a.md", number, "A", (f"S{number}",), f"text {number}") for number in range(n)]


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    lengths = np.linalg.norm(one) * np.linalg.norm(other)
    return float(np.dot(one, other) / lengths) if lengths else 0.0


@given(st.lists(NUMBERS, min_size=1, max_size=6), NUMBERS)
def test_every_passage_is_compared_and_the_nearest_by_cosine_come_first(
    rows: list[list[float]], question: list[float]
) -> None:
    index = Index.of(passages(len(rows)), "vector", Vectors.of(rows, {QUESTION: question}, 3))
    wanted = [cosine(each, question) for each in rows]
    scores = index.scores(QUESTION)
    assert len(nearest(scores, 99)) == len(rows)
    for one, score in zip(wanted, scores.tolist(), strict=True):
        assert score == pytest.approx((one + 2) * 1_000_000, abs=3)


@given(st.lists(SCORES, min_size=1, max_size=3))
def test_orders_are_fused_by_their_definition(all_scores: list[list[int]]) -> None:
    n = min(map(len, all_scores))
    lists = [each[:n] for each in all_scores]
    wanted = [0.0] * n
    for scores in lists:
        order = sorted(range(n), key=lambda each: (-scores[each], each))
        for place, each in enumerate(order, 1):
            wanted[each] += 1 / (K + place) if scores[each] else 0
    found = fused(*(np.array(each, np.int64) for each in lists))
    assert found.tolist() == pytest.approx([each * FINE for each in wanted], abs=1)


def test_a_hybrid_finds_what_either_finds() -> None:
    texts = [
        Passage("a.md", 1, "A", (), "holidays in summer"),
        Passage("a.md", 2, "A", (), "rooms and keys"),
        Passage("a.md", 3, "A", (), "days off"),
    ]
    found = Vectors.of([[1, 0], [0, 1], [0.9, 0.1]], {"vacation": [1, 0], "keys": [1, 0]}, 2)
    hybrid = Index.of(texts, "hybrid", found)
    assert nearest(hybrid.scores("vacation"), 1) == [0]
    assert nearest(hybrid.scores("keys"), 2)[0] == 1  # first by letters, last by vectors
    assert nearest(Index.of(texts, "vector", found).scores("keys"), 1) == [0]


@given(st.lists(NUMBERS, min_size=1, max_size=5), st.sampled_from(["vector", "hybrid"]))
def test_an_index_with_vectors_is_the_same_once_it_is_kept(rows: list[list[float]], kind: str) -> None:
    known = {QUESTION: rows[0], "text 0?": rows[-1]}
    index = Index.of(passages(len(rows)), kind, Vectors.of(rows, known, 3))  # type: ignore[arg-type]
    kept = Index.from_bytes(index.to_bytes())
    assert kept.to_bytes() == index.to_bytes()
    assert [kept.scores(each).tolist() for each in known] == [index.scores(each).tolist() for each in known]


class Letters:
    """Counts letters; fails after `good` requests."""

    def __init__(self, good: int = 99) -> None:
        self.good, self.asked = good, list[str]()

    def embed(self, _model: str, texts: Sequence[str]) -> list[list[float]]:
        if self.good == 0:
            raise ProviderError("gone")
        self.good -= 1
        self.asked += texts
        return [[float(text.count(letter)) / 3 for letter in "abc"] for text in texts]


TEXTS = [f"{n} {'a' * n}{'b' * (n % 7)}" for n in range(2 * BATCH + 5)]


def asked(embedder: Letters, folder: Path, model: str = "m") -> dict[str, list[float]]:
    calls = Calls(folder / "calls.db", scope="here")
    try:
        return vectors([*TEXTS, *TEXTS], embedder, calls, model, lambda _n, _all: None)
    finally:
        calls.close()


def test_each_text_is_asked_for_once_whoever_asks_again(tmp_path: Path) -> None:
    first, second, other = Letters(), Letters(), Letters()
    found = asked(first, tmp_path)
    assert first.asked == TEXTS
    assert asked(second, tmp_path) == found
    assert second.asked == []
    assert asked(other, tmp_path, "another") == found
    assert other.asked == TEXTS


def test_what_came_before_a_failure_is_kept(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match=r"^gone$"):
        asked(Letters(good=2), tmp_path)
    rest = Letters()
    asked(rest, tmp_path)
    assert rest.asked == TEXTS[2 * BATCH :]


def test_vectors_of_different_lengths_are_refused(tmp_path: Path) -> None:
    class Odd(Letters):
        def embed(self, model: str, texts: Sequence[str]) -> list[list[float]]:
            return [
                vector[: 2 + (text[0] == "1")] for vector, text in zip(super().embed(model, texts), texts, strict=True)
            ]

    with pytest.raises(ProviderError, match=r"^m: vectors of different lengths$"):
        asked(Odd(), tmp_path)
