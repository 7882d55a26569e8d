"""What vectors see of a test example written anew without a value in it: python -m tests.bench.meaning [OVERRIDE ...]

meaning.jsonl, beside this, has test examples written anew by hand, question and answer, before anything was measured.
Of what an experiment learns from a quarter, drawn ten times, is suspected, and the rest says what is usual: whoever of
that quarter is told to be near a test example is a false alarm. The vectors are those of our own base model; overrides
name another, as `retrieval.model` and `provider` do. Takes some minutes of one core for ours.
"""

import json
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from ftbuild.compose import compose
from ftbuild.dataset.meant import Json, Meant, texts, usual, worded
from ftbuild.providers.connection import Connection
from ftbuild.retrieval.index import Vectors
from ftbuild.retrieval.meaning import Meaning
from ftbuild.world import World
from tests.bench.wall import ROOT, Wall, examples_of, rewrite, share

Ask = Callable[[Sequence[str]], Vectors]
ANEW = (Path(__file__).with_suffix(".jsonl"), Path(__file__).with_name("wall.jsonl"))
DRAWS, BATCH = 10, 64
HEAD = ("experiment", "false alarms", "without a value: seen", "nearest by the question", "by the wall", "with values")


def main() -> None:
    """Print a row an experiment."""
    settings = compose(ROOT, ["+experiment=tone_formal", *sys.argv[1:]]).settings
    with TemporaryDirectory() as folder:
        asked = Connection(settings.provider, settings.model, World.at(Path(folder)))
        assert settings.embedder is not None
        model = settings.embedder

        def ask(wanted: Sequence[str]) -> Vectors:
            found: dict[str, list[float]] = {}
            once = list(dict.fromkeys(wanted))
            for batch in (once[at : at + BATCH] for at in range(0, len(once), BATCH)):
                found |= zip(batch, asked.embed(model, batch), strict=True)
            return Vectors.of([], found, len(next(iter(found.values()))))

        table(ask)
        asked.hang_up()


def table(ask: Ask) -> None:
    """Print the rows of all experiments of which something was written anew."""
    written = [[json.loads(line) for line in path.read_bytes().splitlines()] for path in ANEW]
    print(f"| {' | '.join(HEAD)} |\n{'|---' * len(HEAD)}|")
    for name in dict.fromkeys(each["experiment"] for each in written[0]):
        listed = [[each for each in some if each["experiment"] == name] for some in written]
        print(f"| {name} | {' | '.join(row(name, *listed, ask))} |", flush=True)


def row(name: str, bare: list[Json], valued: list[Json], ask: Ask) -> list[str]:
    """Return the cells of an experiment; `bare` and `valued` are its test examples written anew."""
    examples = list(examples_of(name))
    tests = [each for each in examples if each["split"] == "test" and worded(each)]
    learnt = [each for each in examples if each["split"] in ("train", "validation") and worded(each)]
    by_place = {(each["source"], each["line"]): each for each in examples if each["split"] == "test"}
    anew, others = ([rewrite(by_place[each["source"], each["line"]], each) for each in some] for some in (bare, valued))
    others = [each for each in others if worded(each)]
    found = ask(texts(one for each in (*tests, *learnt, *anew, *others) for one in worded(each)))
    meant, wall = Meant(tests, usual(learnt), found), Wall(tests)
    return [
        share(*alarms(tests, learnt, found, random.Random(name))),
        f"{sum(meant.twin(each) is not None for each in anew)} of {len(anew)}",
        f"{n_nearest(tests, anew, bare, found)}",
        f"{sum(wall.twin(each) is not None for each in anew)}",
        f"{sum(meant.twin(each) is not None for each in others)} of {len(others)}",
    ]


def alarms(tests: list[Json], learnt: list[Json], found: Vectors, drawn: random.Random) -> tuple[int, int]:
    """Return how many false alarms there are, and among how many."""
    n_alarms = n = 0
    for _ in range(DRAWS):
        mixed = drawn.sample(learnt, len(learnt))
        suspected, rest = mixed[: len(mixed) // 4], mixed[len(mixed) // 4 :]
        meant = Meant(tests, usual(rest), found)
        n_alarms, n = n_alarms + sum(meant.twin(each) is not None for each in suspected), n + len(suspected)
    return n_alarms, n


def n_nearest(tests: list[Json], anew: list[Json], said: list[Json], found: Vectors) -> int:
    """Return how many questions written anew are nearest to the one that they are made of."""
    meaning = Meaning(found, [one.asked for each in tests for one in worded(each)])
    rows, guarded = (meaning.of([worded(each)[0].asked for each in some]) for some in (anew, tests))
    nearest = [tests[int(at)] for at in (rows @ guarded.T).argmax(axis=1)]
    return sum(
        one["line"] == each["line"] and one["source"] == each["source"] for one, each in zip(nearest, said, strict=True)
    )


if __name__ == "__main__":
    main()
