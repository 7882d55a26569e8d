"""What the wall lets through and what it stops: python -m tests.bench.wall

False alarms are counted over what the shipped experiments learn from, before what they test on: none of it was made
out of a test. Four ways are planted for every test example of an experiment: a copy; other case, width and
punctuation; one word for another; the example as a turn of a conversation. The fifth, other words for the same values,
is planted for those that wall.jsonl, beside this, has written anew by hand: written before the thresholds were chosen,
which were chosen with them in sight, so of texts by others fewer may be seen.
"""

import json
import random
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ftbuild.compose import compose
from ftbuild.dataset.split import split_of
from ftbuild.dataset.wall import Wall
from ftbuild.sources import read

ROOT = Path(__file__).parents[2]
EXPERIMENTS = (
    "tone_formal",
    "parallel_tools",
    "structured_output",
    "rag_faq",
    "tone_polite_ja",
    "function_calling",
    "tool_calling",
    "tone_gentle",
    "tone_friendly",
)
WORDS = re.compile(r"[ぁ-ん]+|[ァ-ヺー]+|[一-龯々]+|[^\W\d_ぁ-ヺー一-龯々]+")
Json = Mapping[str, Any]


def main() -> None:
    """Print a row an experiment."""
    anew = [json.loads(line) for line in Path(__file__).with_suffix(".jsonl").read_bytes().splitlines()]
    print("| experiment | learnt from | false alarms | copy | case | a word | in a conversation | in other words |")
    print("|---|---|---|---|---|---|---|---|")
    for name in EXPERIMENTS:
        print(row(name, [each for each in anew if each["experiment"] == name]))


def row(name: str, anew: list[Json]) -> str:
    """Return the row of an experiment; `anew` are its test examples in other words."""
    examples = list(examples_of(name))
    tests = [each for each in examples if each["split"] == "test"]
    learnt = [each for each in examples if each["split"] in ("train", "validation")]
    wall, drawn = Wall(tests), random.Random(name)
    alarms = [each for each in learnt if wall.twin(each)]
    ways: list[Callable[[Json], Json]] = [
        lambda each: each,
        lambda each: asked(each, other_case),
        lambda each: asked(each, lambda text: one_word(text, drawn)),
        within,
    ]
    seen = [share(sum(wall.twin(way(each)) is not None for each in tests), len(tests)) for way in ways]
    by_place = {(each["source"], each["line"]): each for each in tests}
    rewritten = [rewrite(by_place[each["source"], each["line"]], each) for each in anew]
    told = f"{sum(wall.twin(each) is not None for each in rewritten)} of {len(rewritten)}" if rewritten else "-"
    return f"| {name} | {len(learnt):,} | {len(alarms)} | {' | '.join(seen)} | {told} |"


def examples_of(name: str) -> Iterator[Json]:
    """Yield the examples of an experiment, each with its split."""
    composed = compose(ROOT, [f"+experiment={name}"])
    dataset = composed.settings.dataset
    for source_name, source in dataset.sources.items():
        if source.kind != "documents":
            for each in read(composed.source_path(source_name).read_bytes(), source_name, source)[0]:
                yield {**each.to_json(), "split": split_of(each, dataset.split)}


def share(n: int, of: int) -> str:
    return f"{100 * n / of:.1f} %"


def asked(example: Json, change: Callable[[str], str]) -> Json:
    """Return the example with the last that its user says changed."""
    at = max(n for n, each in enumerate(example["messages"]) if each["role"] == "user")
    said = example["messages"][at]
    messages = [*example["messages"]]
    messages[at] = {**said, "content": change(said["content"])}
    return {**example, "messages": messages}


def other_case(text: str) -> str:
    return f"{unicodedata.normalize('NFKC', text).swapcase()}  !!"


def one_word(text: str, drawn: random.Random) -> str:
    """Return the text with one of its words for another."""
    found = list(WORDS.finditer(text))
    if not found:
        return text
    word = drawn.choice(found)
    return text[: word.start()] + ("something" if word[0].isascii() else "別件") + text[word.end() :]


def within(example: Json) -> Json:
    """Return the example as the second turn of a conversation."""
    before = [{"role": "user", "content": "One more thing."}, {"role": "assistant", "content": "Go on, please."}]
    return {**example, "messages": [*before, *example["messages"]]}


def rewrite(example: Json, anew: Json) -> Json:
    """Return the example as it was written anew."""
    target = example["messages"][-1] | ({"content": anew["answer"]} if "answer" in anew else {})
    return {**example, "messages": [{"role": "user", "content": anew["asked"]}, target]}


if __name__ == "__main__":
    main()
