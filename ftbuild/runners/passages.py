"""Documents: read into passages by an action of their own, and given to examples where a dataset is built.

A process that builds a dataset indexes the passages once, whatever the number of examples.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ftbuild.dataset.facts import Indexes
from ftbuild.example import Example, Split
from ftbuild.partitions import mapped, pool_of
from ftbuild.problem import Problem
from ftbuild.retrieval.grounding import Given, Library, block
from ftbuild.retrieval.index import Index, Vectors
from ftbuild.retrieval.passages import LONGEST, Passage, read
from ftbuild.retrieval.ranking import recalls
from ftbuild.runners.formats import each_line, json_lines, parse_lines
from ftbuild.settings import Retrieval, Source
from ftbuild.settings.retrieval import SLICE
from ftbuild.source_files import Contents
from ftbuild.stream import Content, Output, whole
from ftbuild.workers import Made

UNKNOWN, AMONG, MISSING = range(3)  # the gold passage of an example: not named, among those it is given, or not
FOUND = np.dtype([("among", "u1"), ("place", "<u4")])
INDEX = ".index"  # follows the name of the documents where their index is an input


BY = {"lexical": "by their letters", "vector": "by vectors", "hybrid": "by their letters and by vectors"}


def index(settings: Any, inputs: Mapping[str, Content], _given: Mapping[str, Any]) -> Made:
    """Make the passages of documents searchable."""
    passages = [Passage.from_json(each) for each in parse_lines(inputs["passages"])]
    kind = settings.get("kind", "lexical")
    vectors = Vectors.from_bytes(whole(inputs["vectors"])) if "vectors" in inputs else None
    made = Index.of(passages, kind, vectors)
    return Made({"index.npz": made.to_bytes()}, f"{len(passages):,} passages, {BY[kind]}")


@dataclass
class Documents:
    """What documents hold: passages as JSON lines, how many, and every finding in the order of the files."""

    content: Content = b""
    n: int = 0
    n_files: int = 0
    problems: list[Problem] = field(default_factory=list)

    def note(self) -> str:
        """Return a line for people: 80 passages of 16 files."""
        return f"{self.n:,} passages of {self.n_files:,} file{'s' if self.n_files > 1 else ''}"


def documents(files: Contents, source: Source, given: Mapping[str, Any]) -> Documents:
    """Return the passages of some files, in their order."""
    spool, done = Output(given.get("scratch")), Documents()
    work = partial(_read, source.passage_characters or LONGEST)
    read = ((path, whole(content)) for path, content in files)
    for said, n, problems in mapped(work, read, pool_of(given), lambda file: len(file[1])):
        spool.add(said)
        done.n, done.n_files = done.n + n, done.n_files + 1
        done.problems += problems
    if not done.n and all(each.severity == "warning" for each in done.problems):
        done.problems.append(Problem("no passage in the documents", source.path, rule="empty-source"))
    done.content = spool.content()
    return done


def _read(longest: int, document: tuple[str, bytes]) -> tuple[bytes, int, Sequence[Problem]]:
    path, content = document
    found = list(read(content, path, longest))
    passages = [each for each in found if isinstance(each, Passage)]
    said = json_lines(each.to_json() for each in passages)
    return said, len(passages), [each for each in found if isinstance(each, Problem)]


@dataclass(frozen=True)
class Grounds:
    """What examples are grounded in: passages as JSON lines, and how they are chosen."""

    settings: Retrieval
    passages: bytes
    index: bytes

    @property
    def documents(self) -> str:
        """Return the name of the source that the passages are of."""
        return str(self.settings.documents)

    def problems(self) -> Iterator[Problem]:
        """Yield that more passages are asked for than there are."""
        asked, n = self.settings.n_passages, sum(1 for _ in each_line(self.passages))
        if asked > n:
            yield Problem(
                f"retrieval.n_passages: {asked:,}, and {self.documents} has {n:,}",
                why="Every prompt holds all of them.",
                fix="retrieval.n_passages=3, or more documents.",
                rule="too-many-passages",
                severity="warning",
            )

    def ground(self, example: Example, split: Split) -> tuple[Example, Given | Problem]:
        """Return an example of a split with its context, and the passages in that, or what keeps it from having any."""
        if self.settings.sources is not None and example.source not in self.settings.sources:
            return example, Given()
        given = _library(self.passages, self.index).given(example, split, self.settings)
        if isinstance(given, Problem):
            return example, replace(given, path=example.path, line=example.line)
        return replace(example, context=block(given.passages)), given


@lru_cache(maxsize=1)
def _library(passages: bytes, index: bytes) -> Library:
    return Library([Passage.from_json(each) for each in parse_lines(passages)], Index.from_bytes(index))


def grounds_of(settings: Any, inputs: Mapping[str, Content]) -> Grounds | None:
    """Return what the settings of a dataset ground its examples in; None where they ask for no passages."""
    if "retrieval" not in settings:
        return None
    retrieval = Retrieval.model_validate_json(json.dumps(settings["retrieval"]))
    documents = str(retrieval.documents)
    return Grounds(retrieval, whole(inputs[documents]), whole(inputs[documents + INDEX]))


def examples_of(inputs: Mapping[str, Content], grounds: "Grounds | None") -> Mapping[str, Content]:
    """Return the inputs of a dataset that are examples."""
    others = () if grounds is None else (grounds.documents, grounds.documents + INDEX)
    return {name: each for name, each in inputs.items() if name not in others}


def sliced(given: Given, split: Split, settings: Retrieval) -> dict[str, str]:
    """Return the slice of an example by whether a search has found its gold passage, where it was searched for."""
    if split in settings.gold_in or not given.is_known:
        return {}
    return {SLICE: "found" if any(given.gold) else "not found"}


def found(given: Given) -> bytes:
    """Return where the gold passage of an example is: among those given or not, and where a search finds it."""
    among = UNKNOWN if given.place is None else AMONG if any(given.gold) else MISSING
    return np.array([(among, given.place or 0)], FOUND).tobytes()


def recall(settings: Retrieval, golds: Iterable[bytes], splits: Mapping[Split, Indexes]) -> dict[str, Any]:
    """Return how often the gold passage is among those given, and how good the search is, of the examples of each
    split that name one.

    `golds` say where it is, as `found` does of each example, in the order of the rows; a split in which none is named
    is left out.
    """
    every: npt.NDArray[Any] = np.frombuffer(b"".join(golds), FOUND)
    known = {split: every[rows][every[rows]["among"] != UNKNOWN] for split, rows in splits.items()}
    known = {split: each for split, each in known.items() if len(each)}
    told = {
        split: {
            "n": len(each),
            "with_gold": int((each["among"] == AMONG).sum()),
            "is_given": split in settings.gold_in,
            "search": recalls(each["place"].tolist()),
        }
        for split, each in known.items()
    }
    return {"documents": settings.documents, "n_passages": settings.n_passages, "gold_passage": told}


def told(recalled: Mapping[str, Any]) -> str:
    """Return for people how often a search has found the gold passage, "" where none is known."""
    searched = {split: each for split, each in recalled["gold_passage"].items() if not each["is_given"]}
    parts = [
        f"{each['with_gold']:,} of {each['n']:,} {split} (MRR {each['search']['mrr']:.2f})"
        for split, each in searched.items()
    ]
    return f", gold passage found for {', '.join(parts)}" if parts else ""
