"""`ftbuild diff RUN RUN`: what differs, part by part, and every way to name a run."""

import os
from pathlib import Path

import pytest
from config_fixture import Ended
from runs_fixture import NEW, OLD, SAID, Runs, metric, settings

from ftbuild.cli.diff_text import excerpts

PARTS = ("schema_version", "old", "new", "equal", "config", "data", "implementation", "metrics", "outcome", "costs")


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def said(runs: Runs, part: str, columns: int = 100) -> str:
    """Return the section `part` of the difference of the two runs."""
    ended = runs.run("diff", OLD, NEW, columns=columns)
    assert (ended.code, ended.err) == (0, "")
    return next(each for each in ended.out.rstrip("\n").split("\n\n") if each.startswith(part))


def test_equal_runs_are_one_line(runs: Runs) -> None:
    runs.write(OLD)
    runs.write(NEW, seconds=3.0)
    line = f"Nothing differs between {OLD} and {NEW}; they took 1 min 52 s and 3 s.\n"
    assert runs.run("diff", OLD, NEW) == Ended(0, line, "")
    assert runs.run("diff", OLD, NEW, "--format", "md") == Ended(0, line, "")
    assert runs.json("diff", OLD, NEW)["equal"] is True
    assert runs.run("diff", OLD, OLD).out == f"Both are {OLD}: nothing differs.\n"


def test_everything_is_told_in_order(runs: Runs) -> None:
    runs.write(OLD, commit="40937dacd1f2", dirty=True)
    new = [*SAID[:1], ("train", 2, "thx!!", "Thank you very much."), *SAID[2:], ("test", 5, "yo", "Hello there.")]
    runs.write(
        NEW,
        said=new,
        lines=settings(seed=2),
        metrics=[metric(0.95, n=41)],
        versions={"dataset": 2, "ftbuild": "0.2.0"},
        verdict="no_difference",
        ending="missed",
        seconds=130.0,
        cost_usd=1.25,
        jobs=["ftjob-2"],
    )
    assert runs.run("diff", OLD, NEW) == Ended(
        0,
        f"old   {OLD}   3 March 2025, 10:42 UTC, commit 40937dacd with changes\n"
        f"new   {NEW}   4 March 2025, 10:42 UTC\n"
        "\n"
        "config           1 key differs\n"
        "    seed   1 -> 2     conf/experiment/tone.yaml:4\n"
        "\n"
        "data             train: 1 changed\n"
        "                 test: 1 added\n"
        "    changed   data/pairs.jsonl:2, train\n"
        "  - thx!!  ->  Thank you.\n"
        "  + thx!!  ->  Thank you very much.\n"
        "    added   data/pairs.jsonl:5, test\n"
        "  + yo  ->  Hello there.\n"
        "\n"
        "implementation   2 versions differ\n"
        "    what              old     new\n"
        "    dataset actions   1       2\n"
        "    ftbuild           0.1.0   0.2.0\n"
        "\n"
        "metrics          1 of 1 estimates differ\n"
        "                 The two runs were tested on different examples: their numbers cannot be compared.\n"
        "    metric           arm     old                         new                         difference\n"
        "    style.all_kept   tuned   0.90 of 40 (0.85 to 0.95)   0.95 of 41 (0.90 to 1.00)   +0.05\n"
        "    verdict: better -> no difference\n"
        "    ending: met -> missed\n"
        "\n"
        "cost and time\n"
        "                     old          new\n"
        "    time             1 min 52 s   2 min 10 s\n"
        "    money            no money     $1.25\n"
        "    trained tokens   12,400       12,400\n"
        "    job              ftjob-1      ftjob-2\n",
        "",
    )


def test_markdown_says_the_same_in_tables(runs: Runs) -> None:
    runs.write(OLD)
    runs.write(NEW, lines=settings(seed=2), metrics=[metric(0.95)])
    assert runs.run("diff", OLD, NEW, "--format", "md").out == (
        f"- old: `{OLD}`, 3 March 2025, 10:42 UTC\n"
        f"- new: `{NEW}`, 4 March 2025, 10:42 UTC\n"
        "\n### config\n\n1 key differs\n\n"
        "| key | old | new | where |\n"
        "| --- | --- | --- | --- |\n"
        "| seed | 1 | 2 | conf/experiment/tone.yaml:4 |\n"
        "\n### data\n\nthe same examples\n"
        "\n### implementation\n\nthe same\n"
        "\n### metrics\n\n1 of 1 estimates differ\n\n"
        "| metric | arm | old | new | difference |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| style.all_kept | tuned | 0.90 (0.85 to 0.95) | 0.95 (0.90 to 1.00) | +0.05 |\n"
        "\n### cost and time\n\n"
        "|  | old | new |\n"
        "| --- | --- | --- |\n"
        "| time | 1 min 52 s | 1 min 52 s |\n"
        "| money | no money | no money |\n"
        "| trained tokens | 12,400 | 12,400 |\n"
        "| job | ftjob-1 | ftjob-1 |\n"
    )


def test_json_has_all_parts(runs: Runs) -> None:
    runs.write(OLD)
    runs.write(NEW, said=[*SAID[:3], ("train", 4, *SAID[3][2:])], metrics=[metric(0.95)])
    told = runs.json("diff", OLD, NEW)
    assert list(told) == [*PARTS]
    assert told["old"] == {
        "run_id": OLD,
        "experiment": "tone",
        "started_at": "2025-03-03T10:42:00Z",
        "commit": None,
        "dirty": False,
    }
    assert (told["schema_version"], told["equal"], told["data"]["test_differs"]) == (1, False, True)
    [moved] = told["data"]["changes"]
    assert (moved["what"], moved["old"]["split"], moved["new"]["split"]) == ("moved", "test", "train")
    assert told["metrics"][0]["difference"] == pytest.approx(0.05)


def test_a_long_value_is_told_as_in_a_patch_cut_where_the_texts_part(runs: Runs) -> None:
    text = "Rewrite the message in formal business English. Keep every fact, name and number."
    runs.write(OLD, lines=settings(style__system=text, seed=1))
    runs.write(NEW, lines=settings(style__system=text.replace("every", "each"), tag=1))
    assert said(runs, "config", 60) == (
        "config           3 keys differ\n"
        "    style.system     conf/experiment/tone.yaml:4\n"
        "  - ... business English. Keep every fact, name and number.'\n"
        "  + ... business English. Keep each fact, name and number.'\n"
        "    tag     conf/experiment/tone.yaml:5\n"
        "  + 1\n"
        "    seed     conf/experiment/tone.yaml:5\n"
        "  - 1"
    )
    assert "    tag   only in the new run: 1     conf/experiment/tone.yaml:5\n" in said(runs, "config", 80)


def test_a_move_is_told_as_one_and_another_system_message_once(runs: Runs) -> None:
    runs.write(OLD)
    runs.write(NEW, said=[*SAID[:2], ("train", 3, *SAID[2][2:]), SAID[3]])
    assert said(runs, "data") == (
        "data             train: 1 moved here\n"
        "                 validation: 1 moved away\n"
        "    moved   data/pairs.jsonl:3, validation -> train\n"
        "      c u at 8  ->  I will see you at 8."
    )
    runs.write(NEW, system="Be kind.")
    assert said(runs, "data") == (
        "data             train: 2 reworked\n"
        "                 validation: 1 reworked\n"
        "                 test: 1 reworked\n"
        "    reworked   data/pairs.jsonl:1, train\n"
        "  - system: Be formal.\n"
        "  + system: Be kind.\n"
        "    and 3 more reworked\n"
        "    Reworked: the source says the same, what is made of it does not."
    )


def test_the_first_few_of_many_are_shown(runs: Runs) -> None:
    runs.write(OLD)
    runs.write(NEW, said=[*SAID, *(("train", n, f"hey {n}", f"Hello {n}.") for n in range(10, 15))])
    assert said(runs, "data") == (
        "data             train: 5 added\n"
        "    added   data/pairs.jsonl:10, train\n"
        "  + hey 10  ->  Hello 10.\n"
        "    added   data/pairs.jsonl:11, train\n"
        "  + hey 11  ->  Hello 11.\n"
        "    added   data/pairs.jsonl:12, train\n"
        "  + hey 12  ->  Hello 12.\n"
        "    and 2 more added"
    )


def test_a_dataset_that_the_store_no_longer_has_is_named_and_the_test_compared(runs: Runs) -> None:
    runs.write(OLD)
    runs.write(NEW, said=[("train", 9, "yo", "Hello there."), *SAID[1:3], ("test", 4, "gonna be late", "I am late.")])
    runs.forget_dataset(OLD)
    assert said(runs, "data", 120) == (
        "data             test: 1 changed\n"
        f"                 The store no longer has the dataset of {OLD}; told are the test examples, from the\n"
        "                 reports.\n"
        "    changed   data/pairs.jsonl:4, test\n"
        "  - gonna be late  ->  I am going to be late.\n"
        "  + gonna be late  ->  I am late."
    )
    gone = f"implementation   not compared: the store no longer has the records of {OLD}."
    assert said(runs, "implementation") == gone


def test_what_is_gone_altogether_is_said_and_the_rest_compared(runs: Runs) -> None:
    runs.write(OLD)
    runs.write(NEW, said=SAID[1:])
    runs.forget_dataset(OLD)
    (runs.folder / OLD / "report.json").unlink()
    gone = f"config           not compared: report.json of {OLD} is gone or cannot be read."
    assert said(runs, "config") == gone
    assert said(runs, "data", 140) == (
        f"data             not compared: neither the store nor the report has the examples of {OLD} any more."
    )
    assert said(runs, "metrics") == (
        "metrics          the same\n"
        "                 Whether the two runs were tested on the same examples is not known."
    )


def test_a_narrow_terminal_gets_what_was_and_is_below_the_names(runs: Runs) -> None:
    runs.write(OLD, metrics=[metric(0.9), metric(0.1, name="facts.invented")])
    runs.write(NEW, metrics=[metric(0.9), metric(0.1004, name="facts.invented")])
    assert said(runs, "metrics", 50) == (
        "metrics          1 of 2 estimates differ\n"
        "    facts.invented   tuned   +0.0004\n"
        "      0.10 (0.05 to 0.15) -> 0.10 (0.05 to 0.16)\n"
        "    Lower is better: facts.invented."
    )


def test_estimates_that_differ_in_the_interval_alone_are_counted(runs: Runs) -> None:
    runs.write(OLD, metrics=[metric(0.9, n=40)])
    runs.write(NEW, metrics=[metric(0.9, n=41)])
    assert said(runs, "metrics") == (
        "metrics          0 of 1 estimates differ\n    and 1 more in nothing but the interval"
    )


@pytest.mark.parametrize("columns", [60, 80, 100, 140])
def test_no_line_is_wider_than_the_terminal(runs: Runs, columns: int) -> None:
    runs.write(OLD, metrics=[metric(0.5), metric(0.5, name="facts.invented", arm="base")])
    runs.write(
        NEW, said=[("test", 1, "hey " * 40, "Hello. " * 40)], system="Be kind. " * 20, lines=settings(a="b" * 200)
    )
    out = runs.run("diff", OLD, NEW, columns=columns).out
    assert max(map(len, out.splitlines())) <= columns


def names(runs: Runs, old: str, new: str) -> tuple[str, str]:
    told = runs.json("diff", old, new)
    return told["old"]["run_id"], told["new"]["run_id"]


def test_a_run_is_named_by_id_prefix_folder_or_as_the_latest(runs: Runs) -> None:
    for run_id in (OLD, NEW, "20250303-110000-tools"):
        runs.write(run_id)
    runs.latest(NEW)
    assert names(runs, OLD, NEW) == (OLD, NEW)
    assert names(runs, "20250303-10", "20250304") == (OLD, NEW)
    assert names(runs, f"outputs/runs/{OLD}", str(runs.folder / NEW)) == (OLD, NEW)
    assert names(runs, "latest~1", "latest") == (OLD, NEW)
    assert names(runs, "outputs/runs/latest", "latest~0") == (NEW, NEW)


def test_latest_follows_the_link_to_an_older_run(runs: Runs) -> None:
    runs.write(OLD)
    runs.write(NEW)
    runs.latest(OLD)
    assert names(runs, "latest", NEW) == (OLD, NEW)
    assert runs.own.refused("diff", "latest~1", "latest") == (
        f"command line: no run 'latest~1': none of tone came before {OLD}\n    Fix: ftbuild runs --experiment tone\n"
    )


def test_a_smoke_run_is_found_by_its_id_and_its_folder(runs: Runs) -> None:
    runs.write(OLD)
    runs.write(NEW, where="outputs/smoke/runs")
    assert names(runs, OLD, "20250304") == (OLD, NEW)
    assert names(runs, OLD, f"outputs/smoke/runs/{NEW}") == (OLD, NEW)


def test_a_run_of_another_project_is_compared_from_its_own_store(runs: Runs, tmp_path: Path) -> None:
    runs.write(OLD)
    other = Runs(tmp_path / "other")
    folder = other.write(NEW, said=SAID[1:])
    [change] = runs.json("diff", OLD, str(folder))["data"]["changes"]
    assert (change["what"], change["old"]["raw"]) == ("removed", "hey")


def test_an_unknown_run_is_answered_with_the_nearest(runs: Runs) -> None:
    runs.write(OLD)
    assert runs.own.refused("diff", "20250303-104200-tune", OLD) == (
        f"command line: no run '20250303-104200-tune'\n    Fix: the nearest is {OLD}; ftbuild runs lists them.\n"
    )
    assert runs.own.refused("diff", OLD, "x") == "command line: no run 'x'\n    Fix: ftbuild runs lists them.\n"


def test_the_beginning_of_several_runs_names_none(runs: Runs) -> None:
    runs.write(OLD)
    runs.write(NEW)
    said = f"command line: 2 runs begin with '2025'\n    Fix: say more of it: {OLD}, {NEW}\n"
    assert runs.own.refused("diff", "2025", OLD) == said


def test_a_folder_without_a_run_is_none(runs: Runs) -> None:
    runs.write(OLD)
    said = "outputs: no run.json in this folder\n    Fix: ftbuild runs lists the runs.\n"
    assert runs.own.refused("diff", "outputs", OLD) == said


def test_without_runs_there_is_no_latest(runs: Runs) -> None:
    said = "command line: no run 'latest'\n    Fix: make one: ftbuild +experiment=NAME\n"
    assert runs.own.refused("diff", "latest", "latest") == said


@pytest.mark.parametrize("words", [(), (OLD,), (OLD, OLD, OLD), (OLD, OLD, "seed=1")])
def test_it_takes_two_runs_and_nothing_else(runs: Runs, words: tuple[str, ...]) -> None:
    said = "command line: diff takes two runs\n    Fix: ftbuild diff latest~1 latest\n"
    assert runs.own.refused("diff", *words) == said


def test_a_damaged_run_that_was_asked_for_is_an_error_and_one_that_was_not_is_none(runs: Runs) -> None:
    runs.write(OLD)
    runs.own.write(f"outputs/runs/{NEW}/run.json", "{")
    runs.latest(NEW)
    error = (
        f"outputs/runs/{NEW}/run.json: the run cannot be read\n"
        f"    Fix: delete outputs/runs/{NEW}; the build that wrote it writes it again from the store.\n"
    )
    assert runs.run("diff", OLD, NEW) == Ended(5, "", error)
    assert runs.run("diff", OLD, "latest") == Ended(5, "", error)
    assert runs.run("diff", OLD, OLD).code == 0


def test_it_writes_nothing(runs: Runs) -> None:
    runs.write(OLD)
    runs.write(NEW, said=SAID[1:])
    before = {path: path.stat().st_mtime_ns for path in runs.own.folder.rglob("*")}
    runs.run("diff", OLD, NEW)
    assert {path: path.stat().st_mtime_ns for path in runs.own.folder.rglob("*")} == before
    assert not os.path.exists(runs.store.folder / "index.db")


def test_two_texts_are_cut_where_they_part() -> None:
    assert excerpts("same", "same", 10) == ("same", "same")
    assert excerpts("a" * 50, "a" * 50, 10) == ("aaaaaaa...", "aaaaaaa...")
    assert excerpts("a" * 50 + "b", "a" * 50 + "c", 30) == (f"...{'a' * 26}b", f"...{'a' * 26}c")
    assert excerpts("a" * 50, "a" * 50 + "c" * 50, 30) == (f"...{'a' * 17}", f"...{'a' * 17}ccccccc...")
    assert excerpts("", "c" * 50, 20) == ("", f"{'c' * 17}...")
