"""A completion of a model, and the port that gives one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from ftbuild.chat import Message, ToolCall

PLAIN = ("content", "finish_reason", "latency_seconds", "prompt_tokens", "completion_tokens")  # of a Completion


@dataclass(frozen=True)
class Prompt:
    """What is asked: messages, and `parameters` that go with them, named as chat completions names them.

    `sample` parts requests that are to be asked more than once, though they say the same.
    """

    messages: tuple[Message, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    sample: int = 0


class Likelihood(NamedTuple):
    """How sure a model was of the `n` tokens of an answer: the mean of their natural log-probabilities, and by how much
    the likeliest token of a place was ahead of the next, where it was least ahead; None where no rival was told.
    """

    mean: float
    margin: float | None
    n: int

    @classmethod
    def of(cls, tokens: Sequence[Mapping[str, Any]]) -> "Likelihood | None":
        """Return that of tokens as chat completions tell them (`logprob`, `top_logprobs`), None of no token."""
        if not tokens:
            return None
        rivals = [
            sorted((each["logprob"] for each in token.get("top_logprobs") or ()), reverse=True) for token in tokens
        ]
        margins = [best - second for best, second, *_ in (each for each in rivals if len(each) > 1)]
        mean = sum(token["logprob"] for token in tokens) / len(tokens)
        return cls(round(mean, 6), round(min(margins), 6) if margins else None, len(tokens))


@dataclass(frozen=True)
class Completion:
    """What came back for one request. `finish_reason` is "none" where no model was asked.

    `likelihood` is there where it was asked for and told, which is never of an answer that only calls tools.
    `raw` is the text of the response, kept with the request and nowhere else.
    """

    content: str
    finish_reason: str = "none"
    latency_seconds: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    tool_calls: tuple[ToolCall, ...] = ()
    likelihood: Likelihood | None = None
    raw: str | None = field(default=None, compare=False, repr=False)

    @property
    def message(self) -> Message:
        """Return the answer as a message."""
        return Message("assistant", self.content or None, self.tool_calls)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form kept in the store."""
        value: dict[str, Any] = {name: getattr(self, name) for name in PLAIN}
        value |= {"tool_calls": [each.to_json() for each in self.tool_calls]} if self.tool_calls else {}
        return value | ({"likelihood": self.likelihood._asdict()} if self.likelihood is not None else {})

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Completion":
        """Return the completion that `to_json` wrote."""
        calls = tuple(ToolCall.from_json(each) for each in value.get("tool_calls", ()))
        likelihood = Likelihood(**value["likelihood"]) if "likelihood" in value else None
        return cls(**{name: value[name] for name in PLAIN if name in value}, tool_calls=calls, likelihood=likelihood)


@dataclass(frozen=True)
class Dialogue:
    """How an answer came about: `last` is what the model said last, `way` what went before it: calls and their results.

    `ended` says why it ended without an answer: "turns" used up, or a call without "result".
    """

    last: Completion
    way: tuple[Message, ...] = ()
    ended: str | None = None

    @property
    def first(self) -> Message:
        """Return what the model said first."""
        return self.way[0] if self.way else self.last.message

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form: that of `last`, with `way` and `ended` where there is anything to say."""
        value = self.last.to_json()
        value |= {"way": [each.to_json() for each in self.way]} if self.way else {}
        return value | ({"ended": self.ended} if self.ended else {})

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Dialogue":
        """Return the dialogue that `to_json` wrote."""
        way = tuple(map(Message.from_json, value.get("way", ())))
        return cls(Completion.from_json(value), way, value.get("ended"))


UNREADABLE = "unreadable"  # the finish reason of an answer that is none


class Completer(Protocol):
    """The port: something that answers messages; raises ProviderError.

    `parameters` are what goes with the messages, named as chat completions names them.
    """

    async def complete(self, model: str, messages: Sequence[Message], parameters: Mapping[str, Any]) -> Completion:
        """Return the answer of `model` to the messages."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Embedder(Protocol):
    """The port: something that turns texts into vectors; raises ProviderError."""

    def embed(self, model: str, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each text, in their order; no text may be empty."""
        ...
