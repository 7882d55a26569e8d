"""Who is asked for what is to come, and what the profiles say against it: the experiment, its arms, its judge."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from config_fixture import TONE
from hosted_fixture import profile

from ftbuild import gates
from ftbuild.cli.build import composed_of, world_of
from ftbuild.cli.options import parse
from ftbuild.lookup import LedgerFolder, Planned, look_up
from ftbuild.plan.action import JUDGE, PREDICT, Action
from ftbuild.points import Point, one_graph
from ftbuild.problem import Problem
from ftbuild.store.store import Store
from ftbuild.world import World

JUDGED = (TONE, "judge=formal", "evaluation=judged")
HOSTED = ("provider=elsewhere", "model=hosted", "model.id=tiny")
JUDGE_HERE = ("+provider@judge.provider=embedded", "+model@judge.model=tiny")
JUDGE_THERE = ("+provider@judge.provider=elsewhere", "+model@judge.model=hosted", "judge.model.id=tiny")
BASE_THERE = ("+provider@evaluation.arms.base.provider=elsewhere", "+model@evaluation.arms.base.model=hosted")
DEPLOYS = {"command": "deploy {model} as {name}", "source": "their page"}
PAST = {"models": "2001-01-01", "source": "their page"}


class Ahead:
    """A plan of which only what `is_asked` says is to come; all else is there."""

    def __init__(self, folder: Path, words: tuple[str, ...], is_asked: Callable[[Action], bool], **said: Any) -> None:
        path = folder / "conf/provider/elsewhere.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(profile(**said))
        options = replace(parse("plan", [*words]), folder=folder)
        world = world_of(options)
        store = Store(world.store)
        graph, self.points = one_graph(composed_of(options), (), store, smoke=False)
        every = look_up(graph, store, LedgerFolder(world))
        self.planned = [replace(one, status="RUN" if is_asked(one.action) else "HIT") for one in every]
        self.world = replace(world, environment={})

    def given(self) -> tuple[list[Point], list[Planned], World]:
        return self.points, self.planned, self.world

    def lacking(self) -> list[str]:
        return [each.path for each in gates.lacking(*self.given())]

    def problems(self) -> list[Problem]:
        return gates.problems(*self.given())


def is_judge(action: Action) -> bool:
    return action.kind is JUDGE


def test_with_only_the_judge_to_come_its_provider_alone_needs_a_key(tmp_path: Path) -> None:
    assert Ahead(tmp_path / "here", (*JUDGED, *HOSTED, *JUDGE_HERE), is_judge).lacking() == []
    assert Ahead(tmp_path / "there", (*JUDGED, *JUDGE_THERE), is_judge).lacking() == ["ELSEWHERE_KEY"]
    assert Ahead(tmp_path / "same", (*JUDGED, *HOSTED), is_judge).lacking() == ["ELSEWHERE_KEY"]
    answers = Ahead(tmp_path / "answers", (*JUDGED, *HOSTED, *JUDGE_HERE), lambda each: each.kind is PREDICT)
    assert answers.lacking() == ["ELSEWHERE_KEY"]


@pytest.mark.parametrize(("words", "key"), [(JUDGE_THERE, "judge.provider"), (HOSTED, "provider")])
def test_a_judge_whose_model_has_ended_is_refused_before_anything_is_asked(
    words: tuple[str, ...], key: str, tmp_path: Path
) -> None:
    [one] = Ahead(tmp_path, (*JUDGED, *words), is_judge, ends=PAST).problems()
    assert (one.what, one.severity) == (
        f"{key}.ends.models: elsewhere ends its models and what was tuned on them on 2001-01-01, which is past",
        "error",
    )
    assert one.path.endswith("conf/provider/elsewhere.yaml")


def test_a_judge_that_must_be_deployed_is_told_with_the_key_that_names_it(tmp_path: Path) -> None:
    [one] = Ahead(tmp_path, (*JUDGED, *JUDGE_THERE), is_judge, deploys=DEPLOYS).problems()
    assert one.what.startswith("judge.provider.base_deployment: the base model answers only where it is deployed")
    assert (one.fix, one.severity) == ("judge.provider.base_deployment=NAME", "error")
    named = (*JUDGED, *JUDGE_THERE, "judge.provider.base_deployment=b")
    assert Ahead(tmp_path / "named", named, is_judge, deploys=DEPLOYS).problems() == []


def test_a_judge_is_asked_for_no_tools(tmp_path: Path) -> None:
    words = (*JUDGED, *JUDGE_THERE, "tools=assistant")
    ahead = Ahead(tmp_path, words, is_judge, tools=False)
    assert [asker.node for asker in gates.asking(ahead.points, ahead.planned)] == ["judge"]
    assert ahead.problems() == []


def test_a_base_arm_that_is_elsewhere_needs_no_deployment_of_the_model_that_is_tuned(tmp_path: Path) -> None:
    """The tuned model is at one that deploys; the base arm asks another model on our own server."""
    here = ("+provider@evaluation.arms.base.provider=embedded", "+model@evaluation.arms.base.model=tiny")
    found = Ahead(tmp_path / "here", (TONE, *HOSTED, *here), lambda _: True, deploys=DEPLOYS).problems()
    assert [(each.what.partition(":")[0], each.severity) for each in found] == [("provider.deployment", "warning")]
    there = Ahead(
        tmp_path / "there", (TONE, *BASE_THERE, "evaluation.arms.base.model.id=tiny"), lambda _: True, deploys=DEPLOYS
    ).problems()
    key = "evaluation.arms.base.provider.base_deployment"
    assert [(each.what.partition(":")[0], each.fix, each.severity) for each in there] == [(key, f"{key}=NAME", "error")]
