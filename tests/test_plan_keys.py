"""Keyed and unkeyed: what is declared to change results changes a key, what is not changes none."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from pydantic import BaseModel
from settings_fixture import FULL, GRADED, HOSTED, IN_FOLDER, TINY, graph, settings

from ftbuild.settings import Node, Settings
from ftbuild.settings.sweep import Sweep
from ftbuild.settings.teacher import Teacher

TREES = (FULL, TINY, GRADED, HOSTED, IN_FOLDER)
# Fields with one lawful value so far, and kinds of arms, which cannot change alone.
ONE_VALUE = {
    "dataset.sources.pairs.kind",
    "dataset.sources.unseen.kind",
    "dataset.sources.made.kind",
    "dataset.sources.asked.kind",
    "dataset.sources.handbook.kind",
    "retrieval.documents",
    "dataset.split.by",
    # What stands in the file enters the key.
    "tools.a.python",
    "tools.b.openapi",
    "tools.c.mcp",
    "judge.labelled",
    "request.logprobs",
    "judge.provider.kind",
    "style.language",
    "style.rules.contractions",
    "style.rules.slang",
    "style.rules.emoji",
    "style.rules.exclamation_marks",
    "style.rules.sentence_case",
    "style.rules.desu_masu",
    "method.type",
    "method.grader.type",
    *(f"method.grader.graders.{name}.type" for name in ("same", "near", "ours", "judge")),
    "dataset.sources.pairs.schema",
    "provider.kind",
    "tracker.kind",
    "tracker.api_key_env",  # a name in capitals
    "evaluation.arms.echo.kind",
    "evaluation.arms.rules.kind",
    "evaluation.arms.base.kind",
    "evaluation.arms.tuned.kind",
    "evaluation.arms.today.kind",
    "evaluation.arms.before.kind",
    "evaluation.arms.today.provider.kind",
    "evaluation.scorers.tool_calls.mode",
}
OTHER = {
    "goal.metric": "chrf",
    "goal.judge_by": "estimate",
    "dataset.sources.unseen.only": "train",
    "dataset.sources.asked.layout": "sharegpt",
    "evaluation.targets": "last",
    "provider.engine": "scripted",
    "tracker.from": "client",
    "tracker.mode": "online",
    "dataset.deduplicate": "exact",
    "retrieval.kind": "vector",
    "retrieval.sources": ["pairs", "made"],
    "retrieval.gold_in": ["train", "test"],
    "dataset.parallel_calls": "keep",
    "request.strict_tools": "base",
    "evaluation.scorers.tool_calls.compare.a.x": "value",
    "evaluation.scorers.constraints.language": "ja",
    "schemas.note.type": "array",
    "schemas.note.properties.title.type": "integer",
    "method.hyperparameters.reasoning_effort": "high",
    "method.checkpoint": "last",
    "method.grader.graders.judge.sampling_params.reasoning_effort": "high",
    "method.grader.graders.same.operation": "ne",
    "method.grader.graders.near.evaluation_metric": "gleu",
    "method.grader.graders.judge.input": [{"role": "user", "content": "Well?"}],
    "method.grader.graders.judge.range": [0.0, 2.0],
    "method.grader.calculate_output": "same",
    "provider.methods": ["supervised"],
    "judge.provider.methods": ["supervised"],
    "judge.provider.engine": "torch",
    "evaluation.split": "confirm",
    "provider.faults.answer_lost.request": "look",
    "provider.faults.rate_limited.request": "create",
    "provider.faults.slow_body.request": "create",
    "provider.models.model_1.methods": ["dpo"],
    "provider.models.model_1.ends": "2031-01-02",
    "provider.api_key_env": "ELSEWHERE",
    "provider.prices.as_of": "2026-12",
    "provider.prices.methods": ["dpo"],
    "provider.ends.new_jobs": "2031-02",
    "provider.ends.models": "2031-02-02",
    "dataset.split.validation_from": "2026-10-02",
    "dataset.split.test_from": "2026-11-02",
    "dataset.split.confirm_from": "2026-11-16",
    "tools.get_weather.args.city.type": "integer",
    "tools.get_weather.args.days.type": "string",
}


def leaves(value: Any, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from leaves(each, (*prefix, name))
    else:
        yield prefix


def at(tree: dict[str, Any], path: tuple[str, ...]) -> Any:
    for name in path:
        tree = tree[name]
    return tree


def with_value(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    changed = deepcopy(tree)
    at(changed, path[:-1])[path[-1]] = value
    return changed


def another(path: str, value: Any) -> Any:
    if path in OTHER:
        return OTHER[path]
    if isinstance(value, bool):
        return not value
    if isinstance(value, list):
        return [*value, "bla"]
    if isinstance(value, dict):
        return {"bla": {}}
    return value + "x" if isinstance(value, str) else value + (0.01 if isinstance(value, float) else 1)


def is_keyed(tree: dict[str, Any], path: tuple[str, ...]) -> bool:
    if path == ("provider", "parallel_tool_calls"):
        return True  # by what it does to the dataset
    node: Any = settings(tree)
    for name in path:
        if isinstance(node, Node):
            if name in node.unkeyed:
                return False
            node = getattr(node, name)
        else:
            node = node[name]
    return True


def changeable() -> list[str]:
    keys = [".".join(path) for tree in TREES for path in leaves(tree)]
    return [key for key in dict.fromkeys(keys) if key not in ONE_VALUE]


def ids(tree: dict[str, Any]) -> list[str]:
    return [action.id for action in graph(tree)]


@pytest.mark.parametrize("key", changeable())
def test_a_keyed_value_changes_a_key_and_an_unkeyed_one_changes_none(key: str) -> None:
    path = tuple(key.split("."))
    tree = next(tree for tree in TREES if path in leaves(tree))
    changed = with_value(tree, path, another(key, at(tree, path)))
    assert (ids(changed) != ids(tree)) == is_keyed(tree, path)


@pytest.mark.parametrize(
    "rule", ["contractions", "slang", "emoji", "exclamation_marks", "sentence_case", "sentence_words"]
)
def test_switching_a_rule_off_changes_a_key(rule: str) -> None:
    assert ids(with_value(FULL, ("style", "rules", rule), None)) != ids(FULL)


def test_the_written_out_settings_hold_every_field() -> None:
    def fields(model: type[BaseModel]) -> set[tuple[type[BaseModel], str]]:
        found = set()
        for name, field in model.model_fields.items():
            found.add((model, name))
            for inner in models_in(field.annotation):
                found |= fields(inner) if inner is not model else set()
        return found

    def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield annotation
        for each in getattr(annotation, "__args__", ()):
            yield from models_in(each)

    def said(value: Any) -> set[tuple[type[BaseModel], str]]:
        if isinstance(value, BaseModel):
            here = {(type(value), name) for name in value.model_fields_set}
            return here.union(*(said(getattr(value, name)) for name in type(value).model_fields))
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        return set().union(*map(said, inner))

    of_no_point = fields(Sweep) | {(Settings, "sweep"), (Settings, "teacher")}
    of_no_point |= {(Teacher, name) for name in Teacher.model_fields}
    assert set().union(*(said(settings(tree)) for tree in TREES)) == fields(Settings) - of_no_point


def test_unkeyed_names_are_fields() -> None:
    def models(model: type[Node]) -> set[type[Node]]:
        return {model}.union(*(models(each) for each in model.__subclasses__()))

    assert {
        (each.__name__, name) for each in models(Node) for name in each.unkeyed if name not in each.model_fields
    } == set()


def test_the_order_of_maps_whose_order_is_told_changes_a_key() -> None:
    for path in [
        ("style", "expand"),
        ("evaluation", "arms"),
        ("evaluation", "scorers"),
        ("evaluation", "arms", "rules", "substitute"),
        ("goal", "require"),
        ("goal", "keep"),
    ]:
        turned = with_value(FULL, path, dict(reversed(at(FULL, path).items())))
        assert ids(turned) != ids(FULL), path


def test_the_order_of_sources_changes_no_key() -> None:
    turned = with_value(FULL, ("dataset", "sources"), dict(reversed(FULL["dataset"]["sources"].items())))
    assert set(ids(turned)) == set(ids(FULL))


def test_what_is_off_enters_no_key() -> None:
    """A setting that came later changes no key of configs without it, so that no job is launched anew."""
    actions = {action.label: action.settings for action in graph(FULL)}
    assert set(actions["dataset"]) == {
        *("split", "limit", "system", "language", "expand", "licences"),
        *("tools", "parallel_tool_calls", "strict_tools"),  # which FULL has
    }
    assert set(actions["dataset"]["split"]) == {"validation", "test", "seed"}
    read = {"kind", "path", "input", "target", "group", "slices", "licence", "schema"}
    assert set(actions["pairs"]["source"]) == read
    off = with_value(FULL, ("dataset", "redact"), {"email": False, "phone": False})
    assert ids(with_value(off, ("dataset", "split", "by"), "group")) == ids(FULL)
    assert ids(with_value(off, ("dataset", "split", "confirm"), 0.0)) == ids(FULL)


def test_a_share_is_of_the_mix_and_reads_no_source_anew() -> None:
    shared = with_value(TINY, ("dataset", "sources", "made", "share"), 0.3)
    assert [each.id for each in graph(shared)][:3] == ids(TINY)[:3]
    assert [each.id for each in graph(shared)][3:] != ids(TINY)[3:]


def test_documents_enter_a_key_only_where_retrieval_asks_for_them() -> None:
    off = deepcopy(FULL) | {"retrieval": {"documents": None, "n_passages": 7, "gold_in": []}}
    off["dataset"]["sources"]["handbook"] = TINY["dataset"]["sources"]["handbook"]
    assert ids(off) == ids(FULL)
    on = with_value(off, ("retrieval", "documents"), "handbook")
    assert {action.label for action in graph(on)} - {action.label for action in graph(FULL)} == {
        *("handbook", "handbook index"),
    }
    [dataset] = [action for action in graph(on) if action.label == "dataset"]
    assert [(each.role, each.output) for each in dataset.inputs] == [
        ("handbook", "passages.jsonl"),
        ("handbook.index", "index.npz"),
        ("pairs", "examples.jsonl"),
        ("unseen", "examples.jsonl"),
    ]
    assert dataset.settings["retrieval"]["gold_in"] == []


def test_an_arm_without_passages_is_another_only_where_there_are_any() -> None:
    bare = ("evaluation", "arms", "base"), {"kind": "base", "retrieval": False}
    assert ids(with_value(FULL, *bare)) == ids(FULL)
    on = deepcopy(FULL) | {"retrieval": {"documents": "handbook"}}
    on["dataset"]["sources"]["handbook"] = TINY["dataset"]["sources"]["handbook"]
    changed = {action.label for action in graph(with_value(on, *bare)) if action.id not in ids(on)}
    assert changed == {"base", "base scores", "verdict", "report"}
    with_passages = with_value(on, ("evaluation", "arms", "base"), {"kind": "base", "retrieval": True})
    assert ids(with_passages) == ids(on)


@pytest.mark.parametrize(("temperature", "n_asked"), [(0.0, 1), (0.7, 2)])
def test_where_nothing_is_drawn_a_base_model_is_asked_once_for_all_seeds(temperature: float, n_asked: int) -> None:
    tree = with_value(FULL, ("request", "temperature"), temperature)
    found = [graph({**tree, "seed": seed}) for seed in (1, 2)]
    by_label = {
        label: {action.id for each in found for action in each if action.label == label}
        for label in ("base", "base scores", "job")
    }
    assert {label: len(names) for label, names in by_label.items()} == {
        "base": n_asked,
        "base scores": n_asked,
        "job": 2,
    }
