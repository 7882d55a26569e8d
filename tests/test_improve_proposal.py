"""Proposals: what is proposed against misses, the folder that a person edits, and what accepted entries become."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from config_fixture import Own

from ftbuild.chat import Tool
from ftbuild.compose import compose
from ftbuild.errors import DataError
from ftbuild.improve import entries, proposal
from ftbuild.improve.accepting import accepted, next_name
from ftbuild.improve.entries import Entry
from ftbuild.improve.groups import WRONG_TOOL, Group, Miss, Part
from ftbuild.improve.neighbours import Learnt, Near
from ftbuild.improve.proposal import Proposal
from ftbuild.improve.suspects import Suspect
from ftbuild.improve.teacher import drafts, prompt
from ftbuild.problem import Problem
from ftbuild.settings import Source
from ftbuild.sources import generator
from ftbuild.sources import read as read_source

ROOT = Path(__file__).parents[1]
REQUESTS = ROOT / "datasets" / "sources" / "assistant" / "requests.yaml"
PARALLEL = "+experiment=parallel_tools"


def group(n: int = 12, kind: str = WRONG_TOOL, calls: str = "two") -> Group:
    near = [Near(Learnt("1", "data.jsonl:3", "lights on", 'turn_device({"device": "x"})', ("turn_device",)), 0.4)]
    example = {"id": "1", "slices": {"source": "requests", "calls": calls}}
    missed = [Miss(example, (kind,), "absent", near)] * n
    parts = [Part("calls=two", n, 40, 0.001), Part("source=requests", n, 100, 0.4)]
    return Group(kind, "tuned", missed, 100, parts, {"turn_device": n, "play_music": 2}, {}, (7, 50))


def settings() -> Any:
    return compose(ROOT, [PARALLEL]).settings


def of_generators(found: Sequence[Group]) -> list[Entry]:
    contents = {"requests": REQUESTS.read_bytes()}
    return list(entries.of_generators(found, settings(), contents, {"calls=two": 20}, 2000))


def test_wrong_calls_ask_for_more_requests_of_the_kind_that_fails() -> None:
    [entry] = of_generators([group()])
    assert (entry.name, entry.kind, entry.aims) == ("call_wrong", "generator", ["calls=two"])
    assert entry.why == (
        "calls another tool than the one wanted: 12 of 100 validation examples; most in calls=two 12 of 40; "
        "of turn_device 12, play_music 2; 12 with nothing like it in the training data"
    )
    source = {"n": 240, "calls": {"one": 0, "two": 12, "three": 0}, "seed": 1007}
    assert entry.said == {"file": "call_wrong.yaml", "like": "requests", "source": source}


def test_nothing_of_a_test_is_in_what_a_generator_is_proposed_from() -> None:
    [entry] = of_generators([group()])
    own = {"kind": "generator", "path": "a.yaml", "licence": "x", "origin": "y", **entry.said["source"]}
    made, problems = read_source(entry.files["call_wrong.yaml"].encode(), "more", Source.model_validate(own))
    assert problems == []
    assert {each.only for each in made} == {"train", "validation"}
    parent = settings().sources["requests"]
    tested = [each for each in generator.read(REQUESTS.read_bytes(), "requests", parent) if each.only == "test"]  # type: ignore[union-attr]
    values = {value for each in tested for call in each.target.tool_calls for value in _values(call.arguments)}  # type: ignore[union-attr]
    learnt = {value for each in made for call in each.target.tool_calls for value in _values(call.arguments)}
    closed = {"on", "off"}  # a pool of few values is shared by all splits
    assert learnt & values <= closed
    assert {call.name for each in made for call in each.target.tool_calls} == {"turn_device", "play_music"}


def _values(arguments: str) -> list[Any]:
    return list(json.loads(arguments).values())


@pytest.mark.parametrize("found", [group(1), group(calls="none"), group(kind="style.emoji")])
def test_a_single_miss_and_one_that_needs_no_call_ask_for_no_requests(found: Group) -> None:
    assert of_generators([found]) == []


def test_a_loss_that_still_fell_asks_for_an_epoch_more() -> None:
    steps = [{"valid_loss": each} for each in (0.9, 0.8, 0.6, 0.5)]
    training = {"hyperparameters": {"n_epochs": 2}, "steps": steps}
    [entry] = entries.of_settings([], settings(), training, {})
    assert entry.to_json() == {
        "name": "more_epochs",
        "kind": "setting",
        "why": "the validation loss was still falling: 0.800 an epoch before the end, 0.500 at the end",
        "key": "method.hyperparameters.n_epochs",
        "value": 3,
    }
    flat = {"hyperparameters": {"n_epochs": 2}, "steps": [{"valid_loss": each} for each in (0.9, 0.5, 0.5, 0.5)]}
    assert list(entries.of_settings([], settings(), flat, {})) == []


def whole() -> Proposal:
    suspects = [Suspect(1, "0123456789abcdef", "data/a.jsonl:7", ["its answer loses a fact"], 2.0)]
    made = [*of_generators([group()]), *entries.of_suspects(suspects)]
    made.append(Entry("more_epochs", "setting", "why", (), {"key": "method.hyperparameters.n_epochs", "value": 2}))
    return Proposal("parallel_tools", "20261126-1-parallel_tools", [PARALLEL], made)


def test_a_proposal_is_read_as_it_was_written() -> None:
    files = whole().files("datasets/proposals/x")
    assert set(files) == {"proposal.yaml", "call_wrong.yaml"}
    assert proposal.read(files, "datasets/proposals/x").files("datasets/proposals/x") == files
    assert files["proposal.yaml"].splitlines()[:4] == [
        "# What run 20261126-1-parallel_tools asks for, to be read and edited. Nothing of it is done until it is "
        "accepted, all or by name:",
        "#   ftbuild accept datasets/proposals/x",
        "# Delete what is not wanted. `aims` are the slices that should move; the next report says whether they did.",
        "",
    ]


@pytest.mark.parametrize(
    ("old", "new", "line", "what", "fix"),
    [
        ("kind: setting", "kind: settings", 31, "entries[2].kind: 'settings' is no kind of entry", "write setting."),
        (
            "why: why\n",
            "because: why\n",
            32,
            "no key entries[2].because",
            "there are name, kind, key, value, why, aims.",
        ),
        ("call_wrong.yaml", "gone.yaml", 14, "entries[0].file: there is no 'gone.yaml' beside it", ""),
        ("run: 2026", "ran: 2026", 5, "run: is missing", ""),
        ("name: suspects", "name: call_wrong", 8, "two entries are called 'call_wrong'", ""),
        (
            "name: suspects",
            "name: ../suspects",
            23,
            "entries[1].name: '../suspects' becomes the name of files: a-z, 0-9 and _",
            "write another.",
        ),
        (
            "  - id: 0123456789abcdef\n    line",
            "  - line",
            26,
            "entries[1].drop[0]: {'line': 'data/a.jsonl:7', 'why': 'its answer loses a fact'} has no id and line, "
            "which are texts",
            "take it out, or put back what it had.",
        ),
    ],
)
def test_what_was_edited_wrongly_is_told_with_its_line(old: str, new: str, line: int, what: str, fix: str) -> None:
    files = whole().files("p")
    files["proposal.yaml"] = files["proposal.yaml"].replace(old, new)
    with pytest.raises(DataError) as found:
        proposal.read(files, "p")
    assert Problem(what, "p/proposal.yaml", line, fix=fix) in found.value.problems


def test_accepted_entries_become_sources_and_an_experiment_that_inherits(tmp_path: Path) -> None:
    told = whole()
    tree = compose(ROOT, [PARALLEL]).tree
    made = accepted(told, told.entries, "parallel_tools_2", tree, {})
    assert set(made.files) == {
        "datasets/sources/parallel_tools_2/call_wrong.yaml",
        "conf/source/parallel_tools_2_call_wrong.yaml",
    }
    own = Own(tmp_path)
    for path, text in made.files.items():
        own.write(path, text)
    own.write("conf/experiment/parallel_tools_2.yaml", made.experiment("Next.   ftbuild", ["From a proposal."]))
    composed = compose(tmp_path, ["+experiment=parallel_tools_2"])
    settings = composed.settings
    assert settings.dataset.sources["parallel_tools_2_call_wrong"].n == 240
    assert settings.dataset.without == {"0123456789abcdef": "data/a.jsonl:7"}
    assert settings.method.hyperparameters.n_epochs == 2
    assert settings.round is not None
    assert (settings.round.after, settings.round.aims) == ("parallel_tools", ["calls=two"])
    assert settings.dataset.sources["requests"] == compose(ROOT, [PARALLEL]).settings.dataset.sources["requests"]


def test_a_chosen_entry_alone_is_accepted() -> None:
    told = whole()
    made = accepted(told, told.entries[2:], "mine", compose(ROOT, [PARALLEL]).tree, {})
    assert made.files == {}
    assert made.overrides[-4:] == [
        "method.hyperparameters.n_epochs=2",
        "round.after=parallel_tools",
        "round.run=20261126-1-parallel_tools",
        "round.aims=[]",
    ]


def test_rounds_are_numbered() -> None:
    assert [next_name(each) for each in ("tone", "tone_2", "tone_9", "tone_ja")] == [
        "tone_2",
        "tone_3",
        "tone_10",
        "tone_ja_2",
    ]


TOOL = Tool(
    "turn_device",
    parameters={
        "type": "object",
        "properties": {"device": {"type": "string"}},
        "required": ["device"],
        "additionalProperties": False,
    },
)


def test_a_teacher_is_told_what_is_missing_and_shown_what_was_learnt() -> None:
    asked = prompt(group(), 20, [TOOL], "", "base")
    assert (
        "The assistant calls another tool than the one wanted. It does so most where calls is two. Write 20 new"
        in asked
    )
    assert '{"user": "lights on", "calls": [{"name": "turn_device", "arguments": {"device": "x"}}]}' in asked
    texts = prompt(replace(group(), tools={}), 5, [], "Be formal.", "base")
    assert "an assistant with these instructions:\nBe formal.\n" in texts


def test_only_what_has_the_form_asked_for_becomes_a_draft() -> None:
    reply = (
        "```json\n"
        '{"user": "lights on", "calls": [{"name": "turn_device", "arguments": {"device": "lamp"}}]}\n'
        '{"user": "lights", "calls": [{"name": "turn_device", "arguments": {"lamp": 1}}]},\n'
        '{"user": "sing", "calls": [{"name": "sing", "arguments": {}}]}\n'
        '{"user": "", "assistant": "Hello"}\n'
        "Here you are.\n"
        '{"user": "thanks", "assistant": "You are welcome."}\n'
        "```"
    )
    found = drafts([reply], "gpt", WRONG_TOOL, [TOOL])
    assert found.n_unread == 4
    assert [each["messages"][0]["content"] for each in found.lines] == ["lights on", "thanks"]
    assert found.lines[0]["drafted"] == {"by": "gpt", "against": WRONG_TOOL}
    assert found.lines[0]["messages"][1]["tool_calls"][0]["function"] == {
        "name": "turn_device",
        "arguments": '{"device": "lamp"}',
    }


def test_yaml_of_a_proposal_keeps_texts_that_look_like_something_else() -> None:
    tree = {"values": {"state": ["on", "off", "no", "12:30", "1e3", "007"], "amount": [7, 2.5]}}
    assert yaml.safe_load(entries.dumped(tree)) == tree
