"""Nothing that tests is learnt from: copies, changed words, other words for the same values, and conversations."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from config_fixture import Own
from hypothesis import given
from hypothesis import strategies as st

from ftbuild.compose import compose
from ftbuild.dataset.wall import Twin, Wall, alike, exchanges
from ftbuild.plan.action import DATASET, INGEST, RENDER
from ftbuild.resolving import graph_of
from ftbuild.retrieval.grounding import with_context
from ftbuild.settings import Source
from ftbuild.store.store import Store

Json = Mapping[str, Any]


def user(text: str) -> Json:
    return {"role": "user", "content": text}


def answer(text: str) -> Json:
    return {"role": "assistant", "content": text}


def calls(*made: tuple[str, Json]) -> Json:
    called = [
        {"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for n, (name, arguments) in enumerate(made)
    ]
    return {"role": "assistant", "tool_calls": called}


def example(*messages: Json, line: int = 1, split: str = "test", **more: Any) -> Json:
    return {"messages": [*messages], "path": "tests.jsonl", "line": line, "split": split, **more}


SYSTEM = {"role": "system", "content": "Be formal."}
BEFORE = (user("hey, u open on sunday?"), answer("Good day. Are you open on Sunday?"))
TONE = example(
    user("rental place gave us a tiny fiat for 4 ppl and 6 suitcases lol"),
    answer("The rental company gave us a tiny Fiat for 4 people and 6 suitcases."),
    line=10,
)
TOOLS = example(
    user("write fritz I'll be there at 5, and put something by Rameau on"),
    calls(("send_message", {"to": "Fritz", "text": "I'll be there at 5"}), ("play_music", {"query": "Rameau"})),
    line=32,
)
JAPANESE = example(
    user("海側の部屋が空いたから、502に変えといた！"),
    answer("海側のお部屋が空きましたので、502に変更しておきました。"),
    line=4,
)
WALL = Wall(
    [
        example(user("where do i park"), answer("Where may I park?")),
        TONE,
        TOOLS,
        JAPANESE,
    ]
)


def of(test: Json, asked: str, answered: str | None = None) -> Json:
    """Return a test example with another text for its request, and for its answer where one is given."""
    said = answer(answered) if answered is not None else test["messages"][-1]
    return example(user(asked), said, split="train")


@pytest.mark.parametrize(
    ("made", "of_line", "how"),
    [
        (TONE, 10, "exact"),
        (of(TONE, "Rental place gave us a tiny FIAT, for 4 ppl and 6 suitcases... LOL"), 10, "normalised"),
        (of(TONE, "rental firm gave us a tiny fiat for 4 ppl and 6 suitcases lol"), 10, "near"),
        (
            of(
                TONE,
                "6 suitcases, 4 of us, and they hand us a mini fiat haha",
                "We are 4 people with 6 suitcases, and the rental company gave us a very small Fiat.",
            ),
            10,
            "same values",
        ),
        (example(*BEFORE, *TONE["messages"], user("thx"), answer("Thank you.")), 10, "within a conversation"),
        (TOOLS, 32, "exact"),
        (of(TOOLS, "Write Fritz I'll be there at 5 and put something by RAMEAU on."), 32, "normalised"),
        (of(TOOLS, "text fritz I'll be there at 5, and put something by Rameau on"), 32, "near"),
        (of(TOOLS, "some Rameau, and let Fritz know when I come, it's 5"), 32, "same values"),
        (example(*TOOLS["messages"], user("and louder"), answer("I cannot.")), 32, "within a conversation"),
        (JAPANESE, 4, "exact"),
        (of(JAPANESE, "海側の部屋が空いたから､５０２に変えといた"), 4, "normalised"),
        (of(JAPANESE, "海側の部屋が空いたから、502に移しといた！"), 4, "near"),
        (
            of(
                JAPANESE, "502に変えたよ、海側の部屋が出たんで。", "海側のお部屋が出ましたので、502に変更いたしました。"
            ),
            4,
            "same values",
        ),
        (example(user("予約の件だけど"), answer("承ります。"), *JAPANESE["messages"]), 4, "within a conversation"),
    ],
)
def test_five_ways_to_learn_a_test_example_are_seen_with_its_place(made: Json, of_line: int, how: str) -> None:
    assert WALL.twin(made) == ("tests.jsonl", of_line, "test", how)


@pytest.mark.parametrize(
    "clean",
    [
        of(TONE, "rental place gave us a great van, thx", "The rental company gave us an excellent van. Thank you."),
        example(
            user("write nils I'll be there at 9, and put something by Couperin on"),
            calls(
                ("send_message", {"to": "Nils", "text": "I'll be there at 9"}), ("play_music", {"query": "Couperin"})
            ),
        ),
        of(JAPANESE, "山側の廊下、明日から工事だよ。", "山側の廊下は、明日より工事となります。"),
        example(*BEFORE[1:]),
        example(answer("Good day.")),
        example(user("thx"), answer("Thank you."), user("bye"), answer("Goodbye.")),
    ],
)
def test_what_is_another_example_is_let_through(clean: Json) -> None:
    assert WALL.twin(clean) is None


def weather(asked: str, city: str, unit: str, tools: Sequence[Json] = ()) -> Json:
    return example(user(asked), calls(("get_weather", {"city": city, "unit": unit})), tools=[*tools])


def test_a_phrasing_with_other_values_is_no_twin_and_with_the_same_values_in_another_order_it_is() -> None:
    wall = Wall([weather("What is the weather in Oslo, in celsius?", "Oslo", "celsius")])
    assert wall.twin(weather("What is the weather in Rome, in celsius?", "Rome", "celsius")) is None
    assert wall.twin(weather("celsius please: how warm is it in oslo", "oslo", "Celsius")) is not None


def test_calls_that_differ_in_a_sign_differ() -> None:
    one, other = (
        example(user(f"sum of {n}"), calls(("calculate", {"expression": e}))) for n, e in ((1, "18+45"), (2, "18*45"))
    )
    assert Wall([one]).twin(other) is None


def test_an_argument_of_few_values_tells_no_call_from_others() -> None:
    parameters = {
        "type": "object",
        "properties": {"unit": {"enum": ["celsius", "kelvin"]}, "loud": {"type": "boolean"}},
    }
    tools = [{"type": "function", "function": {"name": "set_unit", "parameters": parameters}}]
    made = [
        example(user(text), calls(("set_unit", {"unit": "kelvin", "loud": True})), tools=tools)
        for text in (
            "from now on I want kelvin",
            "switch over to the scale of physicists",
            "from now on I want kelvins",
        )
    ]
    assert Wall(made[:1]).twin(made[1]) is None
    assert Wall(made[:1]).twin(made[2]) == ("tests.jsonl", 1, "test", "near")


def test_json_of_the_same_values_is_a_twin_and_a_label_alone_is_none() -> None:
    def list_of(asked: str, *items: str) -> Json:
        return of(TONE, asked, json.dumps({"items": [{"name": each} for each in items]}))

    wall = Wall(
        [list_of("we're out of milk, and some basil if they have it", "milk", "basil"), list_of("spam!", "spam")]
    )
    assert wall.twin(list_of("JSON please: basil, one bunch, oh and milk", "milk", "basil")) is not None
    assert wall.twin(list_of("we're out of tea, and some sugar if they have it", "tea", "sugar")) is None
    assert wall.twin(list_of("this is spam as well, I think", "spam")) is None


def test_passages_before_a_question_say_nothing_of_it() -> None:
    context = '<passage name="A">\nThe offices open at 8 on all days but Sunday, when they are closed.\n</passage>'
    asked = [
        example(user(with_context(context, text)), answer(said), context=context)
        for text, said in (("When do they open?", "At 8."), ("Is there a canteen for guests?", "It does not say."))
    ]
    assert Wall(asked[:1]).twin(asked[1]) is None
    assert Wall(asked[:1]).twin(of(TONE, "When do they open?", "At 8.")) == ("tests.jsonl", 1, "test", "exact")


def test_a_system_message_makes_no_other_example() -> None:
    assert WALL.twin({**TONE, "messages": [SYSTEM, *TONE["messages"]]}) == Twin("tests.jsonl", 10, "test", "exact")


WORDS = st.sampled_from(["order", "58213", "late", "refund", "Anna", "please", "Thanks!", "部屋", "レジ", "?", "9", ""])
TEXTS = st.lists(WORDS, max_size=7).map(" ".join)
CALLS = st.builds(
    lambda name, value: calls((name, {"a": value})), st.sampled_from("fg"), st.sampled_from(["Oslo", 5, "5"])
)
ANSWERS = st.one_of(TEXTS.map(answer), CALLS, st.sampled_from(['{"a": "Anna", "b": "late"}', "[]"]).map(answer))
EXAMPLES = st.lists(st.tuples(TEXTS.map(user), ANSWERS), min_size=1, max_size=3).map(
    lambda turns: example(*(message for turn in turns for message in turn))
)


@given(EXAMPLES, EXAMPLES)
def test_of_two_exchanges_each_is_as_like_the_other(one: Json, other: Json) -> None:
    for mine in exchanges(one):
        for yours in exchanges(other):
            assert alike(mine, yours) == alike(yours, mine)


@given(EXAMPLES)
def test_an_example_that_asks_something_is_its_own_twin(one: Json) -> None:
    found = Wall([one]).twin(one)
    is_asked = any(each["content"] for each in one["messages"] if each["role"] == "user")
    assert found == (("tests.jsonl", 1, "test", "exact") if is_asked else None)


@given(EXAMPLES, st.lists(EXAMPLES, max_size=4), st.lists(EXAMPLES, max_size=4))
def test_more_that_is_guarded_takes_no_twin_away(one: Json, guarded: list[Json], more: list[Json]) -> None:
    if Wall(guarded).twin(one) is not None:
        assert Wall([*more, *guarded]).twin(one) is not None


@given(EXAMPLES, st.lists(EXAMPLES, max_size=5))
def test_the_index_finds_what_comparing_with_each_finds(one: Json, guarded: list[Json]) -> None:
    found = [Wall([each]).twin(one) is not None for each in guarded]
    assert (Wall(guarded).twin(one) is not None) == any(found)


# -- in a build ----------------------------------------------------------------------------------

DRAFTS = [
    {"casual": "u still there??", "formal": "Are you still there?"},
    {"casual": "Rental place gave us a tiny fiat, for 4 ppl and 6 suitcases LOL", "formal": "The car is small."},
    {"casual": "yo whats the wifi pw", "formal": "Could you tell me the Wi-Fi password?"},
    {"casual": "rental firm gave us a tiny fiat for 4 ppl and 6 suitcases lol",
     "formal": "The rental company gave us a tiny Fiat for 4 people and 6 suitcases."},
]  # fmt: skip
SAID = """\
drafts.jsonl:2: asks what a test example asks, but for case, spaces and punctuation: papers.jsonl:1
    The score would flatter the model.
    Fix: take it out, or write another with words and values of its own.    test-example-in-training
drafts.jsonl:4: is a test example with some words changed: papers.jsonl:1
    The score would flatter the model.
    Fix: take it out, or write another with words and values of its own.    test-example-in-training
"""


@pytest.fixture
def own(tmp_path: Path) -> Own:
    project = Own(tmp_path)
    tests = [dict(zip(("casual", "formal"), (each["content"] for each in TONE["messages"]), strict=True))]
    others = [
        {"casual": f"msg {n}: {word}", "formal": f"Message {n}: {word}."} for n, word in enumerate("abcdefghijklm")
    ]
    for name, lines in (("papers", tests), ("drafts", DRAFTS), ("others", others)):
        rows = ({**each, "situation": f"{name} {n % 5}"} for n, each in enumerate(lines))
        project.write(f"{name}.jsonl", "".join(json.dumps(each) + "\n" for each in rows))
    project.experiment(
        "mine",
        """
        # Round 2.   ftbuild +experiment=mine
        defaults:
          - tone_formal
          - /source@dataset.sources.drafts: tone_pairs
        dataset:
          split: {validation: 0.4, test: 0, seed: 2}
          sources:
            pairs: {path: others.jsonl}
            unseen: {path: papers.jsonl}
            drafts: {path: drafts.jsonl, only: train, walled: true}
        """,
    )
    return project


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_build_stops_at_a_walled_example_that_tests(own: Own, jobs: str) -> None:
    ended = own.run("dataset", "+experiment=mine", "-j", jobs)
    assert ended.code == 1
    assert SAID in ended.out + ended.err


def test_without_a_wall_or_without_the_lines_it_builds(own: Own) -> None:
    assert own.run("dataset", "+experiment=mine", "dataset.sources.drafts.walled=null").code == 0
    own.write("drafts.jsonl", "".join(json.dumps({**each, "situation": "a"}) + "\n" for each in DRAFTS[::2]))
    assert own.run("dataset", "+experiment=mine").code == 0


def test_a_wall_changes_no_key_but_that_of_a_dataset_with_one(own: Own) -> None:
    def keyed(*overrides: str) -> dict[str, str]:
        composed = compose(own.folder, ["+experiment=mine", *overrides])
        return {each.label: each.settings_text for each in graph_of(composed, Store(own.folder / "store"), judged=False)
                if each.kind in (INGEST, DATASET)}  # fmt: skip

    walled, unsaid = keyed(), keyed("dataset.sources.drafts.walled=null")
    assert keyed("dataset.sources.drafts.walled=false") == unsaid
    assert {name for name in walled if walled[name] != unsaid[name]} == {"dataset"}
    assert "walled" not in "".join(unsaid.values())


def test_in_meaning_it_stands_between_the_dataset_and_its_lines_where_vectors_are_given(own: Own) -> None:
    def labels(*overrides: str) -> list[str]:
        composed = compose(own.folder, ["+experiment=mine", *overrides])
        graph = graph_of(composed, Store(own.folder / "store"), judged=False)
        lines = next(each for each in graph if each.kind is RENDER)
        return [graph.actions[name].label for name in lines.after]

    meaning = "dataset.sources.drafts.walled=meaning"
    assert labels() == labels(meaning, "model=tiny") == []
    assert labels(meaning) == labels(meaning, "model=tiny", "retrieval.model=tiny-random") == ["wall"]


def test_a_source_that_only_tests_has_no_wall(own: Own) -> None:
    said = own.refused("plan", "+experiment=mine", "dataset.sources.drafts.only=test")
    assert said == (
        "conf/experiment/mine.yaml:11: dataset.sources.drafts: walled is for what is learnt from, and only: test "
        "keeps it out\n"
    )


def test_documents_have_no_wall() -> None:
    with pytest.raises(ValueError, match="a source of the kind documents takes no walled"):
        Source.model_validate(
            {"kind": "documents", "path": "a.md", "licence": "CC0-1.0", "origin": "a", "walled": True}
        )
