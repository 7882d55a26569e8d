"""The answers of arms that play dialogues: tools executed, recorded results replayed, the final answer scored."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from sacrebleu import sentence_chrf
from settings_fixture import FULL, settings

from ftbuild.chat import Message, Tool, ToolCall
from ftbuild.completion import Completion
from ftbuild.errors import ProviderError
from ftbuild.plan.action import PREDICT, Action
from ftbuild.runners.answers import TOO_LONG, predict
from ftbuild.runners.formats import json_lines, parse_lines
from ftbuild.runners.measure import score
from ftbuild.runners.workshop import Workshop
from ftbuild.store.store import Store
from ftbuild.tools.results import OURS
from ftbuild.world import World

TOOLS = [Tool(name, parameters={"type": "object"}).to_json() for name in ("calculate", "translate")]
GLOSSARY = b"Cash only: {es: Solo efectivo}"
JOB = {"fine_tuned_model": "ft:x", "checkpoints": [], "job_id": "j", "status": "succeeded"}


def example(name: str, text: str, *way: dict[str, Any], **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}, *way]
    return {"id": name, "raw": text, "group": name, "slices": {}, "tools": TOOLS, "messages": messages} | more


def calls(*called: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    listed = [ToolCall(f"call_{n}", name, json.dumps(given)) for n, (name, given) in enumerate(called, 1)]
    return {"role": "assistant", "tool_calls": [each.to_json() for each in listed]}


EXAMPLES = [
    # Ends in its calls: what they come to is run.
    example("sum", "6 times 14.50?", calls(("calculate", {"expression": "6*14.50"}))),
    example("word", "Cash only, in Spanish?", calls(("translate", {"text": "Cash only", "language": "es"}))),
    # Has its results and its answer: they are replayed. No glossary knows them.
    example(
        "trace",
        "Good night in German, and 10/3?",
        calls(("translate", {"text": "Good night", "language": "de"}), ("calculate", {"expression": "10/3"})),
        {"role": "tool", "tool_call_id": "call_1", "content": '{"translation": "Gute Nacht"}'},
        {"role": "tool", "tool_call_id": "call_2", "content": '{"value": 3.333333}'},
        {"role": "assistant", "content": "Gute Nacht, and about 3.33."},
    ),
]


class Provider:
    """A base model that knows no tools, and a tuned one that has learnt them and reads out what they return."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[dict[str, Any]], dict[str, Any]]] = []

    async def complete(self, model: str, messages: Sequence[Message], parameters: Mapping[str, Any]) -> Completion:
        self.asked.append((model, [each.to_json() for each in messages], dict(parameters)))
        text = str(messages[0].content)
        if model == "small":
            return Completion("I think it is 80.", "stop", 0.5, 10, 5)
        if messages[-1].role == "tool":
            results = [json.loads(str(each.content)) for each in messages if each.role == "tool"]
            said = " and ".join(str(each.get("value", each.get("translation"))) for each in results)
            return Completion(f"That is {said}.", "stop", 0.5, 20, 6)
        [wanted] = [each["messages"][1]["tool_calls"] for each in EXAMPLES if each["raw"] == text]
        return Completion("", "tool_calls", 0.5, 10, 5, tuple(map(ToolCall.from_json, wanted)))

    async def close(self) -> None:
        pass


class Quiet:
    def sleep(self, _seconds: float) -> None:
        pass

    def progress(self, _text: str) -> None:
        pass


class Done:
    def read(self, _action: Action, role: str) -> bytes:
        return json_lines(EXAMPLES) if role in ("examples", "shots") else json.dumps(JOB).encode()


def answered(root: Path, kind: str, **evaluation: Any) -> tuple[Provider, list[dict[str, Any]], list[dict[str, Any]]]:
    """Return whom was asked what, the predictions and the scores of an arm."""
    tree = FULL | {"evaluation": FULL["evaluation"] | {"turns": 3} | evaluation}
    tree["request"] = {"temperature": 0.0, "max_completion_tokens": 120}
    provider = Provider()
    runs = {"calculate": OURS["calculator"].make(b""), "translate": OURS["glossary"].make(GLOSSARY)}
    shop = Workshop(
        settings(tree), World.at(root), Store(root), lambda: provider, "x", (), lambda _: None, results=lambda: runs
    )
    keyed = {"kind": kind, "turns": shop.settings.evaluation.turns}
    made = predict(shop, Action(PREDICT, kind, "test", keyed), "key", Done(), Quiet())  # type: ignore[arg-type]
    predictions = made.outputs["predictions.jsonl"]
    inputs = {"examples": json_lines(EXAMPLES), "predictions": predictions}
    asked_for = {
        "scorers": [["tool_calls", 1], ["results", 1], ["chrf", 1]],
        "rules": {},
        "slang": [],
        "language": "en",
    }
    scored = score(asked_for | {"turns": 3}, inputs, {})
    return provider, list(parse_lines(predictions)), list(parse_lines(scored.outputs["scores.jsonl"]))


def column(scores: list[dict[str, Any]], metric: str) -> dict[str, float | None]:
    return {each["id"]: each["scores"][metric] for each in scores}


def test_a_tuned_model_that_calls_gets_results_and_its_answer_is_scored_against_that_of_base(tmp_path: Path) -> None:
    _, predictions, tuned = answered(tmp_path, "tuned")
    assert {each["id"]: each["content"] for each in predictions} == {
        "sum": "That is 87.",
        "word": "That is Solo efectivo.",
        "trace": "That is Gute Nacht and 3.333333.",
    }
    _, _, base = answered(tmp_path, "base")
    assert (
        column(tuned, "results.stated")
        == column(tuned, "results.obtained")
        == dict.fromkeys(("sum", "word", "trace"), 1)
    )
    assert (
        column(base, "results.stated") == column(base, "results.obtained") == dict.fromkeys(("sum", "word", "trace"), 0)
    )
    assert set(column(tuned, "tool_calls.exact_set").values()) == {1}
    assert set(column(base, "tool_calls.exact_set").values()) == {0}
    # Where the data ends in calls there is no answer to compare with.
    chrf = column(tuned, "chrf")
    assert (chrf["sum"], chrf["word"]) == (None, None)
    said, wanted = "That is Gute Nacht and 3.333333.", EXAMPLES[-1]["messages"][-1]["content"]
    assert chrf["trace"] == pytest.approx(sentence_chrf(said, [wanted]).score / 100)


def test_every_turn_carries_the_tools_of_the_training_lines(tmp_path: Path) -> None:
    provider, predictions, _ = answered(tmp_path, "tuned")
    assert len(provider.asked) == 6
    assert all(parameters["tools"] == TOOLS for _, _, parameters in provider.asked)
    [trace] = [each for each in predictions if each["id"] == "trace"]
    assert [each["role"] for each in trace["way"]] == ["assistant", "tool", "tool"]
    assert (trace["latency_seconds"], trace["prompt_tokens"], trace["completion_tokens"]) == (1.0, 30, 11)


def test_samples_are_asked_with_seeds_of_their_own_and_their_mean_is_the_score(tmp_path: Path) -> None:
    provider, predictions, scores = answered(tmp_path, "tuned", samples=2)
    assert [(each["id"], each.get("sample", 0)) for each in predictions] == [
        (name, number) for name in ("sum", "word", "trace") for number in (0, 1)
    ]
    assert sorted(parameters["seed"] for _, _, parameters in provider.asked) == [0] * 6 + [1] * 6
    assert column(scores, "results.stated") == dict.fromkeys(("sum", "word", "trace"), 1)


def too_long(root: Path, arm: dict[str, Any], documents: str | None) -> str:
    """Return what is said where the requests of an arm are longer than its model reads."""

    class Short(Provider):
        async def complete(self, *_asked: Any) -> Completion:
            raise ProviderError("acme: This model's maximum context length is 10 tokens.", status=400, code=TOO_LONG)

    tree = FULL | {"evaluation": FULL["evaluation"] | {"arms": FULL["evaluation"]["arms"] | {"few": arm}}}
    said = settings(tree)
    said = said.model_copy(update={"retrieval": said.retrieval.model_copy(update={"documents": documents})})
    shop = Workshop(said, World.at(root), Store(root), Short, "x", (), lambda _: None)
    keyed = {"kind": "base"} | ({"examples": arm["examples"]} if "examples" in arm else {})
    with pytest.raises(ProviderError) as caught:
        predict(shop, Action(PREDICT, "few", "train", keyed), "key", Done(), Quiet())  # type: ignore[arg-type]
    return str(caught.value)


def test_an_arm_whose_requests_are_too_long_is_named_with_what_makes_them_so(tmp_path: Path) -> None:
    head = "evaluation.arms.few: acme: This model's maximum context length is 10 tokens.\n"
    assert too_long(tmp_path, {"kind": "base", "examples": 2}, "handbook") == (
        f"{head}    2 examples stand before each question, and passages go with each of them.\n"
        "    Fix: evaluation.arms.few.examples=1 or fewer, or evaluation.arms.few.retrieval=false."
    )
    assert too_long(tmp_path, {"kind": "base", "examples": 2, "retrieval": False}, "handbook") == (
        f"{head}    2 examples stand before each question.\n    Fix: evaluation.arms.few.examples=1 or fewer."
    )
    assert too_long(tmp_path, {"kind": "base"}, None) == (
        f"{head}    Fix: a smaller request.max_completion_tokens, or shorter examples."
    )
