"""The judge as an action: every sample of an answer is judged, and the mean of their values is the score."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from settings_fixture import FULL, settings

from ftbuild.chat import Message, ToolCall
from ftbuild.completion import Completion, Dialogue
from ftbuild.plan.action import JUDGE, Action
from ftbuild.runners.formats import json_lines, parse_lines
from ftbuild.runners.judge import judge
from ftbuild.runners.measure import score
from ftbuild.runners.workshop import Workshop
from ftbuild.store.store import Store
from ftbuild.world import World

MESSAGES = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "Good day."}]
EXAMPLES = [{"id": name, "raw": "hi", "group": name, "slices": {}, "messages": MESSAGES} for name in ("1", "2")]
# Of the first example one sample pleases and one does not, of the second both do, in the same words.
PREDICTIONS = [
    {"id": "1", "content": "hey"},
    {"id": "1", "sample": 1, "content": "Hello, my dear Sir."},
    {"id": "2", "content": "Hello, my dear Sir."},
    {"id": "2", "sample": 1, "content": "Hello, my dear Sir."},
]


class LikesLong:
    """A judge that prefers the longer answer, wherever it stands."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def complete(self, _model: str, messages: Sequence[Message], _sent: Mapping[str, Any]) -> Completion:
        text = str(messages[0].content)
        self.asked.append(text)
        a, b = (text.split(f"Answer {each}:\n")[1].partition("\n\n")[0] for each in "AB")
        return Completion("A" if len(a) > len(b) else "B", "stop", 0.5, 10, 1)

    async def close(self) -> None:
        pass


class Quiet:
    def sleep(self, _seconds: float) -> None:
        pass

    def progress(self, _text: str) -> None:
        pass


class Done:
    def __init__(self, predictions: Sequence[Mapping[str, Any]]) -> None:
        self.inputs = {"examples": json_lines(EXAMPLES), "predictions": json_lines(predictions)}

    def read(self, _action: Action, role: str) -> bytes:
        return self.inputs[role]


def judged(root: Path, predictions: Sequence[Mapping[str, Any]], turns: int = 1) -> tuple[LikesLong, bytes]:
    provider, said = LikesLong(), settings(FULL)
    said = said.model_copy(update={"evaluation": said.evaluation.model_copy(update={"turns": turns})})
    shop = Workshop(said, World.at(root), Store(root), lambda: provider, "x", (), lambda _: None)
    action = Action(JUDGE, "tuned judged", "test", {"rubric": "Be long.", "seed": 7})
    made = judge(shop, action, "key", Done(predictions), Quiet())  # type: ignore[arg-type]
    return provider, made.outputs["judgements.jsonl"]


def test_every_sample_is_judged_once_in_either_order_and_equal_ones_are_asked_about_once(tmp_path: Path) -> None:
    provider, lines = judged(tmp_path, PREDICTIONS)
    assert [(each["id"], each.get("sample", 0), each["replies"]) for each in parse_lines(lines)] == [
        ("1", 0, ["B", "A"]),
        ("1", 1, ["A", "B"]),
        ("2", 0, ["A", "B"]),
        ("2", 1, ["A", "B"]),
    ]
    assert len(provider.asked) == len(set(provider.asked)) == 4


def test_the_score_of_an_answer_is_the_mean_of_what_its_samples_are_judged(tmp_path: Path) -> None:
    _, lines = judged(tmp_path, PREDICTIONS)
    inputs = {"examples": json_lines(EXAMPLES), "predictions": json_lines(PREDICTIONS), "judgements": lines}
    asked = {"scorers": [["judge", 1]], "rules": {}, "slang": [], "language": "en"}
    scored = parse_lines(score(asked, inputs, {}).outputs["scores.jsonl"])
    assert {each["id"]: each["scores"]["judge"] for each in scored} == {"1": 0.5, "2": 1.0}


def test_of_a_dialogue_the_judge_sees_the_answer_at_its_end_alone(tmp_path: Path) -> None:
    way = [Message("assistant", None, (ToolCall("1", "now", "{}"),)), Message("tool", "noon", tool_call_id="1")]
    played = Dialogue(Completion("It is noon, Sir."), way=tuple(way))
    unanswered = Dialogue(Completion("", tool_calls=(ToolCall("1", "now", "{}"),)))
    both = zip(("1", "2"), (played, unanswered), strict=True)
    provider, _ = judged(tmp_path, [{"id": name, **each.to_json()} for name, each in both], turns=4)
    texts = {text.split(f"Answer {each}:\n")[1].partition("\n\n")[0] for text in provider.asked for each in "AB"}
    assert texts == {"It is noon, Sir.", "Good day.", ""}


def test_where_each_answer_has_one_sample_no_line_tells_of_samples(tmp_path: Path) -> None:
    _, lines = judged(tmp_path, [each for each in PREDICTIONS if "sample" not in each])
    assert lines == b'{"id":"1","replies":["B","A"]}\n{"id":"2","replies":["A","B"]}\n'
