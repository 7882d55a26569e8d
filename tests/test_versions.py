"""The ratchet: bytes that change without a new version would leave stale results in every store.

Each pure kind computes a fixed input; version and digest of its outputs are pinned together. A digest
that changes under the same version fails here: raise the version of the kind (plan/action.py) or of
the scorer, and pin both anew.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from settings_fixture import FULL, settings, tools_of

from ftbuild.chat import Tool, ToolCall
from ftbuild.completion import Completion
from ftbuild.digest import of_bytes, of_value
from ftbuild.plan import action as kinds
from ftbuild.plan.resolve import resolve
from ftbuild.retrieval.passages import Passage
from ftbuild.runners.formats import json_lines, parse_lines
from ftbuild.runners.pure import PURE
from ftbuild.scorers import Case, build, versions
from ftbuild.settings import Settings
from ftbuild.settings.evaluation import ScorerOptions
from ftbuild.stream import whole
from ftbuild.workers import Made

PINNED = {
    "ingest": (5, "e32d2f8c7abbcdf854f82b61fb5c2ad12ad47847d138bcd9a90d92b159806a83"),
    "index": (1, "c7cdccfb07fc2b4edd9ebfca7363a5993800354b3616e82a7f1b21d37de80de6"),
    "dataset": (3, "088e10e1866db6cf20ba709eb63b06bbb46c5246098d3a8ffe27abc9a1665298"),
    "render": (2, "ec7d684f3cbd5e9c3619e287933dffb37b6d9eea2eed954ddb9f28cc096d5db9"),
    "score": (2, "76f84d99554e7b591b130e21788d9739700f2ddffc42d142312ebc7499519f96"),
    "compare": (3, "b0fa6811d3257c2448e099d31496c3604f00abc20b2e0a2e839165aa80ae3d1f"),
    "report": (4, "934c1377e8ace7d9a8811ccddab3c3ef1bfa5e8b372e49b133c9249304a92a12"),
}
SCORERS = {
    "style": (1, "c45c1ac98e63ce03aa8c78035e93dacde549dc2452daf8b12898d4ab429bbbc8"),
    "chrf": (1, "97919eb8b01a88f9e1f7c69e2e3a8c8cb6291970a913048a85d35d22d62747d3"),
    "facts": (1, "a360f2e9c02caa37b291c73efd4c4464af52a8990d79973b385a271a6ebbae42"),
    "cited": (1, "3e88373d927c530c0a3b70ae3598e09e06c65a13fc088fb5d9509d6ff3068223"),
    "exact": (1, "c4073d2d0aad3d4d99925ba705b741539d7a2096dfe00419c8ca026298360e7a"),
    "tool_calls": (1, "35d5b9b491700119e63591ae05659b038c2b35deb74173c79000e81bd797eefc"),
    "json_schema": (1, "3e1632c3d5bc60ed0f3ecd1d45f8fbb180a1a18c3e608bb92836cbe7595b646a"),
}

TEXTS = [
    Case("1", "hey send 3 files to Ann by Friday", "Please send three files.", text, "g")
    for text in (
        "Please send 3 files to Ann by Friday.",
        "hey!! send em to Bob tmrw",
        "",
        "Please send three files.",
    )
]
FORMS = [
    Case("1", "", '{"n": 2, "of": ["a", "b"]}', text, schema={"type": "object", "required": ["n"]})
    for text in ('{"of": ["a", "b"], "n": 2.0}', '{"n": "2", "of": ["b"]}', '{"of": []}', "two")
]
CITED = [
    Case("1", "How many of the 9?", "It is 12 of them. (Leave, Days)", text)
    for text in ("It is 12. (LEAVE,  days)", "It is 13.（Leave, Days）", "9 (of them) are 12.", "(Leave, Days)")
]
TOOL = Tool("send", parameters={"type": "object", "properties": {"n": {"type": "integer", "default": 1}}})
CALLS = [
    Case("1", "", "", "", wanted=[ToolCall("", "send", each) for each in ("{}", '{"n": 2}')], sent=sent, tools=[TOOL])
    for sent in (
        [ToolCall("", "send", '{"n": 2}'), ToolCall("", "send", '{"n": 1}')],
        [ToolCall("", "send", '{"n": "2"}')],
        [ToolCall("", "post", "{")],
        [],
    )
]

WORDS = ("report", "invoice", "ticket", "draft", "order", "file")
SOURCE = "".join(
    json.dumps(
        {
            "casual": f"hey pls send ur {word} by {day} thx!!",
            "formal": f"Please send your {word} by {day}.",
            "situation": f"{word} {day}",
        }
    )
    + "\n"
    for word in WORDS
    for day in ("Monday", "Friday", "noon", "4 pm")
).encode()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    """Compute the graph of fixed settings with answers made up here; return what each pure kind made first."""
    source = tmp_path_factory.mktemp("pinned") / "pairs.jsonl"
    source.write_bytes(SOURCE)
    found: dict[str, Made] = {}
    by_id: dict[str, Made] = {}
    dataset = FULL["dataset"] | {
        "sources": {"pairs": FULL["dataset"]["sources"]["pairs"] | {"slices": {}}},
        "limit": None,
    }
    chosen: Settings = settings(FULL | {"dataset": dataset, "goal": GOAL})
    scorers = versions(chosen.evaluation.scorers, chosen.style)
    for each in resolve(chosen, {"pairs": of_bytes(SOURCE)}, scorers, tools=tools_of(chosen)):
        inputs = {one.role: whole(by_id[one.action].outputs[one.output]) for one in each.inputs}
        if each.kind.name in PURE:
            result = PURE[each.kind.name](json.loads(each.settings_text), inputs, given(each.kind.name, source))
            found.setdefault(each.kind.name, result)
        elif each.kind.name == "job":
            result = Made(
                {"job.json": json.dumps(JOB).encode(), "metrics.jsonl": b""},
                "c7cdccfb07fc2b4edd9ebfca7363a5993800354b3616e82a7f1b21d37de80de6",
            )
        else:
            result = Made(
                {"predictions.jsonl": answers(each.label, inputs["examples"])},
                "c7cdccfb07fc2b4edd9ebfca7363a5993800354b3616e82a7f1b21d37de80de6",
            )
        by_id[each.id] = result
    passages = [Passage("a.md", n, "A", (), text).to_json() for n, text in enumerate(("Six days.", "二日間です。"), 1)]
    found["index"] = PURE["index"]({}, {"passages": json_lines(passages)}, {})
    return found


GOAL = {
    "metric": "chrf",
    "require": {"good": {"metric": "chrf", "at_least": 0.5}},
    "keep": {"facts": {"metric": "facts.kept", "at_least": 0.5}},
    "judge_by": "lower_bound",
}
JOB = {
    "job_id": "ftjob-1",
    "status": "succeeded",
    "base_model": "small",
    "fine_tuned_model": "ft:small",
    "seed": 7,
    "trained_tokens": 100,
    "hyperparameters": {},
    "asked": {},
    "checkpoints": [],
    "chosen": "last",
}


def answers(arm: str, examples: bytes) -> bytes:
    said = [
        {
            "id": each["id"],
            **Completion(each["raw"] if arm in ("echo", "base") else each["messages"][-1]["content"]).to_json(),
        }
        for each in parse_lines(examples)
    ]
    return json_lines(said)


def given(kind: str, source: Path) -> dict[str, Any]:
    if kind == "ingest":
        return {"path": str(source)}
    if kind != "report":
        return {}
    run = {
        "run_id": "r",
        "experiment": "pinned",
        "description": "Pinned.",
        "command": "ftbuild",
        "commit": None,
        "dirty": False,
        "started_at": "2026-01-02T03:04:05Z",
        "settings_lines": [],
        "provider": "embedded",
        "cost_usd": 0,
        "seconds": 1.0,
        "path": "outputs/runs/r",
        "overrides": [],
    }
    return {
        "run": run,
        "actions": [],
        "arms": {
            name: {"about": name, "prices": {"input": 0.5, "output": 2.0, "as_of": "2026-01"}}
            for name in FULL["evaluation"]["arms"]
        },
        "at_once": 4,
        "sources": {"pairs": {"kind": "pairs", "path": "p", "licence": "CC0-1.0", "origin": "here"}},
    }


@pytest.mark.parametrize("kind", PURE)
def test_the_bytes_of_a_kind_change_only_with_its_version(kind: str, made: dict[str, Made]) -> None:
    outputs = made[kind].outputs
    version = getattr(kinds, kind.upper()).version
    found = sorted([name, of_bytes(whole(content))] for name, content in outputs.items())
    assert (version, of_value(found)) == PINNED[kind]


@pytest.mark.parametrize("name", SCORERS)
def test_the_scores_of_a_scorer_change_only_with_its_version(name: Any) -> None:
    style = settings(FULL).style
    [scorer] = build({name: ScorerOptions()}, style)
    cases = CITED if name == "cited" else FORMS if name == "json_schema" else CALLS if name == "tool_calls" else TEXTS
    scores = [[each.metric, each.value, each.detail] for case in cases for each in scorer.score(case)]
    assert (scorer.version, of_value(scores)) == SCORERS[name]
