"""Settings become a graph: the actions in order, each with what it needs and nothing else."""

import pytest
from settings_fixture import BYTES, FULL, VERSIONS, forms_of, graph, settings, tools_of

from ftbuild.plan.action import Action, Input, Kind
from ftbuild.plan.graph import Graph
from ftbuild.plan.resolve import resolve
from ftbuild.settings.provider import FORM

PURE = Kind("toy", 1, "pure")


def resolved(digests: dict[str, str], versions: dict[str, int]) -> Graph:
    given = settings()
    return resolve(given, digests, versions, tools=tools_of(given), forms=forms_of(given))


def toy(label: str, *inputs: str, **keyed: object) -> Action:
    return Action(PURE, label, "data", keyed | {"label": label}, tuple(Input(each, each, "out") for each in inputs))


def test_the_whole_lifecycle_is_one_graph_with_the_free_arms_before_the_job() -> None:
    assert [(action.kind.name, action.label, action.stage) for action in graph()] == [
        ("ingest", "pairs", "data"),
        ("ingest", "unseen", "data"),
        ("dataset", "dataset", "data"),
        ("render", "lines", "data"),
        ("predict", "echo", "train"),
        ("predict", "rules", "train"),
        ("predict", "base", "train"),
        ("score", "echo scores", "train"),
        ("score", "rules scores", "train"),
        ("score", "base scores", "train"),
        ("job", "job", "train"),
        ("predict", "tuned", "test"),
        ("score", "tuned scores", "test"),
        ("compare", "verdict", "test"),
        ("report", "report", "test"),
    ]


def test_the_job_takes_the_two_training_files_and_nothing_of_the_test() -> None:
    by_label = {action.label: action for action in graph()}
    assert by_label["job"].inputs == (
        Input("training_file", by_label["lines"].id, "train.jsonl"),
        Input("validation_file", by_label["lines"].id, "validation.jsonl"),
    )
    assert by_label["job"].settings == {
        "provider": {"kind": "embedded", "engine": "torch", "form": FORM},
        "model": {"id": "small", "package": FULL["model"]["package"], "random": None},
        "method": FULL["method"],
        "seed": 7,
    }


def test_only_the_tuned_arm_waits_for_the_job() -> None:
    whole = graph()
    waiting = {next(action.id for action in whole if action.label == "job")}
    for action in whole:  # inputs come first
        if any(each.action in waiting for each in action.inputs):
            waiting.add(action.id)
    labels = {whole.actions[each].label for each in waiting}
    assert labels == {"job", "tuned", "tuned scores", "verdict", "report"}


def test_without_a_tuned_arm_there_is_no_job() -> None:
    arms = {name: arm for name, arm in FULL["evaluation"]["arms"].items() if name != "tuned"}
    assert "job" not in [action.label for action in graph(FULL | {"evaluation": FULL["evaluation"] | {"arms": arms}})]


def test_a_comparison_without_a_verdict_is_another_action() -> None:
    judged = {action.label: action.id for action in graph()}
    unjudged = {action.label: action.id for action in graph(judged=False)}
    assert {label for label in judged if judged[label] != unjudged[label]} == {"verdict", "report"}


def test_a_rehearsal_is_compared_as_one_and_shares_its_data_with_what_it_rehearses() -> None:
    real = {action.label: action for action in graph()}
    played = {action.label: action for action in graph(FULL | {"provider": FULL["provider"] | {"rehearsed": True}})}
    assert (real["verdict"].settings.get("rehearsed"), played["verdict"].settings["rehearsed"]) == (None, True)
    assert {label for label in real if real[label].id == played[label].id} >= {"dataset", "lines"}


def test_other_bytes_of_a_source_reach_everything_but_the_other_source() -> None:
    before = {action.label: action.id for action in graph()}
    after = {action.label: action.id for action in resolved(BYTES | {"unseen": "c" * 64}, VERSIONS)}
    assert {label for label in before if before[label] == after[label]} == {"pairs"}


def test_a_new_version_of_a_scorer_touches_no_answer() -> None:
    before = {action.label: action.id for action in graph()}
    after = {action.label: action.id for action in resolved(BYTES, VERSIONS | {"chrf": 2})}
    assert {label for label in before if before[label] != after[label]} == {
        "echo scores",
        "rules scores",
        "base scores",
        "tuned scores",
        "verdict",
        "report",
    }


def test_equal_actions_are_one_node() -> None:
    actions = Graph()
    assert actions.add(toy("a")) == actions.add(toy("a"))
    actions.add(toy("b"))
    assert len(actions) == 2


def test_the_points_of_a_sweep_share_what_they_have_in_common() -> None:
    method = {"type": "supervised", "hyperparameters": FULL["method"]["hyperparameters"] | {"n_epochs": 1}}
    both = [{action.id: action.label for action in graph(FULL | change)} for change in ({}, {"method": method})]
    assert {label for id_, label in both[1].items() if id_ not in both[0]} == {
        "job",
        "tuned",
        "tuned scores",
        "verdict",
        "report",
    }


def test_an_input_from_outside_the_graph_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^b: input 'nowhere' comes from an action that is not in the graph$"):
        Graph().add(toy("b", "nowhere"))
