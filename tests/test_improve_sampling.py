"""Which traces are chosen: what models disagree on first, or what a model is unsure of; none that the data has."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbuild.chat import Message, ToolCall
from ftbuild.completion import Completion, Likelihood
from ftbuild.dataset.build import Recipe
from ftbuild.dataset.wall import Wall
from ftbuild.improve import sampling, traces
from ftbuild.improve.sampling import Candidate
from ftbuild.improve.traces import Known
from ftbuild.providers import wire
from ftbuild.retrieval.grounding import with_context
from ftbuild.settings import Shares, Source, Style, StyleRules
from ftbuild.settings.evaluation import ScorerOptions
from ftbuild.sources import read

RECIPE = Recipe(Style(language="en", system="", rules=StyleRules()), Shares(validation=0.1, test=0.1, seed=1))
LOG = Source(kind="chat_jsonl", path="log.jsonl", licence="internal", origin="")
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}, "n": {"type": "integer"}}}


def calling(**arguments: Any) -> Message:
    return Message("assistant", None, (ToolCall("c", "look", json.dumps(arguments)),))


def saying(text: str) -> Message:
    return Message("assistant", text)


def apart(one: Message, other: Message, **more: Any) -> tuple[float, str] | None:
    found = sampling.by_disagreement([Candidate("x", {"tuned": one, "base": other}, **more)], ScorerOptions())
    return (round(found[0].value, 3), found[0].why) if found else None


def test_calls_disagree_by_their_set_whatever_order_ids_and_spelling_they_have() -> None:
    two = Message("assistant", None, (ToolCall("1", "a", '{"x": 1, "y": 2}'), ToolCall("2", "b", "{}")))
    same = Message("assistant", None, (ToolCall("8", "b", " {}"), ToolCall("9", "a", '{"y": 2, "x": 1}')))
    assert apart(two, same) is None
    assert apart(calling(x=1), calling(x=2)) == (1.0, "tuned and base make other calls")
    assert apart(calling(x=1), saying("No.")) == (1.0, "tuned calls tools and base none")
    assert apart(saying("No."), calling(x=1)) == (1.0, "base calls tools and tuned none")


def test_structured_answers_disagree_by_the_share_of_fields() -> None:
    one, other = saying('{"name": "milk", "n": 2}'), saying('{"n": 3, "name": "milk"}')
    assert apart(one, other, schema=SCHEMA) == (0.5, "tuned and base differ in 50% of the fields")
    assert apart(one, saying('{ "n": 2, "name": "milk" }'), schema=SCHEMA) is None


def test_texts_disagree_by_characters_and_alike_in_either_direction() -> None:
    near, far = apart(saying("I shall be late."), saying("I will be late.")), apart(saying("Yes."), saying("Never!"))
    assert near is not None
    assert far is not None
    assert near[0] < far[0]
    assert apart(saying("I will be late."), saying("I shall be late.")) == near
    assert apart(saying("Yes."), saying("Yes.")) is None
    assert apart(saying(""), saying("Yes.")) == (1.0, "tuned and base are 1.00 apart in characters")


def test_those_that_disagree_most_come_first_and_equal_ones_as_they_were_drawn() -> None:
    pairs = {"a": ("Yes.", "Yes."), "b": ("Yes.", "Yes!"), "c": ("Yes.", "Never"), "d": ("Yes.", "Never")}
    listed = [Candidate(name, {"t": saying(one), "b": saying(two)}) for name, (one, two) in pairs.items()]
    assert [each.candidate.id for each in sampling.by_disagreement(listed, ScorerOptions())] == ["c", "d", "b"]


def test_those_that_a_model_is_least_sure_of_come_first_and_those_without_a_likelihood_not_at_all() -> None:
    told = {"a": Likelihood(-0.1, 0.9, 3), "b": Likelihood(-2.0, 0.05, 4), "c": None, "d": Likelihood(-0.5, None, 1)}
    found = sampling.by_uncertainty([Candidate(name, likelihood=each) for name, each in told.items()])
    assert [(each.candidate.id, each.why) for each in found] == [
        ("b", "unsure: -2.00 nats a token on average, least ahead of a rival by 0.05, 4 tokens"),
        ("d", "unsure: -0.50 nats a token on average, 1 token"),
        ("a", "unsure: -0.10 nats a token on average, least ahead of a rival by 0.90, 3 tokens"),
    ]


def token(*rivals: float, chosen: int = 0) -> dict[str, Any]:
    return {"token": "x", "logprob": rivals[chosen], "top_logprobs": [{"logprob": each} for each in rivals]}


def test_a_likelihood_is_the_mean_of_the_tokens_and_the_smallest_lead() -> None:
    tokens = [token(-0.1, -2.0), token(-1.2, -0.7), token(-0.3)]
    assert Likelihood.of(tokens) == Likelihood(round((-0.1 - 1.2 - 0.3) / 3, 6), 0.5, 3)
    assert Likelihood.of([{"token": "x", "logprob": -0.3}]) == Likelihood(-0.3, None, 1)
    assert Likelihood.of([]) is None


@given(st.lists(st.floats(-30, 0), min_size=1, max_size=20))
def test_a_likelihood_is_that_of_a_brute_force(said: list[float]) -> None:
    found = Likelihood.of([{"logprob": each} for each in said])
    assert found is not None
    assert math.isclose(found.mean, math.fsum(said) / len(said), abs_tol=1e-6)


@pytest.mark.parametrize(
    "told", [None, {}, {"content": None}, {"content": []}, {"content": [{"token": "x"}]}, {"token_logprobs": [-1]}, [1]]
)
def test_log_probabilities_in_another_form_are_none_and_cost_no_answer(told: Any) -> None:
    answer = {"choices": [{"message": {"content": "Yes."}, "logprobs": told}]}
    assert wire._completion(answer, "", 0.0) == Completion("Yes.", "stop")


def test_a_completion_keeps_its_likelihood() -> None:
    one = Completion("Yes.", "stop", likelihood=Likelihood(-0.1, 0.5, 2))
    assert Completion.from_json(json.loads(json.dumps(one.to_json()))) == one


def line(*texts: str, system: str = "") -> str:
    said = [{"role": "system", "content": system}] if system else []
    said += [{"role": role, "content": text} for role, text in zip(("user", "assistant") * 3, texts, strict=False)]
    return json.dumps({"messages": said})


def found(*lines: str) -> list[Any]:
    examples, problems = read("\n".join(lines).encode(), "log", LOG)
    assert problems == []
    return examples


def test_a_trace_that_the_data_asks_is_left_out_whatever_case_spaces_and_system_message_it_has() -> None:
    [known] = found(line("Will it rain, today?", "No.", system="Help."))
    data = Known({"test": [known.to_json()]}, RECIPE)
    listed = found(line("will it RAIN today", "Yes.", system="Other."), line("Will it rain?", "No."))
    pool = traces.pool(listed, (), data, 1, None)
    assert ([each.target.content for each in pool.traces], dict(pool.left_out)) == (
        ["No."],
        {"in the test split already": 1},
    )


def test_a_trace_that_is_too_near_a_test_example_is_not_chosen_and_another_is_drawn_in_its_place() -> None:
    tested = line(
        "Please move my appointment at the clinic to Friday at ten", "I have moved your appointment to Friday."
    )
    near = line(
        "Please move my appointment at the clinic to Friday at ten pls", "I have moved your appointment to Friday."
    )
    [known] = found(tested)
    data = Known({"test": [known.to_json()]}, RECIPE, Wall([{**known.to_json(), "split": "test"}]))
    listed = found(near, *(line(f"question {number}", "x") for number in range(6)))
    pool = traces.pool(listed, (), data, 1, 6)
    assert sorted(each.prompt[0].content or "" for each in pool.traces) == [f"question {number}" for number in range(6)]
    assert dict(pool.left_out) == {"too near one in the test split": 1}


def test_passages_in_the_prompts_of_a_dataset_are_not_what_is_asked() -> None:
    context = '<passage name="weather">\nIt rains.\n</passage>'
    [known] = found(line(with_context(context, "Will it rain?"), "Yes."))
    value = {**known.to_json(), "context": context}
    [trace] = found(line("Will it rain?", "Yes."))
    assert Known({"train": [value]}, RECIPE).split(trace) == "train"


def test_more_traces_change_no_draw_between_two() -> None:
    listed = found(*(line(f"question {number}", "x") for number in range(40)))
    nothing = Known({}, RECIPE)
    few = [each.id for each in traces.pool(listed[:20], (), nothing, 3, None).traces]
    many = [each.id for each in traces.pool(listed, (), nothing, 3, None).traces]
    assert [each for each in many if each in few] == few
    assert [each.id for each in traces.pool(listed, (), nothing, 3, 7).traces] == many[:7]
    assert dict(traces.pool(listed, (), nothing, 3, 7).left_out) == {"not drawn": 33}
    assert [each.id for each in traces.pool(listed, (), nothing, 4, None).traces] != many


def test_what_two_people_say_alike_but_for_their_addresses_is_one_question() -> None:
    listed = found(line("mail me at a@example.org", "x"), line("mail me at b@example.org", "y"))
    pool = traces.pool(listed, ("email",), Known({}, RECIPE), 1, None)
    assert [each.prompt[0].content for each in pool.traces] == ["mail me at [email]"]
    assert (dict(pool.left_out), dict(pool.redacted)) == ({traces.TWICE: 1}, {"email": 1})
