"""The rendering action: the training lines of a dataset, as a method and a provider take them; over partitions."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from ftbuild.dataset.card import Fact
from ftbuild.digest import of_value, short
from ftbuild.errors import DataError
from ftbuild.example import SPLITS, Split
from ftbuild.partitions import cut, mapped, pool_of
from ftbuild.render.lacking import lacking
from ftbuild.render.lacking import problem as lacking_problem
from ftbuild.render.methods import LINES
from ftbuild.render.supervised import UNTAUGHT
from ftbuild.runners import counting
from ftbuild.runners.formats import Written, json_file, parse_examples
from ftbuild.stream import Content, Output, Part
from ftbuild.workers import Made

AT_ONCE = 64  # examples whose tokens are counted together: more of them no longer fit a cache


def render(settings: Any, inputs: Mapping[str, Content], given: Mapping[str, Any]) -> Made:
    """Write the lines that a provider takes for the method, with a manifest.

    Raises:
        DataError: examples lack what the method learns from: a rejected answer, a field that the grader reads.
    """
    counted: Counter[Fact] = Counter()
    splits = [split for split in SPLITS if split in inputs]
    spools = {split: Output(given.get("scratch")) for split in splits}
    counts, without = dict.fromkeys(splits, 0), {split: Counter[str]() for split in splits}
    work = partial(_render, settings["method"], settings.get("reads", ()))
    pool = pool_of(given)
    parts = (Lines(split, each) for split in splits for each in cut(inputs[split], pool))
    for each in mapped(work, parts, pool, lambda part: len(part.content)):
        spools[each.split].add(each.lines)
        counts[each.split] += each.n
        without[each.split] += each.wanting
        counted.update(each.facts)
    for split in splits:
        if lacks := without[split]:
            method, n = settings["method"], counts[split]
            raise DataError(*(lacking_problem(what, lacks[what], n, split, method) for what in lacks))
    outputs: dict[str, Content] = {f"{split}.jsonl": spools[split].content() for split in splits}
    digest = of_value(["lines.v2", *(spools[split].digest for split in splits)])
    outputs["facts.jsonl"] = counting.written(counted)
    outputs["manifest.json"] = json_file({"schema_version": 1, "digest": digest, "counts": counts})
    return Made(outputs, f"training lines {short(digest)}")


@dataclass(frozen=True)
class Lines:
    """Some lines of a split of a dataset."""

    split: Split
    content: bytes | Part


@dataclass(frozen=True)
class Rendered:
    """The lines of some examples, their facts, how many there are, and how many lack what the method learns from."""

    split: Split
    lines: bytes
    facts: Counter[Fact]
    n: int
    wanting: Counter[str]


def _render(method: str, reads: Sequence[str], part: Lines) -> Rendered:
    written: list[bytes] = []
    counted: Counter[Fact] = Counter()
    wanting: Counter[str] = Counter()
    n, examples = 0, parse_examples(part.content, b',"raw":')
    while some := list(islice(examples, AT_ONCE)):
        n += len(some)
        values = [each.value for each in some]
        wanting.update(what for each in values if (what := lacking(each, method, reads)))
        if not wanting:
            written += (_rendered(method, each) + b"\n" for each in some)
            counted.update(counting.facts(values, part.split, method))
    return Rendered(part.split, b"".join(written), counted, n, wanting)


def _rendered(method: str, example: Written) -> bytes:
    is_said = method == "supervised" and UNTAUGHT.isdisjoint(example.value)
    return b"{%s}" % example.said if is_said else LINES[method](example.value)
