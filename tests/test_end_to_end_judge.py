"""A judge in a build: refused as a gate until it agrees with its labels, and asked once."""

import os
from pathlib import Path

import pytest
from judge_fixture import JUDGED, LABELLED, as_labelled
from project_fixture import Project, project_in
from rehearsal_fixture import recorded, state, with_conf

from ftbuild.cache import cache_folder
from ftbuild.compose import compose
from ftbuild.evaluate.trust import trust
from ftbuild.runners.formats import parse_lines
from ftbuild.store.store import Store

BUILD = ("+experiment=tone_formal", "judge=formal", "evaluation=ours", "goal=ours", "provider=rehearsal")
CONF = {
    "evaluation/ours.yaml": """\
# Ours.   ftbuild +experiment=tone_formal evaluation=ours
arms: {base: {kind: base}, tuned: {kind: tuned}}
scorers: {chrf: {}, judge: {}}
concurrency: 8
""",
    "goal/ours.yaml": """\
# Ours.   ftbuild +experiment=tone_formal goal=ours
metric: chrf
require:
  well_judged: {metric: judge, at_least: 0.2}
judge_by: lower_bound
""",
}


def rubric(folder: Path) -> str:
    return str(compose(folder, [*JUDGED]).settings.judge.rubric)


def asked(project: Project) -> int:
    return sum(each["path"] == "/v1/chat/completions" for each in recorded(project, smoke=False))


@pytest.mark.slow
def test_a_judge_that_repeats_its_question_is_refused_as_a_gate(project: Project) -> None:
    with with_conf(project, CONF):
        ended = project.run(*BUILD, "dataset.limit=60")
        assert ended.code == 0, ended.err
        assert "goal     undecided   well_judged   the judge is not admitted   wanted 0.20" in ended.out
        assert "judge    kappa 0.00 (-0.20 to 0.24), wanted 0.60: not admitted" in ended.out
        [condition] = project.run_json()["goal"]
        assert (condition["ending"], condition["refused"]) == ("undecided", "the judge is not admitted")
        page = (project.folder / "outputs" / "runs" / "latest" / "report.html").read_text()
        assert "on 40 labelled pairs: kappa 0.00 (-0.20 to 0.24), wanted 0.60: not admitted" in page


@pytest.mark.slow
def test_a_judge_that_agrees_with_its_labels_is_admitted_and_asked_once(project: Project) -> None:
    with with_conf(project, CONF):
        folder = state(project, smoke=False)
        folder.mkdir(parents=True)
        (folder / "answers.jsonl").write_bytes(as_labelled(LABELLED, rubric(project.folder)))
        ended = project.run(*BUILD, "dataset.limit=60")
        assert ended.code == 0, ended.err
        assert "goal     met   well_judged" in ended.out
        assert "judge    kappa 1.00 (0.86 to 1.00), wanted 0.60: admitted" in ended.out
        before = asked(project)
        # 40 pairs, and the answers of two arms to the test examples: all in two orders, equal requests once.
        n_test = project.run_json()["metrics"][0]["arms"]["tuned"]["n"]
        assert 2 * 40 + 2 * n_test < before <= 2 * 40 + 2 * n_test + 2 * 2 * n_test
        strict = project.run(*BUILD, "dataset.limit=60", "judge.at_least=0.95")
        assert strict.code == 0, strict.err
        assert "wanted 0.95: not admitted" in strict.out
        assert asked(project) == before


@pytest.mark.slow
def test_smollm2_prefers_what_stands_first_and_is_refused_as_a_gate(tmp_path: Path) -> None:
    """It judges on our own server what a rehearsal trained and answered; its weights are fetched once per cache."""
    with project_in(tmp_path, cache_folder(os.environ)) as project, with_conf(project, CONF):
        ended = project.run(*BUILD, "dataset.limit=20", "+provider@judge.provider=embedded")
        assert ended.code == 0, ended.err
        assert "well_judged   the judge is not admitted" in ended.out
        store = Store(project.store().folder)
        [judged] = [each for each in store.manifests() if each["label"] == "judge"]
        lines = list(parse_lines(store.get(judged["outputs"]["judgements.jsonl"])))
        found = trust(lines, 0.6)
        assert (found.found.n, found.admitted) == (40, False)
        assert sum(each["replies"] == ["A", "A"] for each in lines) > 20
