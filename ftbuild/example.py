"""One training or evaluation item, and where it came from.

An Example is provider-neutral: its messages end with the assistant message that is the
target. Its id depends on what it said at its source and on nothing else, so it survives reordering,
renaming of files, transforms and a move to another machine.
"""

import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import orjson

from ftbuild.chat import Message, ResponseFormat, Tool, as_asked
from ftbuild.criteria import Criterion
from ftbuild.digest import of_bytes
from ftbuild.remembered import Remembered
from ftbuild.rows import written

Split = Literal["train", "validation", "test", "confirm"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test", "confirm")
USUAL = SPLITS[:3]  # what every dataset has; `confirm` is kept for the winner of a sweep, where a dataset has it
LEARNT_FROM = SPLITS[:2]  # what a job is given
# How Message.to_json writes messages that say nothing of their name, refusal or weight, and the calls in them.
TOLD = {("role", "content"), ("role", "tool_call_id", "content"), ("role", "tool_calls")}
CALL, CALLED = ("id", "type", "function"), ("name", "arguments")
# Of each call, by its id: the values that each argument may have, "" among them where it may be left out.
Accepted = Mapping[str, Mapping[str, Sequence[Any]]]
SYSTEM = ("system", "developer")
CONVERSATION = ("messages", "tools", "parallel_tool_calls", "own_tools", "response_format", "rejected")


class PassageName(NamedTuple):
    """What an example calls the passage that its answer is taken from; without `section` it is anywhere in it."""

    document: str
    section: str | None = None


class Origin(NamedTuple):
    """Where an example comes from, where it belongs, what judges it: what its JSON form says after the conversation.

    The fields are those of Example; `original` comes before it there, and is no part of `to_json`.
    """

    original: str
    source: str
    path: str
    line: int
    group: str
    raw: str
    slices: Mapping[str, str]
    only: Split | None = None
    time: float | None = None
    passage: PassageName | None = None
    sound: bool = False
    accepted: Accepted | None = None
    criteria: tuple[Criterion, ...] = ()

    @property
    def id(self) -> str:
        """Return 16 hex digits that name what the example said."""
        return self.original[:16]

    def to_json(self) -> dict[str, Any]:
        """Return it as members of the example's JSON form."""
        value: dict[str, Any] = {
            "source": self.source,
            "path": self.path,
            "line": self.line,
            "group": self.group,
            "raw": self.raw,
            "slices": self.slices,
        }
        if self.only is not None:
            value["only"] = self.only
        if self.time is not None:
            value["time"] = self.time
        if self.passage is not None:
            value["passage"] = list(self.passage)
        if self.sound:
            value["sound"] = True
        value.update(self.judged_by())
        return value

    def judged_by(self) -> dict[str, Any]:
        """Return the members that say what an answer is judged by beside the target; none where nothing does."""
        value: dict[str, Any] = {"accepted": self.accepted} if self.accepted is not None else {}
        return value | ({"criteria": [each.to_json() for each in self.criteria]} if self.criteria else {})

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Origin":
        """Return the origin of the example that a JSON form holds."""
        return cls(
            value["original"],
            value["source"],
            value["path"],
            value["line"],
            value["group"],
            value["raw"],
            value["slices"],
            value.get("only"),
            value.get("time"),
            PassageName(*value["passage"]) if "passage" in value else None,
            value.get("sound", False),
            value.get("accepted"),
            tuple(map(Criterion.from_json, value.get("criteria", ()))),
        )


class Known(NamedTuple):
    """What a dataset asks of a conversation, so that one that goes into it unchanged need not be read again.

    `same` is one digest for conversations that say the same whatever the order of members, `asked` one for those that
    ask the same; 32 hex digits each. `begins` is the role of the first message, `called` are the names of the tools
    called, and `arity` is how many calls an answer has at most.
    """

    same: str
    asked: str
    begins: str
    called: Sequence[str]
    arity: int


def known(said: Mapping[str, Any]) -> Known:
    """Return what is known of a conversation in its JSON form."""
    called: list[str] = []
    arity = 0
    for message in said["messages"]:
        if calls := message.get("tool_calls"):
            called += [each["function"]["name"] for each in calls]
            arity = max(arity, len(calls))
    same, asked = (of_bytes(each)[:32] for each in (sorted_json(said), _asked(said["messages"][:-1])))
    return Known(same, asked, said["messages"][0]["role"], called, arity)


def _asked(prompt: Sequence[Mapping[str, Any]]) -> bytes:
    """Return what is asked, the case of letters and the space between words aside; the system does not count."""
    asked = [each for each in prompt if each["role"] not in SYSTEM]
    if len(asked) == 1:
        return as_asked(asked[0].get("content") or "").encode()
    return sorted_json(asked)


@dataclass(frozen=True)
class Example:
    """A conversation whose last message is the target.

    `original` is the digest of what it said before any transform. `source` is the source's name in the
    config, `path` and `line` its place there (line from 1); examples with one `group` never part across
    splits; `slices` name the parts reported apart; `only` pins an example to a split. `raw` is the
    user's text as it came. `tools` are offered in every request of it, and `parallel_tool_calls` goes with them.
    `own_tools` are the same tools as they came, where a provider is offered others in their place. `response_format`
    is the form that answers must have; it goes with requests and into no training line.
    `rejected` is an answer that is worse than the target, for methods that learn from preferences. `time` is when
    it was said, in seconds since 1970; `redacted` how often each rule took something out of it; `transforms` what else
    was done to it since it was read. `passage` names the passage of a document that its answer is taken from;
    `context` are the passages that its question is asked with, as they will stand in the prompt. `sound` says that no
    rule found anything in it at its source, which tells of it as it was read and no more. `accepted` are the values
    that the arguments of its target's calls may have, where it says so; `criteria` what an answer is to be like.
    """

    messages: tuple[Message, ...]
    original: str
    source: str
    path: str
    line: int
    group: str
    raw: str
    slices: Mapping[str, str] = field(default_factory=dict)
    only: Split | None = None
    tools: tuple[Tool, ...] = ()
    parallel_tool_calls: bool | None = None
    rejected: Message | None = None
    response_format: ResponseFormat | None = None
    own_tools: tuple[Tool, ...] = ()
    time: float | None = None
    redacted: Mapping[str, int] = field(default_factory=dict)
    transforms: tuple[str, ...] = ()
    passage: PassageName | None = None
    context: str = ""
    sound: bool = False
    accepted: Accepted | None = None
    criteria: tuple[Criterion, ...] = ()

    @property
    def id(self) -> str:
        """Return 16 hex digits that name what it said."""
        return self.original[:16]

    @property
    def origin(self) -> Origin:
        """Return where it comes from and where it belongs."""
        place = (self.source, self.path, self.line, self.group, self.raw, self.slices, self.only, self.time)
        return Origin(self.original, *place, self.passage, self.sound, self.accepted, self.criteria)

    @property
    def target(self) -> Message:
        """Return the last message, which the model should answer."""
        return self.messages[-1]

    @property
    def prompt(self) -> tuple[Message, ...]:
        """Return the messages before the target."""
        return self.messages[:-1]

    def with_messages(self, messages: tuple[Message, ...]) -> "Example":
        """Return the example with other messages, everything else kept."""
        return replace(self, messages=messages)

    def conversation(self) -> dict[str, Any]:
        """Return what is said in it: messages, tools with their flag, form and rejected answer where it has any."""
        value: dict[str, Any] = {"messages": [message.to_json() for message in self.messages]}
        if self.tools:
            value["tools"] = _told(self.tools)
            if self.parallel_tool_calls is not None:
                value["parallel_tool_calls"] = self.parallel_tool_calls
            if self.own_tools:
                value["own_tools"] = _told(self.own_tools)
        if self.response_format is not None:
            value["response_format"] = _form_to_json(self.response_format)
        if self.rejected is not None:
            value["rejected"] = self.rejected.to_json()
        return value

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form kept in the store; of one that is sound it holds what is known of it."""
        said = self.conversation()
        value = {"id": self.id, "original": self.original, **said, **self.origin.to_json()}
        return {**value, "known": [*known(said)]} if self.sound else value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Example":
        """Return the example that `to_json` wrote."""
        return cls(
            messages=tuple(Message.from_json(message) for message in value["messages"]),
            **Origin.from_json(value)._asdict(),
            tools=tools_of(value["tools"]) if "tools" in value else (),
            parallel_tool_calls=value.get("parallel_tool_calls"),
            rejected=Message.from_json(value["rejected"]) if "rejected" in value else None,
            response_format=_form(written(value["response_format"])) if "response_format" in value else None,
            own_tools=tools_of(value["own_tools"]) if "own_tools" in value else (),
        )


def splits_in(names: Container[str]) -> list[Split]:
    """Return the splits whose files are among `names`."""
    return [split for split in SPLITS if f"{split}.jsonl" in names]


def said_in(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `conversation` says of the example that a JSON form holds."""
    return {name: value[name] for name in CONVERSATION if name in value}


def messages_told(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return sound messages as an example writes them: most are written so already."""
    return [
        each
        if tuple(each) in TOLD and ("tool_calls" not in each or _are_told(each["tool_calls"]))
        else Message.from_json(each).to_json()
        for each in messages
    ]


def _are_told(calls: Sequence[Mapping[str, Any]]) -> bool:
    for each in calls:  # noqa: SIM110 : all() takes twice as long
        if tuple(each) != CALL or tuple(each["function"]) != CALLED:
            return False
    return True


def tools_told(tools: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return tools as an example writes them; equal ones are the same object."""
    return _told(tools_of(tools))


def tools_of(value: Sequence[Mapping[str, Any]]) -> tuple[Tool, ...]:
    """Return the tools of a JSON form; equal ones are the same object, since most examples offer the same."""
    return _tools(written(value))


@lru_cache(maxsize=256)
def _tools(said: bytes) -> tuple[Tool, ...]:
    return tuple(map(Tool.from_json, json.loads(said)))


def _tools_to_json(tools: tuple[Tool, ...]) -> list[dict[str, Any]]:
    return [tool.to_json() for tool in tools]


_told = Remembered(_tools_to_json)
_form_to_json = Remembered(ResponseFormat.to_json)


@lru_cache(maxsize=256)
def _form(said: bytes) -> ResponseFormat:
    return ResponseFormat.from_json(json.loads(said))


def sorted_json(value: Any) -> bytes:
    """Return a JSON value as bytes that do not depend on the order of its members: for comparing, not for keys."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # a number or a nesting beyond what it takes
        return json.dumps(value, sort_keys=True).encode()
