"""`ftbuild init NAME --from FILE`: write the source and the experiment for a file of one's own, a few lines each."""

import os
import re
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from ftbuild import packed
from ftbuild.chat import as_asked, said
from ftbuild.cli import importing, own_conf
from ftbuild.cli.options import Options
from ftbuild.cli.reading import reading
from ftbuild.dataset.split import split_of
from ftbuild.errors import ConfigError, DataError, ExitCode
from ftbuild.example import USUAL, Example, Split
from ftbuild.imports import Questions
from ftbuild.problem import Problem, render
from ftbuild.report.words import count
from ftbuild.retrieval import passages
from ftbuild.rows import BLANK, line, read
from ftbuild.settings import Shares, Source
from ftbuild.settings.source import FIRST_QUESTION, SourceKind
from ftbuild.source_files import Place, contents
from ftbuild.sources import READERS, csv_rows, huggingface, tables
from ftbuild.sources.filters import LEFT_OUT
from ftbuild.stream import whole
from ftbuild.trees import find_root, group_options

SAMPLE = 500
SIGNS = {";": "a semicolon", "\t": "a tab"}
LEAST_GROUPS = 4  # in every split
SEEDS = 200
GROUPED = re.compile(r"(group|topic|thread|situation|conversation|ticket|session|user|customer)(_?id)?|.+_id", re.I)
INPUTS = ("input", "prompt", "question", "query", "request", "source", "text", "casual", "user", "before")
TARGETS = ("target", "output", "completion", "answer", "response", "reply", "label", "formal", "assistant", "after")
SAID = {
    "pairs": "pairs", "csv": "records of CSV", "chat_jsonl": "OpenAI chat lines", "sharegpt": "ShareGPT conversations",
    "alpaca": "Alpaca instructions", "dpo_jsonl": "OpenAI preference lines",
    "bfcl": "BFCL cases", "stored_completions": "chat completions that OpenAI stored",
    "langfuse": "observations of Langfuse", "langsmith": "runs of LangSmith", "functions": "examples of functions",
    "parquet": "rows of Parquet", "huggingface": "rows of a saved dataset",
}  # fmt: skip
DOCUMENTS = (*passages.MARKDOWN, ".txt")
LOGGED = ("stored_completions", "langfuse", "langsmith")  # what people said to a model
CONSENT = "# consent: who agreed, by what, and when     # ftbuild sample asks for it: take the first # away\n"
TOLD_TOOLS = ("chat_jsonl", "sharegpt", "alpaca", "bfcl", "stored_completions")  # where a line has them in `tools`


@dataclass(frozen=True)
class Recognised:
    """What a file seems to be: its kind, how many rows it has, and which of its fields are what."""

    kind: SourceKind
    n: int
    fields: Mapping[str, str]
    with_tools: int

    def said(self) -> str:
        """Return it for people: `OpenAI chat lines, 1,204 of them, no tools, grouped by ticket_id`."""
        named = [f"{what} {field!r}" for what, field in self.fields.items() if what != "group"]
        tools = (
            []
            if self.kind not in TOLD_TOOLS
            else [f"{self.with_tools:,} with tools" if self.with_tools else "no tools"]
        )
        group = [f"grouped by {self.fields['group']}"] if "group" in self.fields else []
        return ", ".join([f"{SAID[self.kind]}, {self.n:,} of them", *named, *tools, *group])


def init(options: Options) -> int:
    """Write both files, and say what they are and what to do next.

    Raises:
        ConfigError: no name, no file, or files of that name are there already.
        DataError: the file cannot be read, is of no layout that we know, or has no line that can be learnt from.
    """
    name, path = _asked(options)
    root = find_root(options.folder)
    shown = os.path.relpath(path, root) if path.resolve().is_relative_to(root.resolve()) else str(path.resolve())
    if listed := _documents(path):
        return _documents_written(root, name, path, shown, listed)
    content = b""
    if not (path / "state.json").is_file():  # a folder that save_to_disk wrote is read file by file
        with reading(path) as file:
            content = file.read()
    if (questions := importing.questions(path, content)) is not None:
        return _tests_written(root, name, path, questions)
    found = recognise(path, content)
    source = _free_name(root, name, path)
    found, examples, broken = _grouped(path, content, found)
    split = _split(examples)
    written = {
        root / "conf" / "source" / f"{source}.yaml": _source(found, shown, name, path),
        root / "conf" / "experiment" / f"{name}.yaml": _experiment(
            name, source, path, split, prefers=examples[0].rejected is not None
        ),
    }
    told = own_conf.write(root, "experiment", name, written)
    if broken:
        print(render(broken), file=sys.stderr)
    print(f"{os.path.relpath(path)}: {found.said()}{_but(broken, examples)}")
    print(f"wrote {told}\nLook at it: ftbuild show +experiment={name}")
    return int(ExitCode.DONE)


def _but(broken: Sequence[Problem], examples: Sequence[Example]) -> str:
    """Return what is said of lines that are no examples, "" where there are none."""
    n = len({each.line for each in broken})
    seen = f"the first {SAMPLE:,}" if n + len(examples) >= SAMPLE else f"{n + len(examples):,}"
    return f"; {n:,} of {seen} cannot be read, and a build refuses them" if n else ""


def _tests_written(root: Path, name: str, path: Path, found: Questions) -> int:
    """Write what another tool asks as chat lines, with a source and an experiment that tests by them.

    Raises:
        ConfigError: files of that name are there already.
        DataError: the file is broken, or asks nothing that can be carried over.
    """
    if wrong := [each for each in found.problems if each.severity == "error"]:
        raise DataError(*wrong)
    if not found.listed:
        raise DataError(Problem(f"{found.said}, and none can be carried over", str(path)), *found.problems)
    source = _free_name(root, name, path)
    lines = root / "datasets" / "sources" / f"{source}.jsonl"
    judged = any(each.expected.criteria for each in found.listed)
    written = {
        lines: b"".join(line(each.to_json()) + b"\n" for each in found.listed).decode(),
        root / "conf" / "source" / f"{source}.yaml": importing.source(path, name, lines.relative_to(root), found),
        root / "conf" / "experiment" / f"{name}.yaml": importing.experiment(path, name, source, judged=judged),
    }
    told = own_conf.write(root, "experiment", name, written)
    if found.problems:
        print(*dict.fromkeys(found.problems), sep="\n", file=sys.stderr)  # all of them, but what all tests share once
    print(f"{os.path.relpath(path)}: {found.said}, {len(found.listed):,} of them carried over\nwrote {told}")
    print(f"Look at it: ftbuild show +experiment={name} --split test")
    return int(ExitCode.DONE)


def _free_name(root: Path, name: str, path: Path) -> str:
    """Return what the source is called: as its file, or as the experiment where a source is called so already."""
    stem = re.sub(r"[^a-z0-9_]+", "_", path.name.lower().partition(".")[0]).strip("_") or name
    taken = group_options(root, "source")
    return next((each for each in (stem, name) if each not in taken), f"{name}_{stem}")


def _documents(path: Path) -> list[Path]:
    """Return the documents that a path names: one, or those of its folder that have the commonest ending.

    Raises:
        DataError: a folder holds none.
    """
    if not path.is_dir():
        return [path] if path.is_file() and packed.plain_name(path.name).lower().endswith(DOCUMENTS) else []
    if (path / "state.json").is_file():
        return []
    files = sorted(each for each in path.rglob("*") if each.is_file())
    endings = Counter(each.suffix for each in files if each.suffix in DOCUMENTS)
    if not endings:
        lines = next(
            (each for each in files if packed.plain_name(each.name).endswith((".jsonl", ".json", ".csv"))), None
        )
        fix = (
            f"begin with one file, --from {shlex.quote(str(lines))}; a pattern as its source's path reads them all."
            if lines
            else f"name a file, or a folder of documents ({', '.join(DOCUMENTS)})."
        )
        raise DataError(Problem("a folder without documents", str(path), fix=fix))
    (ending, _), *_ = endings.most_common(1)
    return [each for each in files if each.suffix == ending]


def _documents_written(root: Path, name: str, path: Path, shown: str, listed: Sequence[Path]) -> int:
    """Write a source of documents and the retrieval that gives their passages, and say how an experiment has them.

    Raises:
        ConfigError: files of that name are there already.
        DataError: a document cannot be read, or no passage is in any.
    """
    found: list[passages.Passage] = []
    for each in listed:
        with reading(each) as file:
            read_ = list(passages.read(file.read(), str(each)))
        if wrong := [one for one in read_ if isinstance(one, Problem) and one.severity == "error"]:
            raise DataError(*wrong)
        found += [one for one in read_ if isinstance(one, passages.Passage)]
    if not found:
        raise DataError(Problem("no passage in the documents", str(path), fix="write a paragraph into one of them."))
    said = f"{count(len(listed), 'document')}, {count(len(found), 'passage')}"
    source = _free_name(root, name, path)
    pattern = f"{shown}/**/*{listed[0].suffix}" if path.is_dir() else shown
    into = f"+source@dataset.sources.{source}={source} retrieval={name}"
    written = {
        root / "conf" / "source" / f"{source}.yaml": (
            f"# {path.name}: {said}.   ftbuild show +experiment=NAME {into}\n"
            f"kind: documents\npath: {_quoted(pattern)}\n{_origin(path)}"
        ),
        root / "conf" / "retrieval" / f"{name}.yaml": (
            f"# Three passages of {path.name} before each question.   ftbuild show +experiment=NAME {into}\n"
            f"documents: {source}\nn_passages: 3\n"
        ),
    }
    told = own_conf.write(root, "retrieval", name, written)
    print(f"{os.path.relpath(path)}: {said}\nwrote {told}")
    print(f"Put passages before the questions of an experiment:\nftbuild show +experiment=NAME {into}")
    return int(ExitCode.DONE)


def _asked(options: Options) -> tuple[str, Path]:
    if len(options.words) != 1 or options.source is None:
        raise ConfigError(Problem("init takes a name and a file", "command line", fix="ftbuild init NAME --from FILE"))
    name = own_conf.named(options.words[0], f"ftbuild init {{}} --from {options.source}")
    return name, Path(options.source)


def recognise(path: Path, content: bytes) -> Recognised:
    """Return what a file seems to be, judged by its first rows; all are counted.

    Raises:
        DataError: it is nothing that we know.
    """
    plain = packed.plain_name(path.name)
    if plain.endswith(".py"):
        return Recognised("functions", _n_examples(path, content, "functions"), {}, 0)
    if path.is_dir() or content.startswith(tables.PARQUET):
        return _table(path, content)
    if tables.is_database(content):
        fix = "write a source of the kind sql, with query: SELECT ... ORDER BY ..., its columns as input and target."
        raise DataError(Problem("a database, of which a query says what to learn from", str(path), fix=fix))
    if not content.strip():
        raise DataError(Problem("is empty", str(path), fix="name a file with lines in it."))
    is_csv = plain.endswith(".csv")
    values = list(_values(content, is_csv))
    maps = [each for each in values[:SAMPLE] if isinstance(each, dict)]
    if not maps and content.lstrip()[:1] in (b"{", b"["):
        raise DataError(
            *[
                replace(each, path=str(path), line=row.line)
                for row in read(BytesIO(content)).rows
                for each in row.problems
            ]
        )
    keys = Counter(key for each in maps for key in each)
    common = [key for key, n in keys.items() if n > len(maps) / 2]
    kind = "csv" if is_csv else _kind(common, maps)
    fields = _chosen(path, common, maps) if kind in ("pairs", "csv") else {}
    if (group := _group(maps, [key for key in common if key not in fields.values()])) is not None:
        fields["group"] = group
    if kind == "pairs" and "group" not in fields:
        fields["group"] = fields["input"]
    tools = "function" if kind == "bfcl" else "tools"
    return Recognised(
        kind, len(values), fields, sum(bool(each.get(tools)) for each in values if isinstance(each, dict))
    )


def _table(path: Path, content: bytes) -> Recognised:
    """Return what a table seems to be: of a layout, or of pairs."""
    kind: SourceKind = "huggingface" if path.is_dir() else "parquet"
    source = Source(kind=kind, path=str(path), licence="", origin="")
    listed = [content] if content else _shards(path, source)
    read = tables.parquet_rows if content else huggingface.rows
    values = [row.value for each in listed for row in read(each, source)]
    maps = [each for each in values[:SAMPLE] if isinstance(each, dict)]
    common = list(dict.fromkeys(key for each in maps for key in each))
    layout = _kind(common, maps)
    if layout in ("sharegpt", "alpaca"):
        fields = {"layout": str(layout)}
    else:
        fields = {} if layout == "chat_jsonl" else _chosen(path, common, maps)
    if (group := _group(maps, [key for key in common if key not in fields.values()])) is not None:
        fields["group"] = group
    return Recognised(kind, len(values), fields, 0)


def _shards(path: Path, source: Source) -> list[bytes]:
    place = Place(path.parent, path.name, folder=True)
    files = [(name, whole(content)) for name, content in contents(place.given(), place.path)]
    found = huggingface.shards(files, source)
    if isinstance(found, Problem):
        raise DataError(found)
    return [content for _, content in found]


def _chosen(path: Path, common: Sequence[str], maps: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return which fields of pairs are input and target.

    Raises:
        DataError: there are no two fields of texts.
    """
    chosen = _input_and_target([key for key in common if all(isinstance(each.get(key, ""), str) for each in maps)])
    if chosen is None:
        there = f"its rows have {', '.join(common[:8])}." if common else "it holds no JSON objects, and no CSV."
        if len(common) == 1 and (named := next((SIGNS[each] for each in SIGNS if each in common[0]), None)):
            why = f"its columns are told apart by {named}, and those of CSV by a comma: {common[0]!r}."
            raise DataError(Problem("of no layout that ftbuild knows", str(path), why=why, fix="save it with commas."))
        raise DataError(Problem("of no layout that ftbuild knows", str(path), why=there, fix=KNOWN))
    return {"input": chosen[0], "target": chosen[1]}


KNOWN = "write lines of OpenAI's training format, ShareGPT, Alpaca, CSV with column names first, or pairs of texts."


def _values(content: bytes, is_csv: bool) -> Iterator[Any]:
    listed = csv_rows.rows(content) if is_csv else read(BytesIO(content)).rows
    for row in listed:
        if not any(problem.rule == BLANK for problem in row.problems):
            yield row.value


def _kind(keys: Sequence[str], maps: Sequence[Mapping[str, Any]]) -> SourceKind:
    there = set(keys)
    generated = any(each.get("type") == "GENERATION" for each in maps)
    told: Mapping[SourceKind, bool] = {
        "stored_completions": "choices" in there and bool({"messages", "input_messages"} & there),
        "langsmith": {"inputs", "outputs", "run_type"} <= there,
        "langfuse": {"input", "output", "type"} <= there and generated,
        "chat_jsonl": "messages" in there,
        "dpo_jsonl": {"input", "preferred_output"} <= there,
        "sharegpt": "conversations" in there,
        "bfcl": {"question", "function", "ground_truth"} <= there,
        "alpaca": {"instruction", "output"} <= there,
    }
    return next((kind for kind, is_it in told.items() if is_it), "pairs")


def _input_and_target(texts: Sequence[str]) -> tuple[str, str] | None:
    def first(names: Sequence[str]) -> str | None:
        return next((key for name in names for key in texts if key.lower() == name), None)

    asked, answered = first(INPUTS), first(TARGETS)
    rest = [key for key in texts if key not in (asked, answered) and not GROUPED.fullmatch(key)]
    asked = asked or (rest.pop(0) if rest else None)
    answered = answered or (rest.pop(0) if rest else None)
    return (asked, answered) if asked and answered else None


def _group(maps: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> str | None:
    """Return the field whose values come back, so that rows belong together."""
    for key in keys:
        values = [each[key] for each in maps if isinstance(each.get(key), str | int)]
        if GROUPED.fullmatch(key) and len(values) == len(maps) and 1 < len(set(values)) < len(values):
            return key
    return None


def _grouped(path: Path, content: bytes, found: Recognised) -> tuple[Recognised, list[Example], list[Problem]]:
    """Return what a file is, its first examples and the errors among its first lines.

    Conversations of which several ask the same are grouped by their first question.

    Raises:
        DataError: there is no example.
    """
    examples, broken = _examples(path, content, found)
    asked = {tuple(map(as_asked, map(said, each.prompt))) for each in examples}
    if len(asked) == len(examples) or {"group", "input"} & found.fields.keys() or found.kind == "functions":
        return found, examples, broken
    together = replace(found, fields={**found.fields, "group": FIRST_QUESTION})
    return together, *_examples(path, content, together)


def _examples(path: Path, content: bytes, found: Recognised) -> tuple[list[Example], list[Problem]]:
    """Return the first examples of a file, and the errors among its first lines.

    Raises:
        DataError: there is none.
    """
    listed = list(islice(_read(path, content, found.kind, found.fields), SAMPLE))
    examples = [each for each in listed if isinstance(each, Example)]
    if not examples:
        raise DataError(*[each for each in listed if isinstance(each, Problem) and each.rule != LEFT_OUT])
    return examples, [each for each in listed if isinstance(each, Problem) and each.severity == "error"]


def _read(path: Path, content: bytes, kind: SourceKind, fields: Mapping[str, str]) -> Iterator[Example | Problem]:
    source = Source.model_validate({"kind": kind, "path": str(path), "licence": "", "origin": "", **fields})
    listed = [content] if kind != "huggingface" else _shards(path, source)
    for each in listed:
        yield from READERS[kind](each, "source", source)


def _n_examples(path: Path, content: bytes, kind: SourceKind) -> int:
    """Return how many examples a file holds that has no rows.

    Raises:
        DataError: none, or it cannot be read.
    """
    listed = list(_read(path, content, kind, {}))
    n = sum(isinstance(each, Example) for each in listed)
    if not n:
        fix = 'write "Will it rain in Oslo?" -> get_weather(city="Oslo") below Examples: in a docstring.'
        nothing = Problem("no function with examples", str(path), fix=fix)
        raise DataError(*([each for each in listed if isinstance(each, Problem)] or [nothing]))
    return n


def _split(examples: Sequence[Example]) -> Shares | None:
    """Return shares that leave no split of a small file empty, None where the usual ones do not.

    Of the seeds the first is taken that comes nearest to the shares: with few groups most are far off.
    """
    groups = list({example.group: example for example in examples}.values())
    least = min(LEAST_GROUPS, len(groups) // 4)
    few = round(min(0.25, LEAST_GROUPS / len(groups)), 2)
    usual = Shares(validation=0.05, test=0.15, seed=9)
    tried = [Shares(validation=few, test=few, seed=seed) for seed in range(1, SEEDS)]

    def counted(shares: Shares, whole: Sequence[Example]) -> Counter[Split]:
        return Counter(split_of(example, shares) for example in whole)

    def is_filled(shares: Shares) -> bool:
        counts = counted(shares, groups)
        return all(counts[split] >= max(1, least) for split in USUAL)

    def distance(shares: Shares) -> float:
        counts = counted(shares, examples)
        return max(abs(counts[split] - few * len(examples)) for split in USUAL[1:])

    return None if is_filled(usual) else min(filter(is_filled, tried), key=distance, default=None)


def _source(found: Recognised, shown: str, name: str, path: Path) -> str:
    fields = "".join(f"{what}: {_quoted(field)}\n" for what, field in found.fields.items())
    return (
        f"# {path.name}: {found.said()}.   ftbuild show +experiment={name}\n"
        f"kind: {found.kind}\npath: {_quoted(shown)}\n{fields}"
        f"{_origin(path)}{CONSENT if found.kind in LOGGED else ''}"
    )


def _origin(path: Path) -> str:
    told = f"origin: {_quoted(path.name)}\n"
    return f"licence: internal                # goes with every example into its provenance\n{told}"


def _experiment(name: str, source: str, path: Path, split: Shares | None, *, prefers: bool) -> str:
    told = f"validation: {split.validation}, test: {split.test}, seed: {split.seed}" if split else ""
    return (
        (
            f"# @package _global_\n# Learns what {path.name} shows.   ftbuild +experiment={name}\n"
            f"defaults:\n  - /source@dataset.sources.{source}: {source}\n"
            "  - override /style: plain\n  - override /goal: closer\n  - override /evaluation: answers\n"
        )
        + ("  - override /method: dpo\n" if prefers else "")
        + (f"\ndataset:\n  split: {{{told}}}     # so that no split of so few is empty\n" if split else "")
    )


def _quoted(text: str) -> str:
    """Return a text as YAML writes it, on one line."""
    return yaml.safe_dump(text, allow_unicode=True, width=10**6).removesuffix("...\n").removesuffix("\n")
