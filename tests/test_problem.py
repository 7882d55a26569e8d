"""How findings and errors read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbuild import errors
from ftbuild.errors import ExitCode, FtbuildError, JobError, ProviderError, worst
from ftbuild.problem import Problem, nearest, render


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("no sources"), "no sources"),
        (Problem("not YAML", "a.yaml"), "a.yaml: not YAML"),
        (Problem("not YAML", "a.yaml", 3), "a.yaml:3: not YAML"),
        (Problem("odd", "a.yaml", 3, severity="warning"), "a.yaml:3: warning: odd"),
        (Problem("odd", rule="odd-line"), "odd    odd-line"),
        (Problem("odd", "a", 1, why="It hurts."), "a:1: odd\n    It hurts."),
        (Problem("odd", "a", 1, fix="mend it."), "a:1: odd\n    Fix: mend it."),
        (
            Problem("odd", "a", 1, why="It hurts.", fix="mend it.", rule="odd-line"),
            "a:1: odd\n    It hurts.\n    Fix: mend it.    odd-line",
        ),
        (Problem("odd", "a", 1, why="It hurts.", rule="odd-line"), "a:1: odd\n    It hurts.    odd-line"),
    ],
)
def test_a_problem_says_where_what_why_and_how(problem: Problem, text: str) -> None:
    assert str(problem) == text


def test_twenty_problems_are_shown_whole() -> None:
    assert render([Problem(f"p{n}") for n in range(20)]) == "\n".join(f"p{n}" for n in range(20))


def test_more_than_twenty_are_cut_with_the_count_of_the_rest() -> None:
    shown = render([Problem(f"p{n}") for n in range(23)]).split("\n")
    assert shown == [*(f"p{n}" for n in range(20)), "... and 3 more"]


def test_the_rest_is_told_by_rule() -> None:
    often, rare = [Problem("p", rule="often")], [Problem("p", rule="rare")]
    shown = render([*often * 20, *rare * 2, *often * 1_200, *rare * 3]).split("\n")
    assert shown == [*["p    often"] * 3, *["p    rare"] * 3, "... and 1,219 more: 1,217 often, 2 rare"]


def test_no_problems_are_no_text() -> None:
    assert render([]) == ""


@pytest.mark.parametrize(("name", "close"), [("stlye", "style"), ("goals", "goal"), ("zzz", None), ("", None)])
def test_the_nearest_known_name_is_found(name: str, close: str | None) -> None:
    assert nearest(name, ["style", "goal", "model"]) == close


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("FtbuildError", 5),
        ("ConfigError", 2),
        ("DataError", 1),
        ("EvaluationError", 5),
        ("StoreError", 5),
        ("JobError", 5),
        ("ProviderError", 4),
        ("Interrupted", 130),
    ],
)
def test_every_error_has_its_exit_code(error: str, code: int) -> None:
    kind = getattr(errors, error)
    assert issubclass(kind, FtbuildError)
    assert kind.exit_code == ExitCode(code)


def test_an_error_carries_its_problems_and_its_data() -> None:
    refused = ProviderError("not today", Problem("odd", "a", 1), status=400, code="invalid")
    assert refused.problems == (Problem("not today"), Problem("odd", "a", 1))
    assert (str(refused), refused.status, refused.code) == ("not today\na:1: odd", 400, "invalid")
    assert JobError("gone", job_id="ftjob-1").job_id == "ftjob-1"


@given(st.lists(st.sampled_from(ExitCode), min_size=1))
def test_a_goal_that_is_missed_never_hides_a_failure(codes: list[ExitCode]) -> None:
    failures = [code for code in codes if code not in (ExitCode.DONE, ExitCode.GOAL)]
    assert worst(codes) == max(failures or codes)
