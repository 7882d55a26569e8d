"""`ftbuild runs`: every run in a table, sorted, filtered, for people and machines; what cannot be read is named."""

from pathlib import Path

import pytest
from config_fixture import Ended, Own
from runs_fixture import NEW, OLD, Runs, metric

OTHER = "20250305-104200-tools"


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def three(runs: Runs) -> None:
    """Write the runs of two experiments; the second is the latest, the third has neither job nor verdict."""
    runs.write(OLD, metrics=[metric(0.8)], seconds=200.0, overrides=["+experiment=tone", "seed=2"], cost_usd=1.5)
    runs.write(NEW, metrics=[metric(0.9)], tokens=9_000, verdict="no_difference", ending="missed")
    runs.write(OTHER, metrics=[metric(None)], seconds=3.25, jobs=[], cost_usd=None, verdict=None, ending=None)
    (runs.folder / OTHER / "report.json").unlink()
    runs.latest(NEW)


def ids(runs: Runs, *options: str) -> list[str]:
    return [each["run_id"] for each in runs.json("runs", *options)["runs"]]


def test_a_wide_terminal_has_one_line_a_run_newest_first(runs: Runs) -> None:
    three(runs)
    lines = runs.run("runs", columns=220).out.splitlines()
    half = lines[0].index("verdict")
    assert [line[:half].rstrip() for line in lines] == [
        "  run                             experiment   when                      seconds",
        "  20250305-104200-tools           tools        5 March 2025, 10:42 UTC       3.2",
        "  20250304-104200-tone (latest)   tone         4 March 2025, 10:42 UTC     112.0",
        "  20250303-104200-tone            tone         3 March 2025, 10:42 UTC     200.0",
    ]
    assert [line[half:] for line in lines] == [
        "verdict and ending           metric                               tokens   job       cost           overrides",
        "no verdict asked for                                                                 cost unknown",
        "no difference, goal missed   style.all_kept 0.90 (0.85 to 0.95)    9,000   ftjob-1   no money",
        "better, goal met             style.all_kept 0.80 (0.75 to 0.85)   12,400   ftjob-1   $1.50          seed=2",
    ]


def test_a_narrow_terminal_puts_what_does_not_fit_below_and_cuts_nothing(runs: Runs) -> None:
    three(runs)
    assert runs.run("runs", columns=70).out.splitlines() == [
        "  20250305-104200-tools           no verdict asked for",
        "      5 March 2025, 10:42 UTC, 3 s, cost unknown",
        "  20250304-104200-tone (latest)   no difference, goal missed",
        "      style.all_kept 0.90 (0.85 to 0.95), 4 March 2025, 10:42 UTC, 1",
        "      min 52 s, 9,000 trained tokens, no money, ftjob-1",
        "  20250303-104200-tone            better, goal met",
        "      style.all_kept 0.80 (0.75 to 0.85), 3 March 2025, 10:42 UTC, 3",
        "      min 20 s, 12,400 trained tokens, $1.50, ftjob-1",
        "      seed=2",
    ]


@pytest.mark.parametrize("columns", [50, 70, 100, 140, 220])
def test_no_line_is_wider_than_the_terminal(runs: Runs, columns: int) -> None:
    three(runs)
    assert max(map(len, runs.run("runs", columns=columns).out.splitlines())) <= columns


def test_json_has_every_value_and_null_for_what_is_not_there(runs: Runs) -> None:
    three(runs)
    told = runs.json("runs")
    assert told["schema_version"] == 1
    assert told["runs"][0] == {
        "run_id": OTHER,
        "experiment": "tools",
        "started_at": "2025-03-05T10:42:00Z",
        "seconds": 3.25,
        "verdict": None,
        "ending": None,
        "rehearsed": False,
        "metric": None,
        "trained_tokens": None,
        "job_id": None,
        "cost_usd": None,
        "sweep": None,
        "overrides": ["+experiment=tone"],
        "path": f"outputs/runs/{OTHER}",
        "latest": False,
    }
    assert told["runs"][1]["metric"] == {
        "metric": "style.all_kept",
        "arm": "tuned",
        "n": 40,
        "mean": 0.9,
        "low": 0.85,
        "high": 0.95,
    }
    assert (told["runs"][1]["latest"], told["runs"][2]["trained_tokens"]) == (True, 12_400)


def test_markdown_is_a_table_of_github(runs: Runs) -> None:
    runs.write(OLD, overrides=["+experiment=tone", "style.system='a|b'"], sweep={"name": "tone-0a1b2c3d"})
    assert runs.run("runs", "--format", "md").out == (
        "| run | experiment | when | seconds | verdict and ending | metric | tokens | job | cost | sweep "
        "| overrides |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        f"| {OLD} | tone | 3 March 2025, 10:42 UTC | 112.0 | better, goal met | style.all_kept 0.90 (0.85 to 0.95) "
        "| 12,400 | ftjob-1 | no money | tone-0a1b2c3d | style.system='a\\|b' |\n"
    )


def test_a_run_says_of_which_sweep_it_is_a_point_and_is_found_beside_the_others(runs: Runs) -> None:
    runs.write(OLD, sweep={"name": "tone-0a1b2c3d", "looks": 2})
    runs.write(NEW)
    runs.write(OTHER, sweep={"name": "tone-00000000"})
    told = runs.json("runs", "--sort", "sweep")["runs"]
    assert [(each["run_id"], each["sweep"]) for each in told] == [
        (OTHER, "tone-00000000"),
        (OLD, "tone-0a1b2c3d"),
        (NEW, None),
    ]
    assert "no money, ftjob-1, sweep tone-0a1b2c3d" in " ".join(runs.run("runs", columns=70).out.split())


def test_they_are_sorted_by_a_column_and_a_dash_turns_them_round(runs: Runs) -> None:
    three(runs)
    assert ids(runs, "--sort", "seconds") == [OTHER, NEW, OLD]
    assert ids(runs, "--sort", "-seconds") == [OLD, NEW, OTHER]
    assert ids(runs, "--sort", "when") == [OLD, NEW, OTHER]
    assert ids(runs, "--sort", "experiment") == [NEW, OLD, OTHER]


def test_a_run_without_a_value_comes_last_either_way(runs: Runs) -> None:
    three(runs)
    assert ids(runs, "--sort", "metric") == [OLD, NEW, OTHER]
    assert ids(runs, "--sort", "-metric") == [NEW, OLD, OTHER]


def test_a_misspelt_column_is_answered_with_the_nearest(runs: Runs) -> None:
    assert runs.own.refused("runs", "--sort", "-secnds") == (
        "command line: --sort: no column 'secnds'\n"
        "    Fix: the nearest is seconds; there are run, experiment, when, seconds, verdict, ending, metric, tokens, "
        "job, cost, sweep, overrides.\n"
    )


def test_the_runs_of_one_experiment_are_shown_alone(runs: Runs) -> None:
    three(runs)
    assert ids(runs, "--experiment", "tone") == [NEW, OLD]


def test_an_experiment_that_nobody_knows_is_answered_with_the_nearest(runs: Runs) -> None:
    three(runs)
    said = "command line: no experiment 'toolz'\n    Fix: ftbuild runs --experiment tools\n"
    assert runs.own.refused("runs", "--experiment", "toolz") == said


def test_with_smoke_runs_only_it_says_where_they_are(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.write(OLD, where="outputs/smoke/runs")
    said = (
        "No runs yet. Make one: ftbuild +experiment=NAME\n"
        "Smoke runs are in outputs/smoke/runs; ftbuild diff takes them.\n"
    )
    assert runs.own.run("runs") == Ended(0, said, "")


def test_without_runs_it_says_how_to_make_one(tmp_path: Path) -> None:
    own = Own(tmp_path)
    assert own.run("runs") == Ended(0, "No runs yet. Make one: ftbuild +experiment=NAME\n", "")
    said = "No runs of tone_formal yet. Make one: ftbuild +experiment=tone_formal\n"
    assert own.run("runs", "--experiment", "tone_formal") == Ended(0, said, "")
    assert own.run("runs", "--format", "json").out == '{\n "schema_version": 1,\n "runs": [],\n "cut": []\n}\n'
    assert list(tmp_path.iterdir()) == []


def test_damaged_and_foreign_files_are_named_and_the_others_listed(runs: Runs) -> None:
    three(runs)
    runs.own.write("outputs/runs/a/run.json", '{"schema_version": 1,')
    runs.own.write("outputs/runs/b/run.json", "[]")
    runs.own.write("outputs/runs/c/run.json", '{"schema_version": 2}')
    runs.write("20250306-104200-d", seconds=None)
    runs.write("20250307-104200-e", metrics=[None])
    ended = runs.run("runs", "--format", "json")
    assert ended.code == 0
    assert all(run_id in ended.out for run_id in (OLD, NEW, OTHER))
    assert ended.err == "".join(
        f"outputs/runs/{name}/run.json: warning: the run cannot be read\n"
        "    It is left out here.\n"
        f"    Fix: delete outputs/runs/{name}; the build that wrote it writes it again from the store.\n"
        for name in ("20250306-104200-d", "20250307-104200-e", "a", "b", "c")
    )


def test_where_no_run_can_be_read_none_is_asked_for(runs: Runs) -> None:
    runs.own.write("outputs/runs/a/run.json", "[]")
    ended = runs.run("runs")
    assert (ended.code, ended.out) == (0, "No run can be read.\n")
    assert ended.err.startswith("outputs/runs/a/run.json: warning: ")


def test_a_report_that_is_gone_leaves_its_cells_empty(runs: Runs) -> None:
    (runs.write(OLD) / "report.json").write_text("{")
    [told] = runs.json("runs")["runs"]
    assert (told["metric"], told["trained_tokens"], told["job_id"]) == (None, None, "ftjob-1")


def test_it_writes_nothing(runs: Runs) -> None:
    three(runs)
    before = {path: path.stat().st_mtime_ns for path in runs.own.folder.rglob("*")}
    runs.run("runs", "--sort", "metric")
    assert {path: path.stat().st_mtime_ns for path in runs.own.folder.rglob("*")} == before
