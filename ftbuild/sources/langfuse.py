"""Generations out of Langfuse: observations as the UI, the API or the export to blob storage write them.

A line is an observation; those that are no GENERATION are left out and counted, and so are those of the level ERROR.
`input` and `output` are JSON, or texts that hold JSON. The integration for OpenAI writes a list of messages, or
{"messages", "tools"}, and a message; a text alone is what the user, or the model, said. The one for LangChain writes
a tool as a message of the role tool whose content is its definition.
Source: the package langfuse 5.0.4, `openai.py` and `langchain/CallbackHandler.py`;
langfuse.com/docs/api-and-data-platform/features/blob-storage-export-fields (2026-11).
"""

from collections.abc import Mapping
from typing import Any

from ftbuild.problem import Problem
from ftbuild.sources.conversations import Converted
from ftbuild.sources.filters import left_out
from ftbuild.sources.logged import UNANSWERED, Log, fields, parsed
from ftbuild.tools.schemas import shown


def convert(value: Any) -> Converted:
    """Return an observation as a training line."""
    if not isinstance(value, Mapping) or not {"input", "output"} <= set(value):
        fix = "export the observations with their fields input and output."
        return Converted(None, (Problem("no observation: no input and output", fix=fix, rule="not-an-observation"),))
    if value.get("type", "GENERATION") != "GENERATION":
        return Converted(None, (left_out("as no generation"),))
    if value.get("level") == "ERROR":
        return Converted(None, (left_out("as failed"),))
    log = Log()
    _ask(log, _said_or_held(value["input"]))
    _answer(log, _said_or_held(value["output"]))
    return log.line()


def _said_or_held(given: Any) -> Any:
    """Return the messages that a text of JSON holds; JSON that is none is what was said."""
    held = parsed(given)
    listed = held if isinstance(held, list) else [held]
    holds = any(isinstance(each, Mapping) and each.keys() & {"role", "messages"} for each in listed)
    return held if holds or any(fields(each)[0] for each in listed) else given


def _ask(log: Log, asked: Any) -> None:
    at = "input"
    if isinstance(asked, Mapping):
        log.offer(asked.get("tools"), "input.tools")
        if asked.get("functions") is not None:
            fix = "use tools and tool_calls."
            log.problems.append(Problem("the older form of tools", at="input.functions", fix=fix, rule="old-functions"))
        asked, at = asked.get("messages"), "input.messages"
    if isinstance(asked, str) and asked:
        asked = [{"role": "user", "content": asked}]
    if not isinstance(asked, list) or not any(map(_is_definition, asked)):
        log.ask(asked, at)
        return
    log.offer([each["content"] for each in asked if _is_definition(each)], at)
    for number, each in enumerate(asked):
        if not _is_definition(each):
            log.add(each, f"{at}[{number}]")


def _answer(log: Log, answered: Any) -> None:
    at = "output"
    if isinstance(answered, list) and len(answered) == 1:
        answered, at = answered[0], "output[0]"
    if isinstance(answered, str):
        answered = {"role": "assistant", "content": answered}
    if answered is None:
        log.problems.append(left_out(UNANSWERED))
    elif not isinstance(answered, Mapping):
        fix = "an output is a message, or a text."
        log.problems.append(Problem(f"{shown(answered)} is no answer", at=at, fix=fix, rule="not-one-answer"))
    else:
        role = answered.get("role", "")  # the integration for OpenAI writes null where a stream gave none
        log.answer({**answered, "role": "assistant"} if role is None else answered, at)


def _is_definition(message: Any) -> bool:
    """Return whether a message is what the integration for LangChain makes of a tool."""
    return isinstance(message, Mapping) and message.get("role") == "tool" and isinstance(message.get("content"), dict)
