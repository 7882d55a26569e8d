"""`ftbuild show`: examples as the model sees them, what of them is learnt, and where they come from. Writes nothing."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ftbuild import tokens
from ftbuild.chat import Message, called
from ftbuild.cli.build import composed_of, world_of
from ftbuild.cli.layout import columns, hang, width_of
from ftbuild.cli.options import Options
from ftbuild.cli.smoke import smoke_overrides
from ftbuild.composed import Composed
from ftbuild.errors import ConfigError, ExitCode
from ftbuild.example import LEARNT_FROM, SPLITS
from ftbuild.lookup import LedgerFolder, look_up
from ftbuild.plan.action import EMBED
from ftbuild.plan.graph import Graph
from ftbuild.points import one_graph
from ftbuild.problem import Problem
from ftbuild.render.methods import VALUES
from ftbuild.rules.lines import INPUT_KEYS
from ftbuild.rules.pack import DEFAULT, PACKS
from ftbuild.runners.formats import parse_lines
from ftbuild.runners.pure import PURE
from ftbuild.store.store import Store
from ftbuild.stream import Content

SCHEMA_VERSION = 1
SHOWN = 3
ENCODING = PACKS[DEFAULT].encoding
LEARNT, REJECTED, GRADED = "learnt", "rejected", "reference"
FORM = "response_format"


@dataclass(frozen=True)
class Shown:
    """One line of a split, numbered from 1, and where it comes from. `n_learnt` are the tokens of its answers.

    Of a line of the method reinforcement nothing is learnt by heart: its last message is what a grader compares with.
    """

    method: str
    split: str
    line: int
    n_lines: int
    place: Mapping[str, Any]
    conversation: Mapping[str, Any]
    n_tokens: int
    n_learnt: int

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        told = {"method": self.method, "split": self.split, "line": self.line, "n_lines": self.n_lines}
        told |= {name: self.place[name] for name in ("id", "source", "path", "group", "transforms", "licence")}
        told |= {name: self.place[name] for name in ("passages",) if name in self.place}
        return {
            **told,
            "source_line": self.place["line"],
            "n_tokens": self.n_tokens,
            "n_learnt": self.n_learnt,
            **self.conversation,
        }


def show(options: Options) -> int:
    """Print the first lines of a split.

    Raises:
        DataError: the data has faults.
    """
    split = options.split or SPLITS[0]
    composed = composed_of(options)
    store = Store(world_of(options).store)
    graph, points = one_graph(composed, smoke_overrides(options), store, smoke=options.smoke)
    asked = _asked(graph, store, LedgerFolder(world_of(options)))
    composed_by = {name: point.composed for point in points for name in point.ids}
    made = _made(graph.up_to("dataset"), composed_by, asked)
    method = points[0].composed.settings.method.lines
    shown = list(_lines(made, method, split, options.count or SHOWN))
    if options.format == "json":
        told = {"schema_version": SCHEMA_VERSION, "examples": [each.to_json() for each in shown]}
        print(json.dumps(told, ensure_ascii=False, indent=1))
    elif not shown:
        print(f"no example in the {split} split")
    else:
        print("\n\n".join(text(each, columns()) for each in shown))
    return int(ExitCode.DONE)


def _asked(graph: Graph, store: Store, ledger: LedgerFolder) -> dict[str, Mapping[str, Content]]:
    """Return the outputs of what was asked of a provider for the data, by action.

    Raises:
        ConfigError: it was not asked for yet.
    """
    found: dict[str, Mapping[str, Content]] = {}
    for one in look_up(graph.up_to("dataset"), store, ledger):
        if one.action.kind is EMBED:
            if one.record is None:
                what = f"{one.action.label}: not asked for yet, and the passages are chosen by them"
                raise ConfigError(Problem(what, fix="ftbuild dataset, with the same words, asks for them."))
            found[one.action.id] = {name: store.get(digest) for name, digest in one.record.outputs.items()}
    return found


def _made(
    graph: Graph, composed: Mapping[str, Composed], asked: Mapping[str, Mapping[str, Content]]
) -> Mapping[str, Content]:
    """Return the outputs of the dataset, made in memory; `composed` are the compositions by action."""
    outputs: dict[str, Mapping[str, Content]] = {**asked}
    found: Mapping[str, Content] = {}
    for name, action in graph.actions.items():
        if name in asked:
            continue
        inputs = {each.role: outputs[each.action][each.output] for each in action.inputs}
        given = composed[name].source_place(action.label).given() if action.kind.name == "ingest" else {}
        found = outputs[name] = PURE[action.kind.name](action.settings, inputs, given).outputs
    return found


def _lines(made: Mapping[str, Content], method: str, split: str, n: int) -> Iterator[Shown]:
    examples = list(parse_lines(made.get(f"{split}.jsonl", b"")))
    places = [each for each in parse_lines(made["provenance.jsonl"]) if each["split"] == split]
    for number, (example, place) in enumerate(zip(examples[:n], places, strict=False), 1):
        told: dict[str, Any] = {name: example[name] for name in (*INPUT_KEYS, FORM, REJECTED) if name in example}
        is_learnt = split in LEARNT_FROM and method != "reinforcement"
        n_learnt = tokens.of_examples([told], ENCODING)[0][1] if is_learnt else 0
        line = VALUES[method](told) if method != "dpo" or REJECTED in told else told
        yield Shown(method, split, number, len(examples), place, told, tokens.of_line(line, ENCODING), n_learnt)


def text(shown: Shown, width: int) -> str:
    """Return an example for people: a line about it, then its tools and its messages, what is learnt marked."""
    place = f"{shown.place['path']}:{shown.place['line']}"
    counted = f"{shown.n_tokens:,} tokens" + (f", {shown.n_learnt:,} of them learnt" if shown.n_learnt else "")
    head = f"{shown.split}, line {shown.line:,} of {shown.n_lines:,}     {place}     {counted}"
    lines = [head]
    if tools := shown.conversation.get("tools"):
        names = " ".join(tool["function"]["name"] for tool in tools)
        lines.append(hang(_left("tools"), names, width))
    if form := shown.conversation.get(FORM):
        lines.append(hang(_left("form"), f"JSON of the schema {form['json_schema']['name']}", width))
    if passages := shown.place.get("passages"):
        lines.append(hang(_left("passages"), ", ".join(map(_passage, passages)), width))
    *asked, target = shown.conversation["messages"]
    is_graded = shown.method == "reinforcement"
    for value in (*asked, target):
        mark = LEARNT if tokens.is_learnt(value) and not is_graded and shown.split in LEARNT_FROM else ""
        lines += _message(Message.from_json(value), width, GRADED if is_graded and value is target else mark)
    if REJECTED in shown.conversation:
        lines += _message(Message.from_json(shown.conversation[REJECTED]), width, REJECTED)
    return "\n".join(lines)


def _passage(told: Mapping[str, Any]) -> str:
    """Return where a passage stands; the gold one is the one that the answer is taken from."""
    return f"{told['path'].rpartition('/')[2]}:{told['line']}{' (gold)' if told.get('gold') else ''}"


def _left(role: str) -> str:
    return f"  {role:9}  "


def _message(message: Message, width: int, how: str) -> Iterator[str]:
    said = [part for text in (message.content, message.refusal) if text is not None for part in text.split("\n")]
    said += [called(each) for each in message.tool_calls]
    mark = f"   {how}" if how else ""
    for number, part in enumerate(said or [""]):
        left = _left(message.role if number == 0 else "")
        wrapped = hang(left, part, width - len(mark), break_long_words=True).split("\n")
        gap = " " * max(0, width - len(mark) - width_of(wrapped[0]))
        yield f"{wrapped[0]}{gap}{mark}" if mark else wrapped[0]
        yield from wrapped[1:]
