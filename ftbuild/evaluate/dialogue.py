"""Which answers of a conversation are asked for, and how a dialogue with tools runs up to one.

Pure: examples in their JSON form in, prompts and dialogues out. Sends nothing: a dialogue is a generator that yields
what is to be asked and is sent what came back.
"""

import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from ftbuild.chat import Message, ToolCall
from ftbuild.completion import Completion, Dialogue, Prompt
from ftbuild.rows import NotJsonError, parse
from ftbuild.tools.results import Run, returned

Play = Generator[Prompt, Completion, Dialogue]
TURNS, RESULT = "turns", "result"


def every_target(examples: Iterable[Mapping[str, Any]], *, whole: bool) -> Iterator[dict[str, Any]]:
    """Yield an example for every answer of each conversation, in order; what comes after it is left out.

    With `whole`, calls, results and the answer that follows them are one. The last keeps the example's id, the others
    get `#1`, `#2` behind it, with the example's as `of`, and none of its criteria. An answer of weight 0 is no target.
    """
    for example in examples:
        messages = example["messages"]
        ends = [
            number
            for number, each in enumerate(messages[:-1])
            if each["role"] == "assistant" and each.get("weight") != 0
            if not whole or messages[number + 1]["role"] == "user"
        ]
        for number, end in enumerate(ends, 1):
            asked = [each["content"] for each in messages[:end] if each["role"] == "user"]
            point = {name: value for name, value in example.items() if name not in ("rejected", "criteria")}
            point |= {"id": f"{example['id']}#{number}", "of": example["id"], "messages": messages[: end + 1]}
            yield point | ({"raw": asked[-1]} if asked else {})
        yield dict(example)


def begun(messages: Sequence[Mapping[str, Any]]) -> int:
    """Return where the last stretch of an assistant begins: behind the last message of the user."""
    asked = [number for number, each in enumerate(messages[:-1]) if each["role"] == "user"]
    return asked[-1] + 1 if asked else len(messages) - 1


def play(prompt: Prompt, turns: int, result: Callable[[ToolCall], str | None]) -> Play:
    """Ask, give the results of calls, and ask again, until there is an answer without calls.

    Ends early where the turns are used up, where an answer was cut, and where `result` has none for a call. Tokens and
    seconds of the last answer are those of all requests.
    """
    messages, last = prompt.messages, Completion("")
    for turn in range(turns):
        answer = yield Prompt(messages, prompt.parameters, prompt.sample)
        last = _together(last, answer)
        way = messages[len(prompt.messages) :]
        if not answer.tool_calls or answer.finish_reason == "length":
            return Dialogue(last, way)
        if turn == turns - 1:
            break
        calls = _named(answer.tool_calls, messages)
        results = [result(call) for call in calls]
        if None in results:
            return Dialogue(last, way, RESULT)
        said = Message("assistant", answer.content or None, calls)
        told = (Message("tool", each, tool_call_id=call.id) for call, each in zip(calls, results, strict=True))
        messages = (*messages, said, *told)
    return Dialogue(last, way, TURNS if turns > 1 else None)


def results_for(
    recorded: Sequence[Mapping[str, Any]],
    run: Mapping[str, Run],
    own: Callable[[ToolCall], ToolCall] = lambda call: call,
) -> Callable[[ToolCall], str | None]:
    """Return what gives a call its result: as recorded for the same call among the messages, else from its tool.

    Calls are the same by name and arguments, whatever the order and the spelling of these; of several the first
    counts. `own` says which tool of the example a call means. None is no result.
    """
    known: dict[tuple[str, str], str] = {}
    for call, content in _answered(recorded):
        known.setdefault(_same(own(call)), content)

    def result(call: ToolCall) -> str | None:
        meant = own(call)
        if (found := known.get(_same(meant))) is not None:
            return found
        return returned(meant, run[meant.name]) if meant.name in run else None

    return result


def _answered(recorded: Sequence[Mapping[str, Any]]) -> Iterator[tuple[ToolCall, str]]:
    """Yield each call with its result: by id among those of its turn, for a later turn may use an id again."""
    calls: list[ToolCall] = []
    for each in recorded:
        if each["role"] != "tool":
            calls = [ToolCall.from_json(call) for call in each.get("tool_calls", ())]
        elif (call := next((call for call in calls if call.id == each["tool_call_id"]), None)) is not None:
            calls.remove(call)
            yield call, str(each["content"])


def _together(before: Completion, answer: Completion) -> Completion:
    return Completion(
        answer.content,
        answer.finish_reason,
        round(before.latency_seconds + answer.latency_seconds, 3),
        before.prompt_tokens + answer.prompt_tokens,
        before.completion_tokens + answer.completion_tokens,
        answer.tool_calls,
        answer.likelihood,
    )


def _named(calls: Sequence[ToolCall], messages: Sequence[Message]) -> tuple[ToolCall, ...]:
    """Return the calls with ids to answer to: a model's own, or ours where it gave none, or one that is taken."""
    taken = {call.id for message in messages for call in message.tool_calls}
    ids = [call.id for call in calls]
    if all(ids) and len({*ids, *taken}) == len(ids) + len(taken):
        return tuple(calls)
    free = (name for number in count(1) if (name := f"call_{number}") not in taken)
    return tuple(call._replace(id=name) for call, name in zip(calls, free, strict=False))


def _same(call: ToolCall) -> tuple[str, str]:
    try:
        value = parse(call.arguments.encode("utf-8", "surrogatepass"))
    except NotJsonError:
        return call.name, call.arguments
    return call.name, json.dumps(json.loads(json.dumps(value), parse_float=_number), sort_keys=True)


def _number(text: str) -> float:
    """Return a number of JSON so that equal ones are written alike: 1.0 is 1."""
    number = float(text)
    return int(number) if number.is_integer() else number
