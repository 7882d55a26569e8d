"""The end of a sweep: its points beside each other, the best of them marked."""

from typing import Any

from report_fixture import report_input

from ftbuild.cli.points_table import Row, table

RESULTS = report_input().results
SAID = "BETTER, goal met, today 14:25 UTC   outputs/runs/1/report.html"


def results(mean: float | None, *, lower: bool = False, **more: Any) -> dict[str, Any]:
    metric = next(m for m in RESULTS["metrics"] if (m["metric"], m["slice"]) == (RESULTS["verdict_metric"], None))
    numbers = {"n": 40, "mean": mean, "low": 0.4, "high": 0.6}
    change = {**metric["differences"]["base"], "difference": 0.1, "low": 0.04, "high": 0.16}
    shown = {
        **metric,
        "label": "chrF",
        "lower_is_better": lower,
        "arms": {**metric["arms"], "tuned": numbers},
        "differences": {"base": change},
    }
    return {**RESULTS, "metrics": [shown], **more}


def test_every_point_has_its_numbers_its_ending_and_its_report_and_one_is_the_best() -> None:
    rows = [
        Row("n=1", SAID, results(0.5)),
        Row("n=2", SAID, results(0.55), is_best=True),
        Row("n=3", "data.csv: no file", None),
    ]
    numbers = [
        "      chrF                  difference",
        "n=1   0.50 (0.40 to 0.60)   +0.10 (+0.04 to +0.16) to base",
        "n=2   0.55 (0.40 to 0.60)   +0.10 (+0.04 to +0.16) to base   best",
    ]
    assert table(rows, 200).splitlines() == [
        numbers[0],
        f"{numbers[1]}          {SAID}",
        f"{numbers[2]}   {SAID}",
        f"n=3{' ' * 65}data.csv: no file",
    ]
    assert table(rows, 80).splitlines() == [
        *numbers,
        "n=3",
        "",
        f"n=1   {SAID}",
        f"n=2   {SAID}",
        "n=3   data.csv: no file",
    ]


def test_a_sweep_without_any_numbers_has_its_endings() -> None:
    assert table([Row("limit=4", "too few", None), Row("limit=40", "no disk", None)], 80).splitlines() == [
        "limit=4    too few",
        "limit=40   no disk",
    ]
