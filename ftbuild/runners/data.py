"""The data actions: ingest a source, build the dataset.

Each goes over partitions: pure functions of some lines, in as many processes as the build may use. What decides over
all examples sees a fact of each; their lines wait on disk meanwhile.
"""

import json
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

from ftbuild import source_files
from ftbuild.chat import ResponseFormat, Tool
from ftbuild.dataset import facts, lineage, offered, redact
from ftbuild.dataset.build import Decided, Recipe, are_equal, decide, fact, is_prepared, known_in, prepared, problems
from ftbuild.dataset.contradicting import contradicting
from ftbuild.dataset.facts import Indexes, Table
from ftbuild.dataset.lineage import Done
from ftbuild.dataset.mix import Mix
from ftbuild.dataset.times import latest_times, split_in
from ftbuild.errors import DataError
from ftbuild.example import LEARNT_FROM, SPLITS, USUAL, Example, Known, Origin, Split, said_in
from ftbuild.partitions import cut, mapped, pool_of
from ftbuild.problem import Problem
from ftbuild.retrieval.grounding import Given, grounded
from ftbuild.rows import reread
from ftbuild.rules import examples as rules
from ftbuild.rules.coverage import Company, Coverage, company_of
from ftbuild.rules.sound import stays_sound
from ftbuild.runners import passages, walled
from ftbuild.runners.formats import Written, each_line, json_file, json_lines, parse_example, parse_lines, standing
from ftbuild.runners.terms import terms_of
from ftbuild.settings import Shares, Source, Style
from ftbuild.sources import Piece, gathered, note, nothing, plain, read_piece
from ftbuild.sources import pieces as pieces_of
from ftbuild.sources.conversations import PACK
from ftbuild.sources.structured import formed
from ftbuild.stream import FEW, Content, Output, Part, Spool
from ftbuild.workers import Made

# --- ingest --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Read:
    """What a piece of a source says: its examples as JSON lines, what is wrong, and what was left out and why."""

    lines: bytes
    n: int
    problems: Sequence[Problem]
    left_out: Counter[str]
    hint: str


def ingest(settings: Any, _inputs: Mapping[str, Content], given: Mapping[str, Any]) -> Made:
    """Read one source; `given` says where it lies. Its bytes are kept, so that a later change can be told line by line.

    Raises:
        DataError: the file is not the one that was planned with, or holds lines that are no examples.
    """
    source = Source.model_validate_json(json.dumps({**settings["source"], "origin": ""}))
    files = source_files.contents(given, source.path)
    if source.kind == "documents":
        read = passages.documents(files, source, given)
        outputs = {"passages.jsonl": read.content, **_as_planned(files, settings["bytes"], source, given)}
        return Made(outputs, read.note(), _warnings(read.problems))
    spool, n, found, hint = Output(given.get("scratch")), 0, list[Problem](), ""
    left_out: Counter[str] = Counter()
    said = settings.get("response_format")
    form = ResponseFormat.from_json(json.loads(said)) if said is not None else None
    work = partial(_read, settings["name"], source, form)
    for each in mapped(work, pieces_of(files, source), pool_of(given), lambda piece: len(piece.content)):
        spool.add(each.lines)
        n += each.n
        found += each.problems
        left_out += each.left_out
        hint = each.hint or hint
    outputs = {"examples.jsonl": spool.content(), **_as_planned(files, settings["bytes"], source, given)}
    found = gathered(n, found, settings["name"], source)
    found += nothing(n, found, left_out, hint, source.path)
    return Made(outputs, note(n, left_out), _warnings(found))


def _as_planned(
    files: source_files.Contents, planned: str, source: Source, given: Mapping[str, Any]
) -> dict[str, Content]:
    """Return the files that were read as outputs, if they are those that the digest `planned` stands for."""
    if source_files.digest(files, given) != planned:
        raise DataError(Problem("changed while the build began", source.path, fix="the same command again."))
    return source_files.kept(files, given)


def _read(name: str, source: Source, form: ResponseFormat | None, piece: Piece) -> Read:
    done: list[bytes] = []
    n, found, hint = 0, list[Problem](), ""
    left_out: Counter[str] = Counter()
    for each in plain.runs(piece, name, source) if form is None else (piece,):
        if isinstance(each, Piece):
            read = read_piece(each, name, source)
            examples, problems = formed(read.examples, read.problems, source, form)
            done.append(json_lines(each.to_json() for each in examples))
            n, found, hint = n + len(examples), [*found, *problems], read.hint or hint
            left_out += read.left_out
        else:
            done += each
            n += len(each)
    return Read(b"".join(done), n, found, left_out, hint)


# --- dataset -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Partition:
    """Some lines of one source; `source` is its number among all of them."""

    source: int
    lines: bytes | Part


@dataclass(frozen=True)
class Ways:
    """What becomes of every example; `redacting` are the rules that take something out of it.

    `licences` are those of the sources by name, `with_share` the sources that have a share of the mix, `grounds` the
    passages that go into prompts, and `consents` what is recorded of those who said what a source holds.
    """

    recipe: Recipe
    redacting: Sequence[str]
    terms: offered.Terms
    licences: Mapping[str, str]
    with_share: Container[str]
    grounds: passages.Grounds | None = None
    consents: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def leave_alone(self) -> bool:
        """Return whether the recipe alone may change an example."""
        return not self.redacting and self.terms == offered.Terms() and self.grounds is None


@dataclass(frozen=True)
class Prepared:
    """A partition made ready: each example's line and behind it what stands beside it, and its facts.

    `paths` and `companies` are what the numbers in the facts stand for; `wrong` holds the findings about single
    examples by their row, `redacted` what was taken out of them; `n_cut` calls were cut off, and `tools` are told
    otherwise; `golds` say of each example where its gold passage is, and nothing where no passages are given.
    """

    lines: bytes
    facts: bytes
    paths: Sequence[str]
    companies: Sequence[Company | None]
    wrong: Mapping[int, Sequence[Problem]]
    redacted: Mapping[int, Mapping[str, int]]
    n_equal_answers: int
    n_cut: int
    tools: offered.Pairs
    golds: bytes = b""


def dataset(settings: Any, inputs: Mapping[str, Content], given: Mapping[str, Any]) -> Made:
    """Style, deduplicate and split the examples of all sources, and check what will be trained on.

    Raises:
        DataError: the findings, if one of them is an error.
    """
    grounds = passages.grounds_of(settings, inputs)
    inputs = passages.examples_of(inputs, grounds)
    names = sorted(inputs)
    recipe = _recipe(settings)
    redacting = tuple(settings.get("redact", ()))
    if recipe.shares.by == "time":
        recipe = replace(recipe, latest=latest_times(_all(inputs, redacting)))
    shares = settings.get("shares", {})
    terms = terms_of(settings, inputs, given)
    consents = settings.get("consents", {})
    ways = Ways(recipe, redacting, terms, settings["licences"], frozenset(shares), grounds, consents)
    told, parts = _each_prepared(inputs, names, ways, given)
    table, paths, companies = _joined(parts)
    mix = Mix(shares, recipe.shares.seed, names, paths) if shares else None
    n_equal_answers, confirm = sum(each.n_equal_answers for each in parts), settings.get("confirm", False)
    without = dict(settings.get("without", ()))
    decided = decide(table, settings["limit"], n_equal_answers, mix, confirm=confirm, without=without)
    wrong = _by_row(parts, "wrong")
    redacted = _by_row(parts, "redacted")
    kept = {row for rows in decided.splits.values() for row in rows.tolist()} if wrong or redacted else set()
    learnt = not settings.get("tests_only", False)
    decided, found = walled.held(decided, told, table, names, paths, settings.get("walled", ()), given)
    needed = [each for each in SPLITS if learnt or each not in LEARNT_FROM]
    found += problems(decided, table, paths, needed, near=recipe.near)
    found += _together(decided, table, companies, [each for row, each in wrong.items() if row in kept], learnt=learnt)
    if learnt:
        read = partial(_row, told, facts.offsets(table), table["n_bytes"])
        found += contradicting(table, decided.splits["train"], paths, read)
    outputs = _gathered(told, table, decided.splits, given.get("scratch"))
    n_cut, tools = sum(each.n_cut for each in parts), {key: two for each in parts for key, two in each.tools.items()}
    taken = redact.totals(each for row, each in redacted.items() if row in kept)
    removed = {f"{name} redacted": n for name, n in taken.items()} | ({offered.CUT: n_cut} if n_cut else {})
    outputs["dropped.json"] = json_file({**decided.dropped, **removed})
    outputs |= {name: json_file(value) for name, value in offered.beside(tools, terms).items()}
    told_of = _counts({split: len(rows) for split, rows in decided.splits.items()})
    if grounds is not None:
        found += grounds.problems()
        usual = {split: decided.splits[split] for split in USUAL}
        recalled = passages.recall(grounds.settings, (each.golds for each in parts), usual)
        outputs["retrieval.json"] = json_file(recalled)
        told_of += passages.told(recalled)
    told_of += f", redacted {redact.told(taken)}" * bool(taken) + f", {n_cut:,} calls cut off" * bool(n_cut)
    warnings = _warnings([*found, *offered.losses(tools, terms)])
    told_of += f", {len(warnings):,} warning{'s' * (len(warnings) > 1)}" if warnings else ", no problems"
    return Made(outputs, told_of, warnings)


def _each_prepared(
    inputs: Mapping[str, Content], names: Sequence[str], ways: Ways, given: Mapping[str, Any]
) -> tuple[Spool, list[Prepared]]:
    """Return the lines of all examples, each with what stands beside it, and the partitions without them."""
    pool = pool_of(given)
    partitions = (Partition(number, each) for number, name in enumerate(names) for each in cut(inputs[name], pool))
    told = Spool(given.get("scratch"))
    parts: list[Prepared] = []
    for each in mapped(partial(_prepare, ways), partitions, pool, lambda part: len(part.lines)):
        told.add(each.lines)
        parts.append(replace(each, lines=b""))
    return told, parts


def _gathered(told: Spool, table: Table, splits: Mapping[Split, Indexes], scratch: str | None) -> dict[str, Content]:
    """Return the files of the splits and, in the order of their lines, what stands beside these."""
    at, ends = facts.offsets(table), table["n_bytes"]
    lengths = ends + table["n_beside"]
    beside = Output(scratch)
    outputs: dict[str, Content] = {}
    for split, rows in splits.items():
        lines = Output(scratch)
        for some in np.split(rows, range(FEW, len(rows), FEW)):
            both = told.each(zip(at[some].tolist(), lengths[some].tolist(), strict=True))
            each = [*zip(both, ends[some].tolist(), strict=True)]
            lines.add(b"".join([content[:end] for content, end in each]))
            beside.add(b"".join([content[end:] for content, end in each]))
        outputs[f"{split}.jsonl"] = lines.content()
    return outputs | {"provenance.jsonl": beside.content()}


def _row(told: Spool, at: Indexes, lengths: npt.NDArray[Any], row: int) -> Any:
    """Return the JSON form of an example by its row in the table of all."""
    return orjson.loads(told.read([(int(at[row]), int(lengths[row]))]))


def _together(
    decided: Decided,
    table: Table,
    companies: Sequence[Company | None],
    wrong: Sequence[Sequence[Problem]],
    *,
    learnt: bool,
) -> list[Problem]:
    """Return what is wrong with the examples to learn from together, and what is `wrong` with single ones."""
    trained = np.concatenate([decided.splits[split] for split in LEARNT_FROM])
    coverage = Coverage()
    for number, n in zip(*np.unique(table["company"][trained], return_counts=True), strict=True):
        coverage.add(companies[number], int(n))
    return rules.together(len(decided.splits["train"]) if learnt else None, coverage, wrong)


def _all(inputs: Mapping[str, Content], redacting: Sequence[str]) -> Iterator[Example]:
    """Yield the examples of all sources, without what is redacted: a group may be named by that."""
    for content in inputs.values():
        for value in parse_lines(content):
            example = Example.from_json(value)
            yield redact.redacted(example, redacting) if redacting else example


def _recipe(settings: Any) -> Recipe:
    style = {**{name: settings[name] for name in ("language", "system")}, "rules": {}}
    return Recipe(
        Style.model_validate_json(json.dumps({**style, "expand": dict(settings["expand"])})),
        Shares.model_validate_json(json.dumps(settings["split"])),
        tuple(Tool.from_json(json.loads(each)) for each in settings.get("tools", ())),
        settings.get("parallel_tool_calls"),
        settings.get("deduplicate") == "near",
    )


def _prepare(ways: Ways, partition: Partition) -> Prepared:
    told: list[bytes] = []
    packed: list[bytes] = []
    paths: dict[str, int] = {}
    companies: dict[Company | None, int] = {}
    wrong: dict[int, Sequence[Problem]] = {}
    redacted: dict[int, Mapping[str, int]] = {}
    n_equal_answers = n_cut = 0
    golds = bytearray()
    tools: dict[str, tuple[Tool, Tool]] = {}
    recipe = ways.recipe
    for content in each_line(partition.lines):
        ready = _as_it_stands(content, ways) or _ready(parse_example(content, b',"source":'), ways)
        if ready is None:
            n_equal_answers += 1
            continue
        origin, n_cut = ready.origin, n_cut + ready.n_cut
        tools.update(ready.tools)
        if ready.done.redacted:
            redacted[len(packed)] = ready.done.redacted
        if ready.problems:
            wrong[len(packed)] = ready.problems
        line = _line(origin, ready.told, ready.context)
        licence, has_share = ways.licences[origin.source], origin.source in ways.with_share
        consent = ways.consents.get(origin.source)
        entry = lineage.entry(origin, ready.done, ready.split, recipe.shares, licence, has_share, consent)
        if ways.grounds is not None:
            documents = ways.grounds.documents
            entry |= {"passages": ready.given.to_json(documents, ways.licences[documents])}
            golds += passages.found(ready.given)
        beside = reread(entry) + b"\n"
        told += line, beside
        known = fact(
            origin,
            ready.known,
            recipe,
            ready.split,
            partition.source,
            paths.setdefault(origin.path, len(paths)),
            n_bytes=len(line),
            n_beside=len(beside),
            company=companies.setdefault(ready.company, len(companies)),
        )
        packed.append(known.packed())
    return Prepared(
        b"".join(told),
        b"".join(packed),
        [*paths],
        [*companies],
        wrong,
        redacted,
        n_equal_answers,
        n_cut,
        tools,
        bytes(golds),
    )


class Ready(NamedTuple):
    """An example as it will be learnt: where it comes from, what is known of it and what was done to it.

    `told` are the members of what is said in it, as bytes. What is `known` leaves out the passages in `given`, which
    stand in `context`: two that ask the same leak, whatever stands before the question. `tools` are those told
    otherwise, `n_cut` the calls that were cut off.
    """

    origin: Origin
    told: bytes
    known: Known
    company: Company | None
    split: Split
    problems: Sequence[Problem] = ()
    done: Done = Done()
    n_cut: int = 0
    tools: offered.Pairs = MappingProxyType({})
    given: Given = Given()
    context: str = ""


def _as_it_stands(line: bytes, ways: Ways) -> Ready | None:
    """Return an example that stays as it stands in its line, without reading what is said; None says nothing."""
    if not ways.leave_alone or ways.recipe.near or (found := standing(line)) is None:
        return None
    origin, offer, known, said = found
    if not is_prepared(offer, known.begins, ways.recipe) or not stays_sound(offer, PACK, rules.PACK):
        return None
    company = company_of(offer, known.called, known.arity)
    return Ready(origin, said, known, company, split_in(origin, ways.recipe.shares, ways.recipe.latest))


def _ready(example: Written, ways: Ways) -> Ready | None:
    """Return what becomes of an example; None where its answer is both rejected and preferred."""
    value, shares, latest = example.value, ways.recipe.shares, ways.recipe.latest
    pack = rules.pack_for(ways.terms.strict)
    if ways.leave_alone and is_prepared(value, value["messages"][0]["role"], ways.recipe):
        origin, said = Origin.from_json(value), said_in(value)
        wrong = rules.check(said, origin.path, origin.line, pack, PACK if origin.sound else None)
        known, split = known_in(said, ways.recipe), split_in(origin, shares, latest)
        return Ready(origin, example.said, known, company_of(said, known.called, known.arity), split, wrong)
    read = Example.from_json(value)
    as_told = _as_told(read, ways)
    if as_told is None:
        return None
    own = plain = as_told.example
    said = asked = plain.conversation()
    split = split_in(plain, shares, latest)
    given, context, problems = Given(), "", list[Problem]()
    if ways.grounds is not None:
        asked_as: Split = "test" if split == "confirm" else split
        chosen, found = ways.grounds.ground(read, asked_as)
        if isinstance(found, Problem):
            problems.append(found)
        else:
            again = _as_told(chosen, ways)  # what is redacted has one label, in the passages and in the question
            assert again is not None
            slices = {**plain.slices, **passages.sliced(found, asked_as, ways.grounds.settings)}
            own, given = replace(grounded(again.example), group=plain.group, slices=slices), found
            said, context = own.conversation(), again.example.context
    done, origin = Done(own.transforms, own.redacted), own.origin
    pairs = offered.pairs(own, ways.terms)
    problems += rules.check(said, origin.path, origin.line, pack)
    known, told = known_in(asked, ways.recipe), reread(said)[1:-1]
    company = company_of(said, known.called, known.arity)
    return Ready(origin, told, known, company, split, problems, done, as_told.n_cut, pairs, given, context)


def _as_told(read: Example, ways: Ways) -> offered.Offered | None:
    """Return an example as a provider takes it; None where its answer is both rejected and preferred."""
    ready = prepared(redact.redacted(read, ways.redacting) if ways.redacting else read, ways.recipe)
    if ready is None:
        return None
    told = offered.offered(ready, ways.terms)
    return None if are_equal(told.example.rejected, told.example.target) else told  # a call that differed is gone


def _line(origin: Origin, told: bytes, context: str) -> bytes:
    beside: dict[str, Any] = {"raw": origin.raw, "group": origin.group, "slices": origin.slices}
    beside |= origin.judged_by()
    beside |= {"context": context} if context else {}  # what an arm that retrieves nothing goes without
    return b'{"id":"%s",%s,%s\n' % (origin.id.encode(), told, reread(beside)[1:])


def _joined(parts: Sequence[Prepared]) -> tuple[Table, list[str], list[Company | None]]:
    """Return the facts of all partitions, and what the numbers of paths and of companies stand for in them."""
    paths = sorted({path for each in parts for path in each.paths})
    number = {path: at for at, path in enumerate(paths)}
    companies: dict[Company | None, int] = {}
    own = [[companies.setdefault(company, len(companies)) for company in each.companies] or [0] for each in parts]
    packed = [each.facts for each in parts]
    return facts.table(packed, [[number[path] for path in each.paths] for each in parts], own), paths, [*companies]


def _by_row(parts: Sequence[Prepared], name: str) -> dict[int, Any]:
    """Return what is known of single examples by their row in the table of all."""
    found: dict[int, Any] = {}
    at = 0
    for each in parts:
        found |= {at + row: value for row, value in getattr(each, name).items()}
        at += len(each.facts) // facts.ROW_BYTES
    return found


def _warnings(found: Sequence[Problem]) -> Sequence[Problem]:
    """Return the findings if none is an error, else raise them all."""
    if any(problem.severity == "error" for problem in found):
        raise DataError(*found)
    return found


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} {split}" for split, n in counts.items())
