"""The dataset card: what is in a built dataset, for people who find the folder.

Pure: small facts about each example in, Markdown out. The same dataset gives the same text, whoever asks and with
whatever provider, so tokens are counted as each known encoding counts them and a price is named with its date.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftbuild.dataset import histogram, prices
from ftbuild.dataset.histogram import Histogram
from ftbuild.example import SPLITS
from ftbuild.settings import Source

REDACTED = " redacted"
VALUES_AT_MOST = 20
PICTURE = "card.svg"


@dataclass(frozen=True)
class Fact:
    """What the card tells of one example: `calls` are how many each turn of the assistant makes, `called` whom."""

    split: str
    source: str
    slices: tuple[tuple[str, str], ...]
    n_tokens: int
    n_learnt: int
    calls: tuple[int, ...]
    called: tuple[str, ...]
    has_tools: bool


def fact(place: Mapping[str, Any], example: Mapping[str, Any], n_tokens: int, n_learnt: int) -> Fact:
    """Return the facts of an example: its provenance, what the dataset says of it, and how many tokens it has."""
    turns = [each.get("tool_calls") or [] for each in example["messages"] if each["role"] == "assistant"]
    return Fact(
        split=place["split"],
        source=place["source"],
        slices=tuple((name, value) for name, value in example["slices"].items() if name != "source"),
        n_tokens=n_tokens,
        n_learnt=n_learnt,
        calls=tuple(map(len, turns)),
        called=tuple(dict.fromkeys(call["function"]["name"] for turn in turns for call in turn)),
        has_tools="tools" in example,
    )


@dataclass(frozen=True)
class Card:
    """A dataset as its card tells of it. `dropped` is why and how many, `method` what its lines are for.

    `made_from` is the digest of everything in it that the lines do not say, `retrieval` what is known of the passages
    in its prompts.
    """

    digest: str
    method: str
    encoding: str
    counted: Counter[Fact]
    sources: Mapping[str, Source]
    dropped: Mapping[str, int]
    by_time: bool = False
    made_from: str = ""
    retrieval: Mapping[str, Any] | None = None

    @property
    def facts(self) -> Iterable[Fact]:
        """Return the facts of every example; equal ones are one object."""
        return self.counted.elements()

    def histograms(self) -> list[Histogram]:
        """Return the pictures: tokens a line, and calls a turn where there are tools."""
        lengths = histogram.doubling("Tokens a line, all splits", (each.n_tokens for each in self.facts))
        turns = [n for each in self.facts if each.has_tools for n in each.calls]
        calls = [histogram.each_number("Calls a turn, all splits", turns)] if turns else []
        return [lengths, *calls]

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
                f"Digest of the lines `{self.digest}`, of where they come from `{self.made_from}`.\n",
            ]
        )

    def picture(self) -> str:
        """Return the histograms as an SVG file."""
        return histogram.svg(self.histograms())

    def _splits(self) -> str:
        rows = []
        for split in SPLITS:
            own = [each for each in self.facts if each.split == split]
            n_tokens, n_learnt = sum(each.n_tokens for each in own), sum(each.n_learnt for each in own)
            longest = max((each.n_tokens for each in own), default=0)
            rows.append((split, f"{len(own):,}", f"{n_tokens:,}", f"{n_learnt:,}", f"{longest:,}"))
        table = _table(("split", "examples", "tokens", "of them answers to learn", "longest line"), rows)
        train = sum(each.n_tokens for each in self.facts if each.split == "train")
        return (
            f"{table}\nTokens are counted in {self.encoding}, as OpenAI counts; other models cut texts otherwise.\n"
            f"An epoch trains on {train:,} tokens.\n"
        )

    def _sources(self) -> str:
        n = Counter((each.source, each.split) for each in self.facts)
        rows = [
            (
                name,
                *("" if source.kind == "documents" else f"{n[name, split]:,}" for split in SPLITS),
                source.path,
                self._split_by(source),
                source.licence,
                source.origin,
            )
            for name, source in sorted(self.sources.items())
        ]
        return _table(("source", *SPLITS, "file", "split", "licence", "origin"), rows)

    def _split_by(self, source: Source) -> str:
        if source.kind == "documents":
            return "passages"
        return source.only or ("by time" if self.by_time and source.time else "by group")

    def _passages(self) -> Iterable[str]:
        """Yield how often the gold passage is among those given, where any is known."""
        if self.retrieval is None or not self.retrieval["gold_passage"]:
            return
        known = self.retrieval["gold_passage"]
        cells = (f"{known[each]['with_gold']:,} of {known[each]['n']:,}" if each in known else "" for each in SPLITS)
        named = f"passages of {self.retrieval['documents']} given with a question: {self.retrieval['n_passages']}"
        yield _table((named, *SPLITS), [("the one its answer is taken from is among them", *cells)])

    def _parts(self) -> Iterable[str]:
        """Yield a table for the tools, for the calls a turn, and for each slice, where there are any."""
        if any(each.has_tools for each in self.facts):
            yield self._counted("calls", ((name, each.split) for each in self.facts for name in each.called))
            most = ((max(each.calls), each.split) for each in self.facts if each.has_tools and each.calls)
            arity = Counter(most)
            rows = [(_at_once(n), *(f"{arity[n, split]:,}" for split in SPLITS)) for n in sorted({n for n, _ in arity})]
            yield _table(("most calls in a turn", *SPLITS), rows)
        for name in sorted({name for each in self.counted for name, _ in each.slices}):
            pairs = ((dict(each.slices)[name], each.split) for each in self.facts if name in dict(each.slices))
            yield self._counted(name, pairs)

    @staticmethod
    def _counted(title: str, pairs: Iterable[tuple[str, str]]) -> str:
        counts = Counter(pairs)
        total = Counter[str]()
        for (value, _), n in counts.items():
            total[value] += n
        ranked = sorted(total, key=lambda value: (-total[value], value))
        rows = [(value, *(f"{counts[value, split]:,}" for split in SPLITS)) for value in ranked[:VALUES_AT_MOST]]
        if rest := ranked[VALUES_AT_MOST:]:
            others = (f"{sum(counts[value, split] for value in rest):,}" for split in SPLITS)
            rows.append((f"{len(rest):,} more", *others))
        return _table((title, *SPLITS), rows)

    def _lost(self) -> str:
        taken = [(name, n) for name, n in self.dropped.items() if name.endswith(REDACTED)]
        dropped = [(name, n) for name, n in self.dropped.items() if not name.endswith(REDACTED)]
        lines = [f"- {n:,} dropped: {name}" for name, n in dropped] or ["- nothing was dropped"]
        lines += [f"- {n:,} taken out of the texts: {name.removesuffix(REDACTED)}" for name, n in taken]
        if not taken:
            lines.append("- nothing was redacted")
        return "## What is not in it\n\n" + "\n".join(lines) + "\n"

    def _costs(self) -> str:
        train = sum(each.n_tokens for each in self.facts if each.split == "train")
        rows: list[tuple[str, ...]] = []
        for provider in prices.PROVIDERS:
            known = prices.of(provider, self.method)
            if provider in prices.FREE:
                rows.append((provider, "any", "nothing", "trains on your own machine"))
            elif not known:
                rows.append((provider, "any", "unknown", f"no price of {self.method} is known here"))
            for each in known:
                cost = _cost(prices.epoch_usd(each, train))
                rows.append((provider, each.model, cost, f"${each.usd_per_million:.2f} a million tokens, {each.as_of}"))
        return "## What an epoch costs\n\n" + _table(("provider", "model", "an epoch", "because"), rows)


def _cost(usd: float) -> str:
    return "under $0.01" if 0 < usd < 0.01 else f"${usd:,.2f}"


def _at_once(n: int) -> str:
    return {0: "none", 1: "one"}.get(n, f"{n} at once")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(cell.replace('|', chr(92) + '|').replace(chr(10), ' ') for cell in cells)} |\n"

    return line(head) + "|---" * len(head) + "|\n" + "".join(map(line, rows))
