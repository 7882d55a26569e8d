"""A graph kept beside its compositions is the graph that resolving gives, with the sources as they are now."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from config_fixture import Own

from ftbuild import compiling
from ftbuild.composed import Composed
from ftbuild.compositions import Compositions, compositions
from ftbuild.plan.graph import Graph
from ftbuild.points import apart, one_graph, owners
from ftbuild.resolving import graph_of
from ftbuild.store.store import Store
from ftbuild.tools import results

PAIRS = """{"casual": "hey", "formal": "Hello.", "situation": "a"}
{"casual": "thx", "formal": "Thank you.", "situation": "b"}
"""


@pytest.fixture
def own(tmp_path: Path) -> Own:
    found = Own(tmp_path)
    found.write("pairs.jsonl", PAIRS)
    return found


def found(own: Own, *overrides: str, multirun: bool = False) -> Compositions:
    cache = own.folder / "cache"
    return compositions(own.folder, overrides, multirun=multirun, environment={}, now=1e10, cache=cache)


def resolved(points: list[Composed] | tuple[Composed, ...], store: Store) -> Graph:
    graph = Graph()
    for each in points:
        graph.merge(graph_of(each, store, judged=True))
    return graph


SWEEP = ("+experiment=tone_formal", "seed=1,2", "method.hyperparameters.n_epochs=1,2")


def test_the_graph_read_is_the_graph_resolved(own: Own) -> None:
    store = Store(own.folder / "store")
    first, _ = one_graph(found(own, *SWEEP, multirun=True), (), store, smoke=False)
    warm = found(own, *SWEEP, multirun=True)
    assert warm.attached() is not None
    again, points = one_graph(warm, (), store, smoke=False)
    assert list(again.actions) == list(first.actions) == list(resolved(list(warm.points), store).actions)
    for name, action in again.actions.items():
        assert (action.id, action.settings_text) == (name, first.actions[name].settings_text)
        assert (action.kind, action.label, action.stage) == (
            first.actions[name].kind,
            first.actions[name].label,
            first.actions[name].stage,
        )
    assert [point.name for point in points] == [f"seed={s} n_epochs={n}" for s in (1, 2) for n in (1, 2)]
    assert [len(point.ids) for point in points] == [15] * 4


def test_equal_actions_of_points_are_one_and_belong_to_the_first(own: Own) -> None:
    asked = (*SWEEP, "request.temperature=0.5")  # at 0 a base model is asked once for all seeds
    graph, points = one_graph(found(own, *asked, multirun=True), (), Store(own.folder / "store"), smoke=False)
    labels = [action.label for action in graph]
    assert (labels.count("dataset"), labels.count("base"), labels.count("job")) == (1, 2, 4)
    dataset = next(action.id for action in graph if action.label == "dataset")
    assert owners(points)[dataset] is points[0]
    names = apart(points)
    assert dataset not in names
    assert {names[action.id] for action in graph if action.label == "base"} == {
        "seed=1 n_epochs=1, seed=1 n_epochs=2",
        "seed=2 n_epochs=1, seed=2 n_epochs=2",
    }


def test_a_graph_without_a_verdict_is_another_document(own: Own) -> None:
    store = Store(own.folder / "store")
    compositions_ = found(own, "+experiment=tone_formal")
    judged, _ = one_graph(compositions_, (), store, smoke=False)
    document = compositions_.attached()
    assert compiling.read(document, store, judged=False) is None
    unjudged, _ = one_graph(found(own, "+experiment=tone_formal"), (), store, smoke=True)
    assert list(judged.actions) != list(unjudged.actions)


@pytest.mark.parametrize("document", [None, b"{}", b'{"format": 0, "judged": true}'])
def test_what_is_no_document_is_resolved_anew(document: bytes | None, own: Own) -> None:
    assert compiling.read(document, Store(own.folder / "store"), judged=True) is None


def plan(own: Own) -> dict[str, str]:
    out = own.run("plan", "+experiment=tone_formal", "dataset.sources.pairs.path=pairs.jsonl", "--format", "json").out
    return {each["label"]: each["id"] for each in json.loads(out)["actions"]}


def test_a_source_that_changes_changes_what_lies_below_it_alone(own: Own) -> None:
    before = plan(own)
    own.write("pairs.jsonl", PAIRS + '{"casual": "yo", "formal": "Good day.", "situation": "c"}\n')
    after = plan(own)
    assert {label for label in before if before[label] == after[label]} == {"unseen"}
    own.write("pairs.jsonl", PAIRS)
    assert plan(own) == before


def test_a_new_version_of_what_runs_a_tool_is_noticed(own: Own, monkeypatch: pytest.MonkeyPatch) -> None:
    words, store = ("+experiment=tool_calling",), Store(own.folder / "store")
    before, _ = one_graph(found(own, *words), (), store, smoke=False)
    ours = results.OURS["calculator"]
    monkeypatch.setitem(results.OURS, "calculator", replace(ours, version=ours.version + 1))
    after, _ = one_graph(found(own, *words), (), store, smoke=False)
    labels = {action.label for action in after if action.id not in before.actions}
    assert {"base", "tuned"} <= labels
    assert "job" not in labels


def test_a_source_that_is_gone_is_told_with_its_place(own: Own) -> None:
    words = ("plan", "+experiment=tone_formal", "dataset.sources.pairs.path=pairs.jsonl")
    assert own.run(*words).code == 0
    (own.folder / "pairs.jsonl").unlink()
    ended = own.run(*words)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(f"command line: dataset.sources.pairs.path: {own.folder / 'pairs.jsonl'}: no such file")
