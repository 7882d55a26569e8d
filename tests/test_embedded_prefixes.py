"""What was read before is found again, whatever was read in between; rows of a batch are the texts alone."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from embedded_fixture import TINY
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from ftbuild.embedded.llama import Llama, encode  # noqa: E402
from ftbuild.embedded.prefixes import Prefixes  # noqa: E402
from ftbuild.embedded.rows import Rows  # noqa: E402
from ftbuild.embedded.weights import prepare  # noqa: E402

TEXTS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=8), max_size=12)


def kept(tokens: Sequence[int]) -> "torch.Tensor":
    """Return what stands for keys and values: each follows from all tokens up to its own."""
    found = [float(hash(tuple(tokens[: at + 1])) % 9973) for at in range(len(tokens))]
    return torch.tensor(found).view(1, len(tokens), 1)


def common(one: Sequence[int], other: Sequence[int]) -> int:
    same = 0
    while same < min(len(one), len(other)) and one[same] == other[same]:
        same += 1
    return same


@given(TEXTS, st.lists(st.integers(0, 2), min_size=1, max_size=8))
def test_the_longest_known_beginning_is_found(texts: list[list[int]], asked: list[int]) -> None:
    prefixes = Prefixes()
    for text in texts:
        prefixes.add("m", text, lambda start, end, text=text: kept(text)[:, start:end])
    pieces = prefixes.beginning("m", asked)
    longest = max((common(text, asked) for text in texts), default=0)
    found = torch.cat([torch.zeros(1, 0, 1), *pieces], dim=1)
    assert torch.equal(found, kept(asked[:longest]) if longest else torch.zeros(1, 0, 1))
    assert prefixes.beginning("other", asked) == []
    different = {tuple(text[:end]) for text in texts for end in range(1, len(text) + 1)}
    assert prefixes.n_bytes == 4 * len(different)  # what texts share is kept once


@given(TEXTS)
def test_no_more_is_kept_than_is_allowed_and_what_was_used_last_stays(texts: list[list[int]]) -> None:
    prefixes = Prefixes(bytes_at_most=4 * 8)
    for text in texts:
        prefixes.add("m", text, lambda start, end, text=text: kept(text)[:, start:end])
        assert prefixes.n_bytes <= 4 * 8
        assert sum(piece.shape[1] for piece in prefixes.beginning("m", text)) == len(text)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Llama:
    base: Path = prepare(TINY, tmp_path_factory.mktemp("cache"), print).folder
    return Llama(base, torch.float32)


TOKENS = st.lists(st.integers(3, 258), min_size=1, max_size=6)
STEPS = st.lists(
    st.tuples(st.sampled_from(["join", "leave", "read"]), st.integers(0, 9), st.lists(TOKENS, min_size=9, max_size=9)),
    max_size=8,
)


@settings(deadline=None, max_examples=25)
@given(STEPS)
def test_a_row_among_others_is_read_as_if_it_were_alone(
    llama: Llama, steps: list[tuple[str, int, list[list[int]]]]
) -> None:
    rows = Rows(llama)
    texts: list[list[int]] = []
    with torch.inference_mode():
        for kind, number, new in steps:
            if kind == "join" and len(texts) < 9:
                source = number % len(texts) if texts else None
                if source is None:
                    rows.join([], 20 if number else 3000)  # the room of all rows may have to grow
                    texts.append([])
                else:
                    rows.join([rows.kept(source, 0, len(texts[source]))], 20)
                    texts.append(list(texts[source]))
            elif kind == "leave" and texts:
                row = number % len(texts)
                rows.leave(row)
                last = texts.pop()
                if row < len(texts):
                    texts[row] = last
            elif texts:
                first = number % len(texts)
                hidden = rows.read(first, new[first : len(texts)])
                for row in range(first, len(texts)):
                    texts[row] += new[row]
                    alone = encode(llama, torch.tensor([texts[row]]))[0][0, -1]
                    torch.testing.assert_close(hidden[row - first], alone, rtol=1e-4, atol=1e-4)
        assert rows.lengths == [len(text) for text in texts]


def test_a_long_text_is_read_in_parts(llama: Llama) -> None:
    rows = Rows(llama)
    text = [3 + number % 250 for number in range(5000)]
    with torch.inference_mode():
        rows.join([], 5000)
        alone = encode(llama, torch.tensor([text]))[0][0, -1]
        torch.testing.assert_close(rows.read(0, [text])[0], alone, rtol=1e-4, atol=1e-4)
