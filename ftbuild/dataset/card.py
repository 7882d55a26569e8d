"""The dataset card: what is in a built dataset, for people who find the folder.

Pure: small facts about each example in, Markdown out. The same dataset gives the same text, whoever asks and with
whatever provider, so tokens are counted as each known encoding counts them and a price is named with its date.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from ftbuild.dataset import histogram, prices
from ftbuild.dataset.histogram import Histogram
from ftbuild.dataset.prices import Price
from ftbuild.example import SPLITS, USUAL, Split
from ftbuild.settings import Source

REDACTED = " redacted"
VALUES_AT_MOST = 20
Key = TypeVar("Key")
PICTURE = "card.svg"


class Fact(NamedTuple):
    """What the card tells of one example: `calls` are how many each turn of the assistant makes, `called` whom."""

    split: str
    source: str
    slices: tuple[tuple[str, str], ...]
    n_tokens: int
    n_learnt: int
    calls: tuple[int, ...]
    called: tuple[str, ...]
    has_tools: bool


def fact(split: str, example: Mapping[str, Any], n_tokens: int, n_learnt: int) -> Fact:
    """Return the facts of an example of a split: what the dataset says of it, and how many tokens it has."""
    calls: list[int] = []
    called: dict[str, None] = {}
    for message in example["messages"]:
        if message["role"] == "assistant":
            turn = message.get("tool_calls") or ()
            calls.append(len(turn))
            for call in turn:
                called[call["function"]["name"]] = None
    source = example["slices"]["source"]
    slices = tuple([(name, value) for name, value in example["slices"].items() if name != "source"])
    return Fact(split, source, slices, n_tokens, n_learnt, tuple(calls), tuple(called), "tools" in example)


SEARCHED = {"mrr": "mean reciprocal rank"}


@dataclass(frozen=True)
class Card:
    """A dataset as its card tells of it. `dropped` is why and how many, `method` what its lines are for.

    `made_from` is the digest of everything in it that the lines do not say, `retrieval` what is known of the passages
    in its prompts, `beside` what other files there are, `prices` those of training with it.
    """

    digest: str
    method: str
    encoding: str
    counted: Counter[Fact]
    sources: Mapping[str, Source]
    dropped: Mapping[str, int]
    by_time: bool = False
    made_from: str = ""
    beside: Mapping[str, str] = field(default_factory=dict)
    prices: Sequence[Price] = ()
    retrieval: Mapping[str, Any] | None = None

    @property
    def splits(self) -> list[Split]:
        """Return the splits there are."""
        held = {each.split for each in self.counted}
        return [split for split in SPLITS if split in USUAL or split in held]

    def histograms(self) -> list[Histogram]:
        """Return the pictures: tokens a line, and calls a turn where there are tools."""
        lengths = _summed((each.n_tokens, n) for each, n in self.counted.items())
        turns = _summed((calls, n) for each, n in self.counted.items() if each.has_tools for calls in each.calls)
        pictures = [histogram.doubling("Tokens a line, all splits", lengths)]
        return [*pictures, *([histogram.each_number("Calls a turn, all splits", turns)] if turns else [])]

    def markdown(self) -> str:
        """Return the card."""
        return "\n".join(
            [
                f"# Dataset {self.digest[:12]}\n",
                self._splits(),
                self._sources(),
                *self._passages(),
                *self._parts(),
                *(f"## {each.title}\n\n```text\n{histogram.text(each)}\n```\n" for each in self.histograms()),
                f"The same as a picture: [{PICTURE}]({PICTURE})\n",
                self._lost(),
                self._costs(),
                "Each line of the split files is what a provider takes, and nothing else; `provenance.jsonl` says for\n"
                "every example, in the same order, where it came from and what was done to it. `ftbuild blame` reads\n"
                "it, for a line or a digest of one.\n",
                *(f"`{name}` holds {what}.\n" for name, what in self.beside.items()),
                f"Digest of the lines `{self.digest}`, of where they come from `{self.made_from}`.\n",
            ]
        )

    def picture(self) -> str:
        """Return the histograms as an SVG file."""
        return histogram.svg(self.histograms())

    def _splits(self) -> str:
        rows = []
        for split in self.splits:
            own = [(each, n) for each, n in self.counted.items() if each.split == split]
            n_tokens, n_learnt = sum(each.n_tokens * n for each, n in own), sum(each.n_learnt * n for each, n in own)
            longest = max((each.n_tokens for each, _ in own), default=0)
            rows.append((split, f"{sum(n for _, n in own):,}", f"{n_tokens:,}", f"{n_learnt:,}", f"{longest:,}"))
        table = _table(("split", "examples", "tokens", "of them answers to learn", "longest line"), rows)
        return (
            f"{table}\nTokens are counted in {self.encoding}, as OpenAI counts; other models cut texts otherwise.\n"
            f"An epoch trains on {self._epoch():,} tokens.\n"
        )

    def _sources(self) -> str:
        n = _summed(((each.source, each.split), n) for each, n in self.counted.items())
        rows = [
            (
                name,
                *("" if source.kind == "documents" else f"{n[name, split]:,}" for split in self.splits),
                source.path,
                self._split_by(source),
                source.licence,
                source.origin,
            )
            for name, source in sorted(self.sources.items())
        ]
        return _table(("source", *self.splits, "file", "split", "licence", "origin"), rows)

    def _split_by(self, source: Source) -> str:
        if source.kind == "documents":
            return "passages"
        return source.only or ("by time" if self.by_time and source.time else "by group")

    def _passages(self) -> Iterable[str]:
        """Yield how often the gold passage is among those given, where any is known."""
        if self.retrieval is None or not self.retrieval["gold_passage"]:
            return
        known = self.retrieval["gold_passage"]
        cells = [
            f"{known[each]['with_gold']:,} of {known[each]['n']:,}" if each in known else "" for each in self.splits
        ]
        named = f"passages of {self.retrieval['documents']} given with a question: {self.retrieval['n_passages']}"
        rows = [("the one its answer is taken from is among them", *cells)]
        for name in known[next(iter(known))]["search"]:
            found = (f"{known[each]['search'][name]:.2f}" if each in known else "" for each in self.splits)
            rows.append((f"{SEARCHED.get(name, name)} of a search", *found))
        yield _table((named, *self.splits), rows)

    def _parts(self) -> Iterable[str]:
        """Yield a table for the tools, for the calls a turn, and for each slice, where there are any."""
        facts = self.counted.items()
        if any(each.has_tools for each in self.counted):
            called = _summed(((name, each.split), n) for each, n in facts for name in each.called)
            yield _shares("calls", called, self.splits)
            turns = ((each, n) for each, n in facts if each.has_tools and each.calls)
            arity = _summed(((max(each.calls), each.split), n) for each, n in turns)
            rows = [
                (_at_once(n), *(f"{arity[n, split]:,}" for split in self.splits)) for n in sorted({n for n, _ in arity})
            ]
            yield _table(("most calls in a turn", *self.splits), rows)
        for name in sorted({name for each in self.counted for name, _ in each.slices}):
            own = ((value, each.split, n) for each, n in facts for slice_, value in each.slices if slice_ == name)
            yield _shares(name, _summed(((value, split), n) for value, split, n in own), self.splits)

    def _lost(self) -> str:
        taken = [(name, n) for name, n in self.dropped.items() if name.endswith(REDACTED)]
        dropped = [(name, n) for name, n in self.dropped.items() if not name.endswith(REDACTED)]
        lines = [f"- {n:,} dropped: {name}" for name, n in dropped] or ["- nothing was dropped"]
        lines += [f"- {n:,} taken out of the texts: {name.removesuffix(REDACTED)}" for name, n in taken]
        if not taken:
            lines.append("- nothing was redacted")
        return "## What is not in it\n\n" + "\n".join(lines) + "\n"

    def _costs(self) -> str:
        rows: list[tuple[str, ...]] = []
        for each in self.prices:
            if each.usd_per_million is None:
                rows.append((each.provider, each.model, "unknown", f"no price of {self.method} is known here"))
            elif each.usd_per_million == 0:
                rows.append((each.provider, each.model, "nothing", "trains on your own machine"))
            else:
                cost = _cost(prices.epoch_usd(each.usd_per_million, self._epoch()))
                because = f"${each.usd_per_million:.2f} a million tokens, {each.as_of}"
                rows.append((each.provider, each.model, cost, because))
        return "## What an epoch costs\n\n" + _table(("provider", "model", "an epoch", "because"), rows)

    def _epoch(self) -> int:
        """Return how many tokens an epoch trains on."""
        return sum(each.n_tokens * n for each, n in self.counted.items() if each.split == "train")


def _summed(pairs: Iterable[tuple[Key, int]]) -> Counter[Key]:
    counts: Counter[Key] = Counter()
    for key, n in pairs:
        counts[key] += n
    return counts


def _shares(title: str, counts: Counter[tuple[str, str]], splits: Sequence[Split]) -> str:
    """Return a table of values with how often each occurs in each split, the most frequent first."""
    total = _summed((value, n) for (value, _), n in counts.items())
    ranked = sorted(total, key=lambda value: (-total[value], value))
    rows = [(value, *(f"{counts[value, split]:,}" for split in splits)) for value in ranked[:VALUES_AT_MOST]]
    if rest := ranked[VALUES_AT_MOST:]:
        others = (f"{sum(counts[value, split] for value in rest):,}" for split in splits)
        rows.append((f"{len(rest):,} more", *others))
    return _table((title, *splits), rows)


def _cost(usd: float) -> str:
    return "under $0.01" if 0 < usd < 0.01 else f"${usd:,.2f}"


def _at_once(n: int) -> str:
    return {0: "none", 1: "one"}.get(n, f"{n} at once")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(cell.replace('|', chr(92) + '|').replace(chr(10), ' ') for cell in cells)} |\n"

    return line(head) + "|---" * len(head) + "|\n" + "".join(map(line, rows))
