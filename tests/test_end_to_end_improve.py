"""From misses to the next round with the tiny model: what went wrong, what is proposed, what accepting it writes."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hosted_fixture import KEY, profile
from project_fixture import Project, project_in
from stub_server import stub

pytestmark = pytest.mark.slow

PAIRS = Path(__file__).parents[1] / "datasets" / "sources" / "tone" / "pairs.jsonl"
SOURCE = """\
# Ours.   ftbuild +experiment=ours
kind: pairs
path: {path}.jsonl
input: casual
target: formal
group: casual
only: {only}
licence: CC0-1.0
origin: Written for a test
"""
EXPERIMENT = """\
# @package _global_
# Casual in, formal out.   ftbuild +experiment=ours
defaults:
  - /source@dataset.sources.pairs: ours
  - /source@dataset.sources.learnt: learnt
  - override /style: formal
  - override /goal: ours
  - override /evaluation: ours
  - override /model: tiny
request: {max_completion_tokens: 16}
retrieval: {model: tiny-random}
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


def pairs() -> dict[str, list[dict[str, str]]]:
    """Return pairs to split, and some to learn from: an answer that belongs to another, a question with two answers."""
    known = [json.loads(line) for line in PAIRS.read_text(encoding="utf-8").splitlines()[:100]]
    learnt = known[50:]
    learnt[3] = {**learnt[3], "formal": learnt[30]["formal"]}
    contrary = {**learnt[5], "casual": f"{learnt[5]['casual'].upper()}!", "formal": learnt[20]["formal"]}
    return {"ours": known[:50], "learnt": [*learnt, contrary]}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Project]:
    with project_in(tmp_path_factory.mktemp("improve"), cache) as found:
        written = {
            f"{name}.jsonl": "".join(json.dumps(each) + "\n" for each in listed) for name, listed in pairs().items()
        }
        written |= {
            "conf/source/ours.yaml": SOURCE.format(path="ours", only="null"),
            "conf/source/learnt.yaml": SOURCE.format(path="learnt", only="train"),
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
    latest = project.folder / "outputs" / "runs" / "latest"
    run, counts = latest.resolve().name, json.loads((latest / "run.json").read_bytes())["dataset"]["counts"]
    asked = project.run("improve", COLUMNS="300")
    assert asked.code == 0, asked.err
    assert asked.out.startswith(f"{run}: tuned misses ")
    folder = Path("datasets") / "proposals" / run
    written = project.folder / folder / "proposal.yaml"
    proposal = written.read_text(encoding="utf-8")
    tested = (project.folder / "ours.jsonl").read_text(encoding="utf-8").splitlines()
    found = json.loads(project.run("improve", "--format", "json").out)
    assert (found["proposal"], found["n"], found["n_test"]) == (str(folder), counts["validation"], counts["test"])
    by = {one["by"] for group in found["groups"] for each in group["examples"] for one in each["near"]}
    assert (found["in_meaning"], by) == (True, {"letters", "meaning"})
    assert {"learnt.jsonl:4", "learnt.jsonl:6", "learnt.jsonl:51"} == {each["place"] for each in found["suspects"][:3]}
    assert not [line for line in tested if json.loads(line)["casual"] in proposal]

    written.write_text(f"{proposal}# Read.\n", encoding="utf-8")
    again = project.run("improve")
    assert again.code == 2
    assert "a proposal is there already, and says something else: it may have been edited" in again.err

    ended = project.run("accept", str(folder), "suspects")
    assert ended.code == 0, ended.err
    text = (project.folder / "conf" / "experiment" / "ours_2.yaml").read_text(encoding="utf-8")
    assert "after: ours" in text
    built = project.run("dataset", "+experiment=ours_2")
    assert built.code == 0, built.err
    assert f"{counts['train'] - len(found['suspects'])} train" in built.err
    again = project.run("accept", str(folder), "suspects")
    assert again.code == 2
    assert "conf/experiment/ours_2.yaml: is there already" in again.err


TEACHER = """\
# Ours.   ftbuild improve latest teacher=ours
defaults:
  - /provider@provider: elsewhere
  - /model@model: hosted
n: 4
at_once: 4
licence: CC0-1.0
model: {id: tiny}
"""


def reply(*lines: str) -> tuple[int, dict[str, Any]]:
    """Return an answer of a chat completion, a line a draft."""
    message = {"role": "assistant", "content": "\n".join(lines)}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    usage = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}
    return 200, {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "tiny",
        "choices": [choice],
        "usage": usage,
    }


def refuses_broken_entries(project: Project, folder: Path, file: str) -> None:
    """Assert that `accept` refuses a proposal with an entry that cannot be taken, and leave it as it was."""
    whole = (folder / "proposal.yaml").read_text(encoding="utf-8")
    broken = {
        "name": "more",
        "kind": "generator",
        "file": file,
        "like": "learnt",
        "source": {"n": "many", "calls": {"one": 1, "two": 0, "three": 0}, "seed": 1},
    }
    for changed, said in (({}, "n: Input should be a valid integer"), ({"like": "gone"}, "has no source 'gone'")):
        entry = yaml.safe_dump({**yaml.safe_load(whole), "entries": [{**broken, **changed}]})
        (folder / "proposal.yaml").write_text(entry, encoding="utf-8")
        refused = project.run("accept", folder.name, "--as", "drafted", COLUMNS="200")
        assert refused.code == 1, refused.err
        assert said in refused.err
    (folder / "proposal.yaml").write_text(whole, encoding="utf-8")


def test_a_teacher_is_asked_after_somebody_agrees_and_its_drafts_are_sifted(project: Project) -> None:
    run = (project.folder / "outputs" / "runs" / "latest").resolve().name
    shutil.rmtree(project.folder / "datasets" / "proposals" / run, ignore_errors=True)
    [test] = (project.folder / "datasets" / "built" / "ours").glob("*/test.jsonl")
    held = json.loads(test.read_text(encoding="utf-8").splitlines()[0])["messages"]
    copied = json.dumps({"user": held[-2]["content"], "assistant": held[-1]["content"]})
    fresh = json.dumps({"user": "yo the projector died again lol", "assistant": "The projector has failed again."})
    known = json.dumps({"user": pairs()["learnt"][0]["casual"], "assistant": "Known."})
    with stub() as served:
        served.answers["POST /chat/completions"] = [reply(fresh, copied, known, "Certainly!")]
        written = {
            "conf/provider/elsewhere.yaml": profile(base_url=served.url),
            "conf/teacher/ours.yaml": TEACHER,
        }
        for path, text in written.items():
            (project.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (project.folder / path).write_text(text, encoding="utf-8")
        refused = project.run("improve", "teacher=ours", ELSEWHERE_KEY=KEY)
        assert refused.code != 0
        assert served.asked == []
        ended = project.run("improve", "teacher=ours", "--yes", ELSEWHERE_KEY=KEY)
        assert ended.code == 0, ended.err
        asked = served.said("POST /chat/completions")
        prompt = asked[0].body["messages"][0]["content"]
        assert held[-2]["content"] not in prompt
        assert "Reply with 4 lines and nothing else" in prompt
        n = len(asked)
        assert project.run("improve", "teacher=ours", ELSEWHERE_KEY=KEY).code == 0
        assert len(served.said("POST /chat/completions")) == n
    folder = project.folder / "datasets" / "proposals" / run
    proposal = yaml.safe_load((folder / "proposal.yaml").read_text(encoding="utf-8"))
    drafts = [each for each in proposal["entries"] if each["kind"] == "examples"]
    assert len(drafts) == n
    assert "1 draft by tiny, 1 left out: not of the form asked for, 1 left out: asked already" in drafts[0]["why"]
    assert drafts[0]["why"].endswith("1 left out: derived from a test example")
    [line] = (folder / drafts[0]["file"]).read_text(encoding="utf-8").splitlines()
    assert [each["content"] for each in json.loads(line)["messages"]] == list(json.loads(fresh).values())

    refuses_broken_entries(project, folder, drafts[0]["file"])

    leaking = {"messages": [{"role": "user", "content": held[-2]["content"].upper()}, held[-1]]}
    (folder / drafts[0]["file"]).write_text(f"{line}\n{json.dumps(leaking)}\n", encoding="utf-8")
    refused = project.run("accept", run, drafts[0]["name"], "--as", "drafted")
    assert refused.code == 1
    assert refused.err.startswith(f"datasets/sources/drafted/{drafts[0]['name']}.jsonl:2: ")
    assert "ours.jsonl:" in refused.err
    assert not (project.folder / "conf" / "experiment" / "drafted.yaml").exists()
    (folder / drafts[0]["file"]).write_text(f"{line}\n", encoding="utf-8")

    taken = project.run("accept", run, drafts[0]["name"], "--as", "drafted")
    assert taken.code == 0, taken.err
    built = project.run("dataset", "+experiment=drafted")
    assert built.code == 0, built.err
    source = f"drafted_{drafts[0]['name']}"
    told = project.run("retract", source, COLUMNS="200")
    assert told.code == 0, told.err
    assert f"conf/experiment/drafted.yaml: dataset: {{sources: {{{source}: null}}}}" in told.out


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
