"""Chat completions on the wire: requests checked and turned into values, answers turned into bodies.

Owns OpenAI's shapes and error texts of this route. Knows nothing of sockets or tensors. Messages and tools are checked
by the rules of training lines. What this server cannot do is refused by name, never ignored.
Source: OpenAI API reference and the types of openai 3.57 (2026-11).
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from ftbuild.embedded.state import Record, new_id
from ftbuild.embedded.wire import ApiError, given_in, required, typed
from ftbuild.problem import Problem
from ftbuild.rules import definitions
from ftbuild.rules.calls import Offered
from ftbuild.rules.messages import conversation
from ftbuild.rules.pack import Pack
from ftbuild.tools.schemas import shown, wrong_schema, wrong_types
from ftbuild.tools.strict import violations

DEFAULT_MAX_TOKENS = 512
KNOWN = {"model", "messages", "temperature", "max_completion_tokens", "max_tokens", "seed", "stop", "n", "top_p"}
KNOWN |= {"tools", "tool_choice", "parallel_tool_calls", "response_format", "stream", "stream_options"}
KNOWN |= {"logprobs", "top_logprobs"}
NEUTRAL: Mapping[str, Sequence[Any]] = {  # what a request may say although nothing comes of it
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "modalities": (["text"],),
    "service_tier": ("auto", "default"),
    "store": (False,),
}
LABELS = {"user", "safety_identifier", "prompt_cache_key"}
BEYOND = {"audio", "function_call", "functions", "metadata", "moderation", "prediction", "prompt_cache_options"}
BEYOND |= {"prompt_cache_retention", "reasoning_effort", "verbosity", "web_search_options"}  # what others can do
CHOICES_AT_MOST = 128
TOP_LOGPROBS_AT_MOST = 20
FORM_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
SAID = (  # rules of what is good to learn from, be it said in a conversation or not
    *("special-token", "empty-content", "roles-alternate", "repeated-call", "unknown-tool"),
    *("calls-without-tools", "arguments-misfit", "calls-against-flag", "refusal-with-content"),
    *("weight-on-other-role", "late-system-message", "no-user-message", "incomplete-schema"),
)
REQUESTS = Pack(
    "requests",
    "OpenAI API reference, chat completions (2026-11)",
    severities=dict.fromkeys(SAID),
    strict="base",
)
LENIENT = replace(REQUESTS, severities=dict.fromkeys((*SAID, "beyond-strict")))  # another provider may take more


@dataclass(frozen=True)
class ChatRequest:
    """A completion as asked for; `max_tokens` None is the server's limit.

    `form` is what `response_format` says, None where any text will do. `top_logprobs` None is of one that wants none.
    `callable` are the names of the tools that may be called, one of which must be with `must_call`; `parallel` is the
    flag of the request, `at_most_one` whether one call is all there may be.
    """

    model: str
    messages: Sequence[Record]
    max_tokens: int | None
    temperature: float
    seed: int | None
    stop: Sequence[str]
    tools: Sequence[Record] = ()
    callable: Sequence[str] = ()
    must_call: bool = False
    parallel: bool = True
    at_most_one: bool = False
    form: Record | None = None
    n: int = 1
    top_p: float = 1.0
    top_logprobs: int | None = None
    stream: bool = False
    include_usage: bool = False


@dataclass(frozen=True)
class Choice:
    """One answer to a request: its text, how it ended ("stop", "length" or "tool_calls"), the tools it calls.

    While it grows it has not ended: "". Logprobs are as chat completions spell them, None where not asked for.
    """

    text: str
    finish_reason: str
    tool_calls: Sequence[Record] = ()
    logprobs: Sequence[Record] | None = None


@dataclass(frozen=True)
class Answer:
    """The choices of a completion and the tokens they took; `cached_tokens` of the prompt were read before."""

    choices: Sequence[Choice]
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


Tell = Callable[[int, Choice], None]  # the number of a choice, and what it surely begins with


def chat_request(body: Any, *, rehearses: bool = False) -> ChatRequest:
    """Return the checked request of POST /chat/completions; one that `rehearses` takes pictures too.

    Raises:
        ApiError: something is missing, out of range, unknown or not supported here.
    """
    given = given_in(body, KNOWN | LABELS | BEYOND | set(NEUTRAL))
    for name in given:
        if name in BEYOND:
            raise _unsupported(name)
        if name in NEUTRAL and given[name] not in NEUTRAL[name]:
            message = f"Unsupported value: '{name}' does not support {given[name]!r} with this model."
            raise ApiError(message, param=name, code="unsupported_value")
        if name in LABELS:
            typed(given, name, str)
    messages = _messages(given, rehearses=rehearses)
    tools = given.get("tools") or ()
    return ChatRequest(
        model=required(given, "model"),
        messages=messages,
        max_tokens=_max_tokens(given),
        temperature=_number(given, "temperature", float, 0, 2, 1.0),
        seed=typed(given, "seed", int),
        stop=_stop(given),
        tools=tools,
        form=_form(given.get("response_format"), messages, rehearses=rehearses),
        parallel=given.get("parallel_tool_calls", True),
        n=_number(given, "n", int, 1, CHOICES_AT_MOST, 1),
        top_p=_number(given, "top_p", float, 0, 1, 1.0),
        top_logprobs=_top_logprobs(given),
        **_stream(given),
        **_choice(given, [tool["function"]["name"] for tool in tools]),
    )


def _number(given: Record, name: str, kind: type, least: int, most: int, default: Any) -> Any:
    value = typed(given, name, kind)
    if value is None:
        return default
    if not least <= value <= most:
        message = f"'{name}' must be between {least} and {most}."
        raise ApiError(message, param=name, code="invalid_value")
    return kind(value)


def _flag(given: Record, name: str, at: str = "") -> bool:
    value = given.get(name, False)
    if not isinstance(value, bool):
        message = f"Invalid type for '{at}{name}': expected a boolean."
        raise ApiError(message, param=f"{at}{name}", code="invalid_type")
    return value


def _stream(given: Record) -> dict[str, Any]:
    stream = _flag(given, "stream")
    if "stream_options" not in given:
        return {"stream": stream}
    if not stream:
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise ApiError(message, param="stream_options", code="invalid_value")
    options = given_in(given["stream_options"], {"include_usage", "include_obfuscation"}, "stream_options.")
    _flag(options, "include_obfuscation", "stream_options.")
    return {"stream": True, "include_usage": _flag(options, "include_usage", "stream_options.")}


def _top_logprobs(given: Record) -> int | None:
    wanted = _flag(given, "logprobs")
    if "top_logprobs" in given and not wanted:
        message = "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled."
        raise ApiError(message, param="top_logprobs", code="invalid_value")
    top = _number(given, "top_logprobs", int, 0, TOP_LOGPROBS_AT_MOST, 0)
    return int(top) if wanted else None


def _form(value: Any, messages: Sequence[Record], *, rehearses: bool) -> Record | None:
    """Return the form that an answer must have, None where any text will do."""
    if value is None:
        return None
    form = given_in(value, {"type", "json_schema"}, "response_format.")
    kind = form.get("type")
    if kind == "json_schema":
        asked = given_in(
            form.get("json_schema"), {"name", "schema", "strict", "description"}, "response_format.json_schema."
        )
        _flag(asked, "strict", "response_format.json_schema.")
        for name, is_right in (
            ("name", isinstance(asked.get("name"), str) and FORM_NAME.fullmatch(asked["name"])),
            ("schema", isinstance(asked.get("schema"), dict)),
        ):
            if not is_right:
                at = f"response_format.json_schema.{name}"
                what = "Missing required parameter" if name not in asked else "Invalid value for"
                code = "missing_required_parameter" if name not in asked else "invalid_value"
                raise ApiError(f"{what}: '{at}'.", param=at, code=code)
        if asked.get("strict") and not rehearses and (why := _beyond_strict(json.dumps(asked["schema"]))):
            message = f"Invalid schema for response_format '{asked['name']}': {why}."
            raise ApiError(message, param="response_format", code="invalid_value")
        return {"type": kind, "json_schema": asked}
    if kind not in ("text", "json_object") or "json_schema" in form:
        message = "Invalid value for 'response_format.type'. It is none of 'text', 'json_object' and 'json_schema'."
        raise ApiError(message, param="response_format.type", code="invalid_value")
    if kind == "json_object" and not any("json" in str(each.get("content")).lower() for each in messages):
        message = (
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
        )
        raise ApiError(message, param="messages")
    return form if kind == "json_object" else None


@lru_cache(maxsize=256)  # many requests want one form
def _beyond_strict(text: str) -> str:
    """Return where a schema first leaves the strict subset, "" where it does not."""
    schema = json.loads(text)
    wrong = [(at, f"JSON Schema has no type {shown(named)}") for at, named, _ in wrong_types(schema)]
    found = wrong or wrong_schema(schema) or violations(schema, REQUESTS.strict)
    return next((f"{at or 'the schema'}: {what}" for at, what in found), "")


def _max_tokens(given: Record) -> int | None:
    if given.keys() >= {"max_tokens", "max_completion_tokens"}:
        message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        raise ApiError(message, param="max_tokens", code="invalid_parameter_combination")
    for name in ("max_completion_tokens", "max_tokens"):
        if (asked := typed(given, name, int)) is not None:
            if asked < 1:
                raise ApiError(f"'{name}' must be at least 1.", param=name, code="integer_below_min_value")
            return int(asked)
    return None


def _stop(given: Record) -> list[str]:
    stop = given.get("stop") or []
    stop = [stop] if isinstance(stop, str) else stop
    if not isinstance(stop, list) or len(stop) > 4 or not all(isinstance(text, str) and text for text in stop):
        raise ApiError("'stop' must be a string or up to 4 strings.", param="stop", code="invalid_type")
    return stop


def _messages(given: Record, *, rehearses: bool) -> list[Record]:
    """Return the messages without what says nothing: nulls, and what an answer of ours says besides."""
    listed = given.get("messages")
    if not isinstance(listed, list) or not listed:
        raise ApiError("'messages' must be a list with at least one message.", param="messages", code="invalid_type")
    said = [_spoken(message) if isinstance(message, dict) else message for message in listed]
    pack = LENIENT if rehearses else REQUESTS
    offered, wrong = _offered(given, pack)
    for problem in (*wrong, *conversation(said, "messages", offered, pack, "reinforcement")):
        if problem.severity == "error" and pack.severity(problem.rule) == "error":
            raise _invalid(problem, given)
    for index, message in enumerate(said):
        if message["role"] == "function" or "function_call" in message or "audio" in message:
            raise _unsupported("functions")
        parts = message.get("content")
        if not rehearses and isinstance(parts, list) and any(part["type"] != "text" for part in parts):
            what = "This server reads texts alone."
            raise ApiError(what, param=f"messages[{index}].content", code="unsupported_value")
    return said


def _spoken(message: Record) -> Record:
    kept = {key: value for key, value in message.items() if value is not None and key != "annotations"}
    if message.get("role") == "assistant" and "content" in message and not kept.keys() & {"content", "tool_calls"}:
        kept["content"] = ""
    parts = kept.get("content")
    texts = isinstance(parts, list) and all(
        isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str) for part in parts
    )
    return {**kept, "content": "".join(part["text"] for part in parts)} if texts and parts is not None else kept


def _offered(given: Record, pack: Pack) -> tuple[Offered, tuple[Problem, ...]]:
    """Return the tools of a request for the rules, and what is wrong with them; none is what an empty list says."""
    offering: Record = {key: given[key] for key in ("tools", "parallel_tool_calls") if key in given}
    if offering.get("tools") == []:
        del offering["tools"]
    if "parallel_tool_calls" in offering and "tools" not in offering:
        message = "Invalid value for 'parallel_tool_calls': it is only allowed when 'tools' are specified."
        raise ApiError(message, param="parallel_tool_calls")
    return definitions.tools(offering, pack)


def _choice(given: Record, names: Sequence[str]) -> dict[str, Any]:
    """Return what `tool_choice` and the flag say of the calls."""
    choice = given.get("tool_choice", "auto")
    if "tool_choice" in given and not names:
        message = "Invalid value for 'tool_choice': it is only allowed when 'tools' are specified."
        raise ApiError(message, param="tool_choice")
    one = given.get("parallel_tool_calls") is False
    if choice in ("none", "auto", "required"):
        return {"callable": names if choice != "none" else (), "must_call": choice == "required", "at_most_one": one}
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind == "function":
        chosen = given_in(choice, {"type", "function"}, "tool_choice.")
        name = _tool_name(chosen, "tool_choice", names)
        return {"callable": [name], "must_call": True, "at_most_one": True}
    if kind == "allowed_tools":
        allowed = given_in(choice.get("allowed_tools"), {"mode", "tools"}, "tool_choice.allowed_tools.")
        listed = allowed.get("tools")
        if allowed.get("mode") in ("auto", "required") and isinstance(listed, list) and listed:
            at = "tool_choice.allowed_tools.tools"
            some = [_tool_name(tool, f"{at}[{number}]", names) for number, tool in enumerate(listed)]
            return {"callable": some, "must_call": allowed["mode"] == "required", "at_most_one": one}
    raise ApiError(
        "Invalid value for 'tool_choice': it is none of 'none', 'auto', 'required', a function and allowed_tools.",
        param="tool_choice",
        code="invalid_value",
    )


def _tool_name(value: Any, at: str, names: Sequence[str]) -> str:
    function = value.get("function") if isinstance(value, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(name, str) or name not in names:
        message = f"Invalid value for '{at}': there is no tool {name!r} in 'tools'."
        raise ApiError(message, param=at, code="invalid_value")
    return name


def _invalid(problem: Problem, given: Record) -> ApiError:
    if problem.rule == "beyond-strict":
        number, inner = problem.at.removeprefix("tools[").split("].function.parameters", 1)
        name = given["tools"][int(number)]["function"]["name"]
        message = f"Invalid schema for function '{name}': {inner.lstrip('.') or 'the schema'}: {problem.what}."
        at = problem.at.removesuffix(inner)
        return ApiError(message, param=at, code="invalid_function_parameters")
    return ApiError(f"Invalid '{problem.at}': {problem.what}.", param=problem.at, code="invalid_value")


def _unsupported(name: str) -> ApiError:
    message = f"Unsupported parameter: '{name}' is not supported with this model."
    return ApiError(message, param=name, code="unsupported_parameter")


def completion(request: ChatRequest, answer: Answer) -> Record:
    """Return the body of a completion."""
    choices = []
    for index, choice in enumerate(answer.choices):
        message: Record = {"role": "assistant", "content": choice.text, "refusal": None}
        if choice.tool_calls:
            message |= {"content": choice.text or None, "tool_calls": list(choice.tool_calls)}
        logprobs = _logprobs(choice.logprobs)
        choices.append(
            {"index": index, "message": message, "logprobs": logprobs, "finish_reason": choice.finish_reason}
        )
    return {**_head(request, "chat.completion"), "choices": choices, "usage": _usage(answer)}


def _head(request: ChatRequest, kind: str) -> Record:
    return {"id": new_id("chatcmpl-"), "object": kind, "created": int(time.time()), "model": request.model}


def _logprobs(tokens: Sequence[Record] | None) -> Record | None:
    return None if tokens is None else {"content": list(tokens), "refusal": None}


def _usage(answer: Answer) -> Record:
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "total_tokens": answer.prompt_tokens + answer.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": answer.cached_tokens},
    }


class Chunks:
    """The chunks of a completion that is streamed: of each choice what was not told before."""

    def __init__(self, request: ChatRequest) -> None:
        self._request = request
        self._head = _head(request, "chat.completion.chunk")
        self._told: dict[int, Choice] = {}

    def of(self, index: int, choice: Choice) -> Iterator[Record]:
        """Yield the chunks that lead from what was told of a choice to what it is now."""
        told = self._told.get(index)
        if told is None and self._request.callable and choice == Choice("", "", (), choice.logprobs):
            return  # it may become calls, whose content is null
        delta: Record = (
            {} if told else {"role": "assistant", "content": None if choice.tool_calls else "", "refusal": None}
        )
        if told is None:
            told = Choice("", "")
        if text := choice.text[len(told.text) :]:
            delta["content"] = text
        if calls := list(_new_calls(told.tool_calls, choice.tool_calls)):
            delta["tool_calls"] = calls
        new = None if choice.logprobs is None else choice.logprobs[len(told.logprobs or ()) :]
        self._told[index] = choice
        if delta or new:
            yield self._chunk([{"index": index, "delta": delta, "logprobs": _logprobs(new), "finish_reason": None}])
        if choice.finish_reason:
            end = {"index": index, "delta": {}, "logprobs": None, "finish_reason": choice.finish_reason}
            yield self._chunk([end])

    def rest(self, answer: Answer) -> Iterator[Record]:
        """Yield the chunks that are left once the answer is there, with the usage for last if that was asked for."""
        for index, choice in enumerate(answer.choices):
            yield from self.of(index, choice)
        if self._request.include_usage:
            yield {**self._chunk([]), "usage": _usage(answer)}

    def _chunk(self, choices: list[Record]) -> Record:
        return {**self._head, "choices": choices, **({"usage": None} if self._request.include_usage else {})}


def _new_calls(told: Sequence[Record], calls: Sequence[Record]) -> Iterator[Record]:
    """Yield the deltas of calls: one that is new with its name, then what is new of its arguments."""
    for number, call in enumerate(calls):
        before = told[number]["function"]["arguments"] if number < len(told) else ""
        new = call["function"]["arguments"][len(before) :]
        if number >= len(told):
            function = {"name": call["function"]["name"], "arguments": new}
            yield {"index": number, "id": call["id"], "type": "function", "function": function}
        elif new:
            yield {"index": number, "function": {"arguments": new}}
