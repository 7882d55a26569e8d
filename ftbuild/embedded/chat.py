"""Chat completions on the wire: requests checked and turned into values, answers turned into bodies.

Owns OpenAI's shapes and error texts of this route. Knows nothing of sockets or tensors. Messages and tools are checked
by the rules of training lines. What this server cannot do is refused by name, never ignored.
Source: OpenAI API reference and the types of openai 3.57 (2026-11).
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftbuild.embedded.state import Record, new_id
from ftbuild.embedded.wire import ApiError, given_in, required, typed
from ftbuild.problem import Problem
from ftbuild.rules import definitions
from ftbuild.rules.calls import Offered
from ftbuild.rules.messages import conversation
from ftbuild.rules.pack import Pack

DEFAULT_MAX_TOKENS = 512
ELSEWHERE = "A build of it without training: provider=rehearsal."
KNOWN = {"model", "messages", "temperature", "max_completion_tokens", "max_tokens", "seed", "stop"}
KNOWN |= {"tools", "tool_choice", "parallel_tool_calls"}
NEUTRAL: Mapping[str, Sequence[Any]] = {  # what a request may say although nothing comes of it
    "stream": (False,),
    "n": (1,),
    "top_p": (1,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logprobs": (False,),
    "response_format": ({"type": "text"},),
    "store": (False,),
}
LABELS = {"user"}
SAID = (  # rules of what is good to learn from, be it said in a conversation or not
    *("special-token", "empty-content", "content-in-parts", "roles-alternate", "repeated-call", "unknown-tool"),
    *("calls-without-tools", "arguments-misfit", "calls-against-flag", "refusal-with-content"),
    *("weight-on-other-role", "late-system-message", "no-user-message", "beyond-strict"),
)
REQUESTS = Pack(
    "requests",
    "OpenAI API reference, chat completions (2026-11)",
    severities=dict.fromkeys(SAID),
)


@dataclass(frozen=True)
class ChatRequest:
    """A completion as asked for; `max_tokens` None is the server's limit.

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


def chat_request(body: Any, *, rehearses: bool = False) -> ChatRequest:
    """Return the checked request of POST /chat/completions; one that `rehearses` takes pictures too.

    Raises:
        ApiError: something is missing, out of range, unknown or not supported here.
    """
    given = given_in(body, KNOWN | LABELS | set(NEUTRAL))
    for name, neutral in NEUTRAL.items():
        if name in given and given[name] not in neutral and not (rehearses and name == "response_format"):
            raise _unsupported(name)
    temperature = typed(given, "temperature", float)
    if temperature is not None and not 0 <= temperature <= 2:
        raise ApiError("'temperature' must be between 0 and 2.", param="temperature", code="invalid_value")
    tools = given.get("tools") or ()
    messages = _messages(given, rehearses=rehearses)
    return ChatRequest(
        model=required(given, "model"),
        messages=messages,
        max_tokens=_max_tokens(given),
        temperature=1.0 if temperature is None else float(temperature),
        seed=typed(given, "seed", int),
        stop=_stop(given),
        tools=tools,
        form=given.get("response_format"),
        parallel=given.get("parallel_tool_calls", True),
        **_choice(given, [tool["function"]["name"] for tool in tools]),
    )


def _max_tokens(given: Record) -> int | None:
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
    offered, wrong = _offered(given)
    for problem in (*wrong, *conversation(said, "messages", offered, REQUESTS, "reinforcement")):
        if problem.severity == "error" and REQUESTS.severity(problem.rule) == "error":
            raise _invalid(problem)
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


def _offered(given: Record) -> tuple[Offered, tuple[Problem, ...]]:
    """Return the tools of a request for the rules, and what is wrong with them; none is what an empty list says."""
    offering: Record = {key: given[key] for key in ("tools", "parallel_tool_calls") if key in given}
    if offering.get("tools") == []:
        del offering["tools"]
    if "parallel_tool_calls" in offering and "tools" not in offering:
        message = "Invalid value for 'parallel_tool_calls': it is only allowed when 'tools' are specified."
        raise ApiError(message, param="parallel_tool_calls")
    return definitions.tools(offering, REQUESTS)


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


def _invalid(problem: Problem) -> ApiError:
    return ApiError(f"Invalid '{problem.at}': {problem.what}.", param=problem.at, code="invalid_value")


def _unsupported(name: str) -> ApiError:
    message = f"This server does not support {name!r} yet."
    message += f" {ELSEWHERE}" if name == "response_format" else ""
    return ApiError(message, param=name, code="unsupported_parameter")


def completion(
    request: ChatRequest,
    text: str,
    finish_reason: str,
    prompt_tokens: int,
    completion_tokens: int,
    tool_calls: Sequence[Record] = (),
) -> Record:
    """Return the body of a completion."""
    message: Record = {"role": "assistant", "content": text, "refusal": None}
    if tool_calls:
        message |= {"content": text or None, "tool_calls": list(tool_calls)}
    return {
        "id": new_id("chatcmpl-"),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": request.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }
