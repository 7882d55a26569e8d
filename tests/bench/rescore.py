"""A scorer is added to an evaluation whose 100,000 answers are there already: how long it takes, and who is asked.

python -m tests.bench.rescore [--n N]

The engine, the store and the actions are the real ones; the answers come from a model made up here, which counts how
often it is asked. Beside it a bare loop: the same scorer on the same texts, which are in memory, and nothing kept.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ftbuild.compositions import compositions
from ftbuild.engine import How, build
from ftbuild.outcome import Build
from ftbuild.plan.action import Action
from ftbuild.plan.graph import Graph
from ftbuild.points import one_graph
from ftbuild.runners.formats import json_lines, parse_lines
from ftbuild.scorers import Case, Scorer
from ftbuild.scorers import build as scorers_of
from ftbuild.settings import Style, StyleRules
from ftbuild.settings.evaluation import ScorerName, ScorerOptions
from ftbuild.site import Site
from ftbuild.store.store import Store
from ftbuild.voice import Stopping, Voice
from ftbuild.workers import Inline, Made
from ftbuild.world import World

N, LEARNT = 100_000, 60
GOAL_RATIO = 4.0
OLD: ScorerName = "exact"
NEW: ScorerName = "rouge_l"
MEASURED = ("pairs", "learnt", "dataset", "base", "base scores")  # what a judgement and a report would add is left out
CONF = {
    "experiment/many.yaml": """\
# @package _global_
# Many answers.   ftbuild dataset +experiment=many
defaults:
  - /source@dataset.sources.pairs: many
  - /source@dataset.sources.learnt: few
  - override /style: plain
  - override /goal: many
  - override /evaluation: many
""",
    "source/many.yaml": """\
# Many pairs to be tested on.   ftbuild dataset +experiment=many
kind: pairs
path: many.jsonl
input: asked
target: answer
group: asked
only: test
licence: CC0-1.0
origin: made by tests/bench/rescore.py
""",
    "source/few.yaml": """\
# Pairs to learn from, since a dataset has some.   ftbuild dataset +experiment=many
defaults: [many]
path: few.jsonl
only: null
""",
    "goal/many.yaml": """\
# Better than base.   ftbuild dataset +experiment=many
metric: exact
require:
  better: {beats: base}
""",
    "evaluation/many.yaml": """\
# Exact, and what is added.   ftbuild dataset +experiment=many
arms: {base: {kind: base}, tuned: {kind: tuned}}
scorers: {exact: {}}
concurrency: 32
""",
}
WORDS = ["rain", "sun", "wind", "snow", "fog", "hail", "storm", "cloud", "frost", "mist", "heat", "cold"]


def pair(number: int) -> dict[str, str]:
    """Return one example, unlike all others."""
    word, other = WORDS[number % len(WORDS)], WORDS[(number // 12) % len(WORDS)]
    asked = f"What comes to place {number} after the {word}, and on which day?"
    return {"asked": asked, "answer": f"After the {word} there will be {other} in place {number} on day {number % 31}."}


def reply(example: dict[str, object]) -> str:
    """Return an answer that is nearly right."""
    return str(example["raw"]).replace("What comes to", "There will be sun in")


@dataclass
class Model:
    """Answers at once, and counts how often it is asked."""

    asked: int = 0

    def predict(self, action: Action, _key: str, done: Build, _voice: Voice) -> Made:
        """Answer every example."""
        examples = list(parse_lines(done.read(action, "examples")))
        self.asked += len(examples)
        return Made({"predictions.jsonl": json_lines({"id": e["id"], "content": reply(e)} for e in examples)}, "")


class Quiet:
    """A console that says nothing."""

    def started(self, action: Action) -> None: ...

    def progress(self, action: Action, text: str) -> None: ...

    def finished(self, action: Action, status: str, note: str, seconds: float) -> None: ...

    def failed(self, action: Action, error: Exception) -> None: ...

    def say(self, text: str, action: Action | None = None) -> None: ...


def built(folder: Path, model: Model, *more: str) -> tuple[Build, float]:
    """Build the scores of the arm `base`, and return what happened and the seconds of processor time it took."""
    world = World(folder, folder / "outputs", folder / "built")
    store = Store(world.store)
    words = ["+experiment=many", *more]
    found = compositions(folder, words, multirun=False, environment={}, now=world.now(), cache=folder / "cache")
    whole, points = one_graph(found, (), store, smoke=False)
    graph = Graph()
    for action in whole:
        if action.label in MEASURED:
            graph.add(action)
    points = [replace(points[0], ids=tuple(graph.actions))]
    site = Site(world, store, points, nullcontext, Stopping())
    runners = replace(site.runners(), remote={"predict": model.predict})
    started = time.process_time()
    done = build(graph, store, world, Quiet(), runners, How(Inline()))
    return done, time.process_time() - started


def bare(done: Build) -> float:
    """Return the seconds of processor time of a loop over the same texts."""
    examples = {action.label: ran.record.outputs for ran in done.ran.values() for action in [ran.action]}
    texts = [
        (reply(each), str(each["messages"][-1]["content"]), str(each["raw"]))
        for each in parse_lines(done.store.get(examples["dataset"]["test.jsonl"]))
    ]
    scorers: list[Scorer] = scorers_of(
        {OLD: ScorerOptions(), NEW: ScorerOptions()}, Style(language="en", system="", rules=StyleRules())
    )
    started = time.process_time()
    for output, target, asked in texts:
        case = Case("", asked, target, output)
        for scorer in scorers:
            scorer.score(case)
    return time.process_time() - started


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the comparison; return 1 where a request was made or the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=N)
    n = parser.parse_args(arguments).n
    with TemporaryDirectory() as name:
        folder = Path(name)
        for path, text in CONF.items():
            (folder / "conf" / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / "conf" / path).write_text(text, encoding="utf-8")
        for file, numbers in (("many", range(n)), ("few", range(n, n + LEARNT))):
            lines = "".join(json.dumps(pair(number)) + "\n" for number in numbers)
            (folder / f"{file}.jsonl").write_text(lines, encoding="utf-8")
        model = Model()
        built(folder, model)
        before = model.asked
        done, seconds = built(folder, model, f"+evaluation.scorers.{NEW}={{}}")
        ran = [each.action.label for each in done.ran.values() if each.status == "RUN"]
        loop = bare(done)
    print(f"{before:,} answers; {NEW} added: {model.asked - before} requests, {', '.join(ran)} ran")
    print("| | CPU s |\n|---|---|")
    print(f"| re-scored and kept | {seconds:.2f} |\n| a bare loop | {loop:.2f} |")
    print(f"\nratio {seconds / loop:.2f}, goal at most {GOAL_RATIO:g}")
    return int(model.asked != before or ran != ["base scores"] or seconds > GOAL_RATIO * loop)


if __name__ == "__main__":
    sys.exit(main())
