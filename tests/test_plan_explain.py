"""Why an action runs: the difference to the most alike action before it, in words."""

import json
from typing import Any

import pytest

from ftbuild.plan.explain import reasons


def preimage(**changed: Any) -> dict[str, Any]:
    return {
        "type": "ftbuild.action.v1",
        "kind": "dataset",
        "version": 1,
        "settings": {"seed": 7, "split": {"test": 0.1, "seed": 9}, "expand": [["pls", "please"], ["u", "you"]]},
        "inputs": [["pairs", "aa"], ["unseen", "bb"]],
    } | changed


def settings(**changed: Any) -> dict[str, Any]:
    return {"settings": preimage()["settings"] | changed}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"version": 2}, ["dataset is version 2, was 1"]),
        (settings(seed=8), ["seed   7 -> 8"]),
        (settings(split={"test": 0.2, "seed": 9}), ["dataset.split.test   0.1 -> 0.2"]),
        (settings(expand=[["pls", "please"], ["u", "thou"]]), ["style.expand.u   'you' -> 'thou'"]),
        (settings(expand=[["pls", "please"]]), ["style.expand.u   'you' -> None"]),
        (
            settings(expand=[["pls", "please"], ["u", "you"], ["thx", "thanks"]]),
            ["style.expand.thx   None -> 'thanks'"],
        ),
        (
            settings(expand=[["u", "you"], ["pls", "please"]]),
            ["style.expand   [['pls', 'please'], ['u', 'you']] -> [['u', 'you'], ['pls', 'please']]"],
        ),
        (settings(system="x" * 80), [f"style.system   None -> '{'x' * 56}..."]),
        (settings(bytes="cc"), ["the source's bytes changed"]),
        ({"inputs": [["pairs", "cc"], ["unseen", "bb"]]}, ["pairs changed"]),
        ({"inputs": [["pairs", "aa"]]}, ["input unseen is gone"]),
        ({"inputs": [["pairs", "aa"], ["unseen", "bb"], ["more", "cc"]]}, ["new input more"]),
        (settings(seed=8) | {"version": 2}, ["dataset is version 2, was 1", "seed   7 -> 8"]),
    ],
    ids=lambda each: str(each)[:60],
)
def test_every_difference_is_told(changed: dict[str, Any], said: list[str]) -> None:
    assert reasons(preimage(**changed), [preimage()], "dataset") == said


def test_the_first_time_is_told() -> None:
    assert reasons(preimage(), [], "dataset") == ["never run before"]


def test_the_most_alike_is_compared_with() -> None:
    far = preimage(version=3, inputs=[])
    assert reasons(preimage(**settings(seed=8)), [far, preimage(), far], "dataset") == ["seed   7 -> 8"]


def test_a_result_that_is_gone_is_told() -> None:
    assert reasons(preimage(), [preimage(version=3), preimage()], "dataset") == ["its result is gone from the store"]


def read_from(path: str, digest: str) -> dict[str, Any]:
    return {**preimage(), "kind": "ingest", "settings": {"bytes": digest, "source": {"path": path}}, "inputs": []}


def test_what_another_experiment_calls_by_the_same_name_is_not_compared_with() -> None:
    theirs, never = read_from("tone.jsonl", "aa"), ["never run before"]
    assert reasons(read_from("friendly.jsonl", "bb"), [theirs], "pairs") == never
    assert reasons(read_from("friendly.jsonl", "aa"), [theirs], "pairs") == [
        "dataset.sources.pairs.path   'tone.jsonl' -> 'friendly.jsonl'"
    ]
    assert reasons(preimage(inputs=[["chats", "cc"]]), [preimage()], "dataset") == never


def asked(**properties: Any) -> dict[str, Any]:
    form = {"name": "note", "schema": {"type": "object", "properties": properties}}
    text = json.dumps({"type": "json_schema", "json_schema": form})
    return {**preimage(), "kind": "ingest", "settings": {"response_format": text}}


def offered(*functions: dict[str, Any]) -> dict[str, Any]:
    texts = [json.dumps({"type": "function", "function": each}) for each in functions]
    return {**preimage(), "kind": "dataset", "settings": {"tools": texts}}


A, B = {"name": "a", "description": "A."}, {"name": "b"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (asked(a={"type": "string"}), asked(a={"type": "null"}), "note.properties.a.type   'string' -> 'null'"),
        (asked(a={}, b={}), asked(b={}, a={}), "note.properties   ['a', 'b'] -> ['b', 'a']"),
        (offered(A, B), offered({**A, "description": "An a."}, B), "a.description   'A.' -> 'An a.'"),
        (offered(A, B), offered(B, A), "   ['a', 'b'] -> ['b', 'a']"),
        (offered(A), offered(A, B), "b   None -> {}"),
    ],
)
def test_what_changed_inside_a_schema_or_a_tool_is_told_by_its_key(old: Any, new: Any, said: str) -> None:
    above = "schemas" if new["kind"] == "ingest" else "tools"
    assert reasons(new, [old], "notes") == [f"{above}{said if said[0] == ' ' else '.' + said}"]
