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
from ftbuild.criteria import Criterion
from ftbuild.digest import of_bytes, of_value
from ftbuild.plan import action as kinds
from ftbuild.plan.resolve import resolve
from ftbuild.retrieval.index import Vectors
from ftbuild.retrieval.passages import Passage
from ftbuild.runners.formats import json_lines, parse_lines
from ftbuild.runners.pure import PURE
from ftbuild.scorers import Case, GivenPassage, build, versions
from ftbuild.settings import Settings
from ftbuild.settings.evaluation import Count, ScorerOptions
from ftbuild.stream import whole
from ftbuild.workers import Made

PINNED = {
    "ingest": (8, "e32d2f8c7abbcdf854f82b61fb5c2ad12ad47847d138bcd9a90d92b159806a83"),
    "index": (1, "c7cdccfb07fc2b4edd9ebfca7363a5993800354b3616e82a7f1b21d37de80de6"),
    "dataset": (4, "088e10e1866db6cf20ba709eb63b06bbb46c5246098d3a8ffe27abc9a1665298"),
    "wall": (1, "d8727af4b4b1d88c31762932c4024f36590203a7278a5facc5164930b2367e17"),
    "targets": (1, "0f9c85745454aa34b032c6403e014341d9519ad667f6c09838608897f62f946a"),
    "render": (2, "ec7d684f3cbd5e9c3619e287933dffb37b6d9eea2eed954ddb9f28cc096d5db9"),
    "score": (2, "6e060287e70bf69ae1fe0f647d66218656e3ddb6da9bce2ce5c8570c3bed02a8"),
    "compare": (3, "66e51ebe0b873f4c2d9bc8d1f55b6bd16638cd6da57b0e01fe72b270a01b8bc2"),
    "report": (6, "5c986946ff68323aec66e01023f31eebf8fa17b9338a0bc8370427ea57ac0ea5"),
}
SCORERS = {
    "style": (1, "c45c1ac98e63ce03aa8c78035e93dacde549dc2452daf8b12898d4ab429bbbc8"),
    "chrf": (1, "97919eb8b01a88f9e1f7c69e2e3a8c8cb6291970a913048a85d35d22d62747d3"),
    "facts": (1, "a360f2e9c02caa37b291c73efd4c4464af52a8990d79973b385a271a6ebbae42"),
    "exact": (2, "9c4e8453060e5574defad0870f194f15b98e3f959b281bc363f2313f7acf6f00"),
    "tool_calls": (1, "35d5b9b491700119e63591ae05659b038c2b35deb74173c79000e81bd797eefc"),
    "results": (1, "591b10e6387b3aba2cd8103b8da69a758bcc11ddaec729a22c7f9af69d8c1c21"),
    "json_schema": (1, "3e1632c3d5bc60ed0f3ecd1d45f8fbb180a1a18c3e608bb92836cbe7595b646a"),
    "constraints": (1, "b2cde81f3c5c9717d3f1a819ceedc2604fca22f314e27365c28d3905aa4c7d19"),
    "grounding": (1, "3493fc28c1fd684280580dc6c1fb08331b16dcf5c372f2c56f6f1dc7084edf3c"),
    "criteria": (1, "7b530166f0c43db4a1447f3407eabb0bfffd6bd3f811becd254cb12370d18c12"),
    "register": (1, "35d5eef637bad480cdb775e85447c3b8ec6ae610f3ba717864344ac59ed3bb39"),
    "judge": (1, "3e03dbdcf36c94864e86f6597e376f046cca72a4469e4203c53549189723d30c"),
    "rouge_l": (1, "886e2637e47553a5c8e45964e6be037617e3496334c425b790dbd7ab346dbe00"),
}

RESULTS = [
    Case(
        "1",
        "",
        target,
        output,
        wanted_results=[(ToolCall("", "divide", '{"by": 3}'), '{"by": 3, "value": 3.33333}')],
        results=['{"value": 3.33333}'],
        referenced=bool(target),
    )
    for target in ("About 3.3.", "")
    for output in ("It is 3.3.", "It is 3.33.", "It is 3.", "It is 4.")
]
OPTIONS = {
    "constraints": ScorerOptions(words=Count(at_most=4), required=["Ann"], language="en"),
    "grounding": ScorerOptions(abstains=["does not say"]),
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

GROUNDED = [
    Case(
        "1",
        "How many days?",
        "27 days. (Leave, Allowance)",
        text,
        passages=[GivenPassage("Leave, Allowance", said, gold)],
    )
    for gold in (True, False, None)
    for said in ("Everyone has 27 days.", "休暇は27日です。")
    for text in ("You have 27 days. (Leave, Allowance)", "It does not say.", "28日です。", "")
]
OF_ITS_OWN = [
    Criterion("equals", "It is 4."),
    Criterion("equals", {"n": [4]}),
    *(Criterion(kind, "4", negated) for kind in ("contains", "icontains", "starts-with") for negated in (False, True)),
    Criterion("regex", r"\d\."),
    *(Criterion(kind, ["It", "no"]) for kind in ("contains-any", "contains-all", "icontains-any", "icontains-all")),
    Criterion("is-json"),
    Criterion("is-json", {"type": "object", "required": ["n"]}),
    Criterion("word-count", {"min": 1, "max": 3}),
]
CRITERIA = [
    Case("1", "", "", text, criteria=criteria)
    for text in ("It is 4.", "it is four, no?", '{"n": [4.0]}', "")
    for criteria in ([], OF_ITS_OWN)
]
JUDGED = [Case("1", "", "", "", judgements=each) for each in (("A", "B"), ("B", "A."), ("A", "A"), ())]
CASES = {
    "judge": JUDGED,
    "criteria": CRITERIA,
    "json_schema": FORMS,
    "tool_calls": CALLS,
    "grounding": GROUNDED,
    "results": RESULTS,
}

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
                "",
            )
        else:
            result = Made(
                {"predictions.jsonl": answers(each.label, inputs["examples"])},
                "",
            )
        by_id[each.id] = result
    found["targets"] = PURE["targets"]({"whole": False}, {"examples": json_lines([TURNS])}, {})
    passages = [Passage("a.md", n, "A", (), text).to_json() for n, text in enumerate(("Six days.", "二日間です。"), 1)]
    found["index"] = PURE["index"]({}, {"passages": json_lines(passages)}, {})
    found["wall"] = PURE["wall"]({"walled": ["drafts"], "unsuspected": ["own"]}, walled(), {})
    return found


def walled() -> dict[str, bytes]:
    """Return a dataset with a draft that says what one of two tests says, and a hundred examples that say neither."""
    said = {"test 1": (1.0, 0.0), "test 2": (-1.0, 0.0), "draft 1": (1.0, 0.1)}
    said |= {f"own {n}": (0.0, n / 100) for n in range(1, 101)}
    texts = {f"{name}{end}": vector for name, vector in said.items() for end in "?!"}
    files: dict[str, list[Any]] = {"train": [], "validation": [], "test": [], "provenance": []}
    for name in said:
        source, line = name.split()
        split = "test" if source == "test" else "train"
        messages = [{"role": "user", "content": f"{name}?"}, {"role": "assistant", "content": f"{name}!"}]
        files[split].append({"messages": messages})
        place = {"source": "drafts" if source == "draft" else "own", "path": f"{source}.jsonl", "line": int(line)}
        files["provenance"].append({**place, "split": split})
    vectors = Vectors.of([], texts, 2).to_bytes()
    return {**{name: json_lines(listed) for name, listed in files.items()}, "vectors": vectors}


TURNS = {
    "id": "1",
    "raw": "and 3?",
    "messages": [
        {"role": "user", "content": "what is 2 twice?"},
        {"role": "assistant", "content": "4."},
        {"role": "user", "content": "and 3?"},
        {"role": "assistant", "content": "6."},
    ],
}


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
        "round": {"run": None, "jobs": None},
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
    [scorer] = build({name: OPTIONS.get(name, ScorerOptions())}, style)
    scores = [[each.metric, each.value, each.detail] for case in CASES.get(name, TEXTS) for each in scorer.score(case)]
    assert (scorer.version, of_value(scores)) == SCORERS[name]
