"""The experiment on a handbook, rehearsed: four arms on the same questions, and which lever the numbers speak for."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from project_fixture import Project, project_in
from rehearsal_fixture import recorded, stop_server

from ftbuild.report.words import REHEARSED as REHEARSED_SAID

REHEARSED = ("+experiment=rag_faq", "provider=rehearsal")
ARMS = ["base", "base_retrieval", "tuned", "tuned_retrieval"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Project]:
    with project_in(tmp_path_factory.mktemp("retrieval"), cache) as found:
        yield found
        stop_server(found, smoke=False)


@pytest.fixture(scope="module")
def built(project: Project) -> tuple[str, dict[str, Any]]:
    ended = project.run(*REHEARSED)
    assert ended.code == 0, ended.err  # what a rehearsal makes up misses no goal
    return ended.err + ended.out, project.run_json("outputs/runs/latest")


def asked(project: Project) -> list[dict[str, Any]]:
    """Return the bodies of the chat completions that were asked for."""
    return [each["body"] for each in recorded(project, smoke=False) if each["path"].endswith("/chat/completions")]


@pytest.mark.slow
def test_four_arms_answer_the_same_questions_with_and_without_passages(
    project: Project, built: tuple[str, dict[str, Any]]
) -> None:
    _, run = built
    assert sorted(run["arms"]) == ARMS
    assert {each["usage"]["n"] for each in run["arms"].values()} == {100}
    read = {arm: each["usage"]["tokens_read"] for arm, each in run["arms"].items()}
    assert read["base_retrieval"] > 3 * read["base"]
    assert read["tuned_retrieval"] > 3 * read["tuned"]
    questions = [each["messages"][-1]["content"] for each in asked(project)]
    bare = {each for each in questions if "<passage" not in each}
    grounded = {each.rpartition("\n\n")[2] for each in questions if "<passage" in each}
    assert bare == grounded
    assert len(bare) == 100


@pytest.mark.slow
def test_the_levers_and_the_search_are_told_and_no_advice_is_given(built: tuple[str, dict[str, Any]]) -> None:
    said, run = built
    assert set(run["levers"]["arms"].values()) == set(ARMS)
    effects = run["levers"]["metrics"][0]["effects"]
    assert all(each is not None and each["low"] is not None for each in effects.values())
    assert run["retrieval"]["gold_passage"]["test"]["search"]["recall@3"] == pytest.approx(0.87)
    assert "search   of 100 test questions: recall@1" in said
    assert "\nuse      Nothing follows: the answers are made up.\n" in said
    assert (run["rehearsed"], run["ending"]) == (True, "missed")
    assert re.search(r"^REHEARSED: [A-Z ]+, goal missed\.\n" + re.escape(REHEARSED_SAID), said, re.M)


@pytest.mark.slow
def test_the_head_room_is_told_before_the_job_is_launched(project: Project, built: tuple[str, dict[str, Any]]) -> None:
    said, _ = built
    assert said.index("rehearsed head-room character F-score: base_retrieval reaches") < said.index("was launched")
    paths = [each["path"] for each in recorded(project, smoke=False) if each["method"] == "POST"]
    launched = next(at for at, path in enumerate(paths) if path.endswith("/fine_tuning/jobs"))
    assert sum(path.endswith("/chat/completions") for path in paths[:launched]) == 200


@pytest.mark.slow
@pytest.mark.usefixtures("built")
def test_with_no_method_nothing_is_trained_and_no_answer_is_asked_for_again(project: Project) -> None:
    before = len(asked(project))
    ended = project.run(*REHEARSED, "method=none")
    assert ended.code == 0, ended.err
    run = project.run_json("outputs/runs/latest")
    assert (sorted(run["arms"]), run["jobs"], run["ending"]) == (ARMS[:2], [], None)
    assert "\nREHEARSED: NO VERDICT, goal not judged.\n" in ended.out
    assert len(asked(project)) == before


@pytest.mark.slow
@pytest.mark.usefixtures("built")
def test_vectors_are_asked_for_once_and_choose_other_passages(project: Project) -> None:
    words = (*REHEARSED, "retrieval=handbook_hybrid", "method=none")
    assert project.run(*words).code == 0
    embedded = [each for each in recorded(project, smoke=False) if each["path"].endswith("/embeddings")]
    texts = [text for each in embedded for text in each["body"]["input"]]
    assert len(texts) == len(set(texts)) == 380
    by_vector = project.run("dataset", *REHEARSED, "retrieval=handbook_hybrid", "retrieval.kind=vector")
    assert by_vector.code == 0, by_vector.err
    assert len([each for each in recorded(project, smoke=False) if each["path"].endswith("/embeddings")]) == len(
        embedded
    )
    shown = project.run("show", *words, "--split", "test", "-n", "1", "--format", "json")
    assert json.loads(shown.out)["examples"][0]["passages"]


@pytest.mark.slow
@pytest.mark.usefixtures("built")
def test_examples_of_the_training_split_stand_before_a_question(project: Project) -> None:
    ended = project.run(*REHEARSED, "method=none", "+evaluation.arms.few={kind: base, retrieval: false, examples: 2}")
    assert ended.code == 0, ended.err
    few = [each["messages"] for each in asked(project) if len(each["messages"]) > 3]
    assert {tuple(each["role"] for each in one) for one in few} == {
        ("system", "user", "assistant", "user", "assistant", "user")
    }
    assert len({json.dumps(one[:5]) for one in few}) == 1
    [built_in] = [each.parent for each in project.folder.glob("datasets/built/rag_faq/*/test.jsonl")][:1]
    learnt = (built_in / "train.jsonl").read_text(encoding="utf-8")
    assert all(
        json.dumps(each["content"], ensure_ascii=False) in learnt for each in few[0] if each["role"] == "assistant"
    )
