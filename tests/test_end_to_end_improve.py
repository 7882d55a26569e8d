"""From misses to the next round with the tiny model: what went wrong, what is proposed, what accepting it writes."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from project_fixture import Project, project_in

pytestmark = pytest.mark.slow

PAIRS = Path(__file__).parents[1] / "datasets" / "sources" / "tone" / "pairs.jsonl"
SOURCE = """\
# Ours.   ftbuild +experiment=ours
kind: pairs
path: pairs.jsonl
input: casual
target: formal
licence: CC0-1.0
origin: Written for a test
"""
EXPERIMENT = """\
# @package _global_
# Casual in, formal out.   ftbuild +experiment=ours
defaults:
  - /source@dataset.sources.pairs: ours
  - override /style: formal
  - override /goal: ours
  - override /evaluation: ours
  - override /model: tiny
dataset:
  split: {validation: 0.2, test: 0.2}
"""
EVALUATION = """\
# Ours.   ftbuild +experiment=ours
arms: {base: {kind: base}, tuned: {kind: tuned}}
scorers: {style: {}, facts: {}, chrf: {}}
concurrency: 8
"""
GOAL = """\
# Ours.   ftbuild +experiment=ours
metric: chrf
require:
  good_enough: {at_least: 0.0}
judge_by: lower_bound
"""


def planted() -> list[dict[str, str]]:
    """Return pairs with an answer that belongs to another, and with one question that has two answers."""
    pairs = [json.loads(line) for line in PAIRS.read_text(encoding="utf-8").splitlines()[:120]]
    swapped = {**pairs[3], "formal": pairs[90]["formal"]}
    contrary = {**pairs[5], "casual": f"{pairs[5]['casual'].upper()}!", "formal": pairs[70]["formal"]}
    return [*pairs[:3], swapped, *pairs[4:], contrary]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Project]:
    with project_in(tmp_path_factory.mktemp("improve"), cache) as found:
        lines = "".join(json.dumps(each) + "\n" for each in planted())
        written = {
            "pairs.jsonl": lines,
            "conf/source/ours.yaml": SOURCE,
            "conf/experiment/ours.yaml": EXPERIMENT,
            "conf/evaluation/ours.yaml": EVALUATION,
            "conf/goal/ours.yaml": GOAL,
        }
        for path, text in written.items():
            (found.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (found.folder / path).write_text(text, encoding="utf-8")
        ended = found.run("+experiment=ours")
        assert ended.code in (0, 3), ended.err
        yield found


def test_a_run_is_improved_and_what_is_accepted_is_the_next_round(project: Project) -> None:
    run = (project.folder / "outputs" / "runs" / "latest").resolve().name
    asked = project.run("improve", COLUMNS="300")
    assert asked.code == 0, asked.err
    assert asked.out.startswith(f"{run}: tuned misses ")
    folder = Path("datasets") / "proposals" / run
    proposal = (project.folder / folder / "proposal.yaml").read_text(encoding="utf-8")
    told = project.run("improve", "--format", "json")
    found = json.loads(told.out)
    assert found["proposal"] == str(folder)
    assert found["n"] == sum(1 for _ in (project.folder / "x").parent.glob("x")) or found["missed"] <= found["n"]
    suspects = [each["place"] for each in found["suspects"]]
    learnt = json.loads((project.folder / "outputs" / "runs" / "latest" / "run.json").read_text())["dataset"]["counts"]
    assert learnt["train"] > 0
    assert suspects[:1] != []
    assert project.run("improve").code == 0  # the same is found again
    (project.folder / folder / "proposal.yaml").write_text(f"{proposal}# Read.\n", encoding="utf-8")
    again = project.run("improve")
    assert again.code == 2
    assert "a proposal is there already, and says something else: it may have been edited" in again.err

    ended = project.run("accept", str(folder), "suspects")
    assert ended.code == 0, ended.err
    assert "wrote conf/experiment/ours_2.yaml" in ended.out
    text = (project.folder / "conf" / "experiment" / "ours_2.yaml").read_text(encoding="utf-8")
    assert "after: ours" in text
    assert all(place in text for place in suspects[:1])
    built = project.run("dataset", "+experiment=ours_2")
    assert built.code == 0, built.err
    again = project.run("accept", str(folder), "suspects")
    assert again.code == 2
    assert "conf/experiment/ours_2.yaml" in again.err


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["improve", "nothing"], "no run 'nothing'"),
        (["improve", "latest", "seed=2"], "improve takes a run, and a teacher"),
        (["accept"], "accept takes a proposal"),
        (["accept", "nothing"], "no proposal 'nothing'"),
    ],
)
def test_what_is_not_there_is_told(project: Project, typed: list[str], said: str) -> None:
    ended = project.run(*typed)
    assert ended.code == 2
    assert said in ended.err
