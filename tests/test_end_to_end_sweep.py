"""What the points of a sweep come to together, rehearsed: seeds told apart from examples, a winner asked again."""

import json
import re
from collections import Counter

import pytest
from project_fixture import Project
from rehearsal_fixture import recorded, with_conf

from ftbuild.report.words import CONFIRMED, REHEARSED

pytestmark = pytest.mark.slow

ASKED = [f"{each} confirm" for each in ("base", "base scores", "tuned", "tuned scores", "verdict")]
BUILD = ("+experiment=tone_formal", "evaluation=ours", "goal=ours", "provider=rehearsal", "dataset.limit=200")
CONF = {
    "evaluation/ours.yaml": """\
# Ours.   ftbuild +experiment=tone_formal evaluation=ours
arms: {base: {kind: base}, tuned: {kind: tuned}}
scorers: {chrf: {}, facts: {}}
concurrency: 8
""",
    "goal/ours.yaml": """\
# Ours.   ftbuild +experiment=tone_formal goal=ours
metric: chrf
require:
  good_enough: {at_least: 0.0}
judge_by: lower_bound
""",
}


def test_points_that_differ_in_their_seed_alone_are_told_as_one_configuration(project: Project) -> None:
    with with_conf(project, CONF):
        asked = ("-m", *BUILD, "seed=1,2", "method.hyperparameters.n_epochs=1,2")
        ended = project.run(*asked, COLUMNS="300")
        assert ended.code == 0, ended.err
        told = [line for line in ended.out.split("\n") if " seeds: " in line]
        number = r"\d\.\d\d"
        form = rf"n_epochs=(\d), 2 seeds: character F-score {number} \({number} to {number} over examples\), by seed"
        assert [re.match(form, line)[1] for line in told] == ["1", "2"]  # type: ignore[index]
        runs = [project.run_json(f"outputs/runs/{name}") for name in project.runs()]
        sweeps = [run["sweep"] for run in runs]
        assert [(each["looks"], each["seeds"]["seeds"]) for each in sweeps] == [(4, [1, 2])] * 4
        for run, each in zip(runs, sweeps, strict=True):
            own = next(m for m in run["metrics"] if m["metric"] == "chrf" and m["slice"] is None)["arms"]["tuned"]
            assert each["seeds"]["spread"]["least"] <= own["mean"] <= each["seeds"]["spread"]["most"]
            assert each["seeds"]["over_examples"]["n"] == own["n"]
        again = project.run(*asked, COLUMNS="300")
        assert (again.out, again.err) == (ended.out, "")
        assert [project.run_json(f"outputs/runs/{name}") for name in project.runs()] == runs


def asked_of(project: Project) -> Counter[str]:
    """Return how often each user's message was sent to be answered."""
    sent = [each for each in recorded(project, smoke=False) if each["path"] == "/v1/chat/completions"]
    return Counter(each["body"]["messages"][-1]["content"] for each in sent)


def test_the_winner_alone_is_asked_on_the_confirm_split_once_the_sweep_has_ended(project: Project) -> None:
    with with_conf(project, CONF):
        kept = (*BUILD, "+dataset.split.confirm=0.2")
        single = project.run(*kept, "method.hyperparameters.n_epochs=1")
        assert single.code == 0, single.err
        counts = project.run_json()["dataset"]["counts"]
        assert counts["confirm"] > 0
        [built] = (project.folder / "datasets" / "built" / "tone_formal").iterdir()
        confirm = {
            json.loads(line)["messages"][1]["content"] for line in (built / "confirm.jsonl").read_text().splitlines()
        }
        assert not confirm & set(asked_of(project))

        asked = ("-m", *kept, "method.hyperparameters.n_epochs=1,2")
        ended = project.run(*asked, COLUMNS="300")
        assert ended.code == 0, ended.err
        sent = asked_of(project)
        assert {sent[each] for each in confirm} == {2}  # of the base and of the winner
        runs = {run["overrides"][-1][-1]: run for run in map(project.run_json, all_runs(project)) if "sweep" in run}
        winner = runs["1"]["sweep"]["winner"]
        assert winner == runs["2"]["sweep"]["winner"]
        [won] = [run for run in runs.values() if "confirmed" in run["sweep"]]
        assert winner == f"n_epochs={won['overrides'][-1][-1]}"
        found = won["sweep"]["confirmed"]
        assert (found["n_test"], found["arms"], won["sweep"]["asked_before"]) == (
            counts["confirm"],
            ["base", "tuned"],
            0,
        )
        word = CONFIRMED[found["verdict"]].capitalize()
        first, second, _, page_of = ended.out.splitlines()[-4:]
        assert first.startswith(f"Winner {winner}: character F-score ")
        assert second.startswith(f"Asked again on {counts['confirm']} examples that nobody had looked at: ")
        assert second.endswith(f" to base. {word}.")
        values = json.loads((project.folder / page_of.removeprefix("The sweep: ")).with_name("sweep.json").read_bytes())
        assert values["points"][values["winner"]["point"] - 1]["name"] == winner
        assert values["winner"]["confirmed"] == found
        page = (project.folder / won["path"] / "report.html").read_text()
        assert "The winner of a sweep" in page
        assert f"On {counts['confirm']} examples that nobody had looked at" in page
        assert [each["label"] for each in won["actions"] if each["label"][-7:] == "confirm"] == ASKED

        again = project.run(*asked, COLUMNS="300")
        assert (again.out, again.err) == (ended.out, "")
        assert asked_of(project) == sent

        wider = project.run("-m", *kept, "method.hyperparameters.n_epochs=2,3,4")
        assert wider.code == 0, wider.err
        newest = next(run for run in map(project.run_json, reversed(all_runs(project))) if "confirmed" in run["sweep"])
        assert newest["sweep"]["asked_before"] == (newest["sweep"]["winner"] != winner)


def all_runs(project: Project) -> list[str]:
    return [f"outputs/runs/{name}" for name in project.runs()]


def test_points_that_part_their_examples_otherwise_have_no_winner_to_ask(project: Project) -> None:
    with with_conf(project, CONF):
        ended = project.run("-m", *BUILD, "+dataset.split.confirm=0.2", "dataset.split.test=0.15,0.2", COLUMNS="300")
        assert ended.code == 0, ended.err
        assert "No winner was asked on the confirm split: the points differ in dataset.split" in ended.out
        assert all("confirmed" not in project.run_json(each)["sweep"] for each in all_runs(project))


def test_a_sweep_leaves_a_page_and_its_values_and_the_same_command_writes_them_no_second_time(project: Project) -> None:
    with with_conf(project, CONF):
        asked = ("-m", *BUILD, "method.hyperparameters.n_epochs=1,2", "dataset.limit=100,4")
        ended = project.run(*asked, COLUMNS="300")
        [name] = {each.name for each in (project.folder / "outputs" / "sweeps").iterdir() if not each.is_symlink()}
        folder = project.folder / "outputs" / "sweeps" / name
        assert ended.out.splitlines()[-1] == f"The sweep: outputs/sweeps/{name}/report.html"
        told = json.loads((folder / "sweep.json").read_bytes())
        assert told["settings"] == ["dataset.limit", "method.hyperparameters.n_epochs"]
        points = told["points"]
        assert [list(each["settings"].values()) for each in points] == [[100, 1], [4, 1], [100, 2], [4, 2]]
        assert [each["error"] is None for each in points] == [True, False, True, False]
        assert points[1]["error"].startswith("2 examples to learn from, at least 10 are needed\n")
        for each in points[::2]:
            assert (folder / each["report"]).resolve() == project.folder / f"outputs/runs/{each['run_id']}/report.html"
            run = project.run_json(f"outputs/runs/{each['run_id']}")
            assert run["sweep"]["name"] == name
            chrf = next(m for m in run["metrics"] if (m["metric"], m["slice"]) == ("chrf", None))
            assert each["results"]["metrics"] == [chrf]
            assert each["trained_tokens"] > 0
            assert each["cost_usd"] == 0
        page = (folder / "report.html").read_text()
        assert REHEARSED in page
        assert points[1]["error"].splitlines()[0] in page
        before = [(each.name, each.stat().st_mtime_ns) for each in sorted(folder.iterdir())]
        assert project.run(*asked, COLUMNS="300").out.splitlines()[-1] == ended.out.splitlines()[-1]
        assert [(each.name, each.stat().st_mtime_ns) for each in sorted(folder.iterdir())] == before
        assert project.run("runs", COLUMNS="300").out.count(name) == 2


SPACED = {
    "sweep/twice.yaml": """\
# Ours.   ftbuild +experiment=tone_formal sweep=twice
grid:
  method.hyperparameters.n_epochs: [1, 2]
""",
    "experiment/twice.yaml": """\
# @package _global_
# Ours, once and twice.   ftbuild +experiment=twice
defaults:
  - tone_formal
  - override /evaluation: ours
  - override /goal: ours
  - override /model: tiny
  - override /sweep: twice

dataset: {limit: 60}
""",
}


def test_a_promoted_point_of_an_experiment_that_chooses_a_space_is_one_point_with_nothing_left_to_do(
    project: Project,
) -> None:
    with with_conf(project, {**CONF, **SPACED}):
        ended = project.run("+experiment=twice")
        assert ended.code == 0, ended.err
        launched = project.store().creates()
        assert len(launched) == 2
        told = json.loads((project.folder / "outputs/sweeps/latest/sweep.json").read_bytes())
        other = next(each for n, each in enumerate(told["points"], 1) if n != told["best"])
        kept = project.run("promote", "best", "mine")
        assert (kept.code, kept.err) == (0, "")
        assert kept.out.startswith("wrote conf/experiment/mine.yaml (")
        assert project.run("promote", other["name"], "other").code == 0
        best = told["points"][told["best"] - 1]
        text = (project.folder / "conf/experiment/mine.yaml").read_text()
        assert f"# Promoted from run {best['run_id']} of " in text
        n_epochs = best["settings"]["method.hyperparameters.n_epochs"]
        assert text.splitlines()[1] == f"# Ours, once and twice, with n_epochs={n_epochs}.   ftbuild +experiment=mine"
        assert text.partition("defaults:\n")[2] == (
            f"  - twice\n  - override /sweep: none\n\nmethod:\n  hyperparameters:\n    n_epochs: {n_epochs}\n"
        )
        for name, point in (("mine", best), ("other", other)):
            built = project.run(f"+experiment={name}")
            assert built.out.startswith("Nothing to do: 11 cached. "), built.out + built.err
            run, before = project.run_json(), project.run_json(f"outputs/runs/{point['run_id']}")
            assert (run["experiment"], run["result_id"]) == (name, before["result_id"])
        assert project.store().creates() == launched
        (project.folder / "conf/goal/ours.yaml").write_text(CONF["goal/ours.yaml"].replace("0.0", "0.1"))
        late = project.run("promote", "best", "late")
        assert (late.code, "has changed since, or its results are gone: verdict" in late.err) == (2, True)


PLAIN = ("evaluation=plain", "goal=plain", "method=none", "dataset.limit=300")
NO_MODEL = {
    "evaluation/plain.yaml": """\
# No model at all.   ftbuild +experiment=tone_formal evaluation=plain
arms: {echo: {kind: echo}, rules: {kind: rules}}
scorers: {chrf: {}}
concurrency: 8
""",
    "goal/plain.yaml": """\
# Ours.   ftbuild +experiment=tone_formal goal=plain
metric: chrf
arm: rules
against: echo
require:
  good_enough: {at_least: 0.0}
""",
}


def test_a_promoted_file_says_where_it_comes_from_and_is_not_left_behind_where_it_cannot_say_all(
    project: Project,
) -> None:
    with with_conf(project, NO_MODEL):
        ended = project.run("-m", "+experiment=tone_formal", *PLAIN, "style.rules.slang=never,null")
        assert ended.code == 0, ended.err
        name = project.run_json()["sweep"]["name"]
        assert project.run("promote", "slang=null", "mine").code == 0
        run_id = project.run_json()["run_id"]
        text = (project.folder / "conf/experiment/mine.yaml").read_text()
        said, *origin = [line.removeprefix("# ") for line in text.split("defaults:")[0].splitlines()[1:]]
        assert said == (
            "Casual message in, formal message out, with slang=null and 4 other settings.   ftbuild +experiment=mine"
        )
        number = r"[-+]?\d\.\d\d"
        between = rf"{number} \({number} to {number}\)"
        form = (
            rf"Promoted from run {run_id} of .* UTC, a point of sweep {name}\. Character F-score {between} on the test "
            rf"split, {between} to echo; among 2 looks \(Holm, p .*\): .*\."
        )
        assert re.fullmatch(form, " ".join(origin)), origin
        again = project.run("promote", "latest", "mine")
        assert (again.code, again.err.partition("\n")[0]) == (2, "conf/experiment/mine.yaml: is there already")

        listed = ("style.rules.banned=[a,b]", "style.rules.banned.0=c")
        assert project.run("+experiment=tone_formal", *PLAIN, *listed).code == 0
        unsaid = project.run("promote", "latest", "listed")
        assert unsaid.code == 2
        assert unsaid.err.startswith("command line: no file says what was typed: evaluation=plain ")
        assert not (project.folder / "conf/experiment/listed.yaml").exists()
