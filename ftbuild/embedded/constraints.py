"""What an answer is held to while it is written: a form that was asked for, tools that may or must be called.

Owns the grammars. Knows nothing of tensors. A tool whose `strict` is false is held to its name and to JSON alone, and
if nothing must be called and all tools are such, an answer is free: it is read as the model wrote it. All other tools
are held to their schemas; with `strict` true one that no grammar can say is refused, else it is taken for any object.
Source: llguidance 1.9 (2026), its Lark dialect and its JSON Schemas.
"""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from llguidance import LLMatcher, LLTokenizer

from ftbuild.embedded.calls import CallForm
from ftbuild.embedded.chat import ChatRequest
from ftbuild.embedded.spaced import spaced_schema
from ftbuild.embedded.state import Record
from ftbuild.embedded.wire import ApiError

if TYPE_CHECKING:
    from ftbuild.embedded.template import Template

AS_WRITTEN = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}  # as json.dumps does
WITH_INDENT = {"whitespace_flexible": True, "whitespace_pattern": r"[ \n\t]{0,40}"}
NO_ARGUMENTS = {"type": "object", "properties": {}, "additionalProperties": False}
COMPOSED = {"additionalProperties", "patternProperties", "allOf", "anyOf", "oneOf", "$ref"}


class Guide:
    """The grammars of one tokenizer."""

    def __init__(self, template: "Template") -> None:
        self._tokenizer = LLTokenizer(template.tokenizer.to_str(), eos_token=template.end)

    def matcher(self, grammar: str) -> LLMatcher:
        """Return what follows an answer from its beginning.

        Raises:
            ApiError: the schemas are too much for it.
        """
        matcher = LLMatcher(self._tokenizer, grammar, log_level=0)
        if matcher.is_error():
            raise ApiError(f"Invalid schema: {_in_a_line(matcher.get_error())}.", code="invalid_value")
        return matcher

    def bytes_of(self, token: int) -> bytes:
        """Return what a token adds to a text."""
        return bytes(self._tokenizer.decode_bytes([token]))


def grammar_of(request: ChatRequest, form: CallForm) -> str | None:
    """Return the grammar of the answers that a request allows, None where it allows every text.

    Raises:
        ApiError: a schema that must be kept to is none that a grammar can say.
    """
    tools = [tool["function"] for tool in request.tools if tool["function"]["name"] in request.callable]
    free = request.form is None and not request.must_call and all(tool.get("strict") is False for tool in tools)
    if not request.tools and request.form is None:
        return None
    if tools and free:
        return None
    rules = []
    ways = []
    if tools:
        ways.append("calls")
        more = "" if request.at_most_one else f" ({_text(form.between)} call)*"
        rules.append(f"calls: {_text(form.opening)} call{more} {_text(form.closing)}")
        rules.append(f"call: {' | '.join(f'call_{number}' for number in range(len(tools)))}")
        for number, tool in enumerate(tools):
            schema = _arguments(tool, request.tools)
            arguments = _json(spaced_schema(schema) if form.spaced else schema, AS_WRITTEN)
            rules.append(f"call_{number}: {_text(tool['name'] + form.middle)} {arguments}")
    if not request.must_call:
        ways.append("said")
        rules += _said(request, form)
    return "\n".join([f"start: {' | '.join(ways)}", *rules])


def _said(request: ChatRequest, form: CallForm) -> list[str]:
    """Return the rules of an answer without calls: it must not begin like one."""
    if request.form is None:
        opening = re.sub(r"[^\w\s<>]", lambda found: f"\\{found[0]}", form.opening).replace("\n", "\\n")
        return ["said: SAID", rf"SAID: /(?s:.*)/ & ~/(?s:\s*{opening}.*)/"]
    if request.form["type"] == "json_object":
        return [f"said: {_json({'type': 'object'}, WITH_INDENT)}"]
    asked = request.form["json_schema"]
    if problem := _problem(json.dumps(asked["schema"])):
        message = f"Invalid schema for response_format '{asked['name']}': {problem}."
        raise ApiError(message, param="response_format", code="invalid_value")
    return [f"said: {_json(asked['schema'], WITH_INDENT)}"]


def _arguments(tool: Record, tools: Any) -> Mapping[str, Any]:
    """Return the schema of a tool's arguments; nothing but what it names is taken where it leaves that open."""
    schema = tool.get("parameters") or NO_ARGUMENTS
    if tool.get("strict") is False:
        return {"type": "object"}
    if problem := _problem(json.dumps(schema)):
        if not tool.get("strict"):
            return {"type": "object"}
        number = [each["function"] for each in tools].index(tool)
        message = f"Invalid schema for function '{tool['name']}': {problem}."
        raise ApiError(message, param=f"tools[{number}].function.parameters", code="invalid_function_parameters")
    closed = {} if schema.keys() & COMPOSED else {"additionalProperties": False}
    return {"type": "object", **closed, **schema}


@lru_cache(maxsize=256)
def _problem(schema: str) -> str:
    """Return why no grammar can say a JSON Schema, "" if one can."""
    return _in_a_line(LLMatcher.validate_grammar(LLMatcher.grammar_from_json_schema(schema)))


def _in_a_line(error: str) -> str:
    """Return what an error says; one of a pattern shows the pattern first, and what is wrong with it last."""
    first, *others = error.splitlines() or [""]
    said = [line.removeprefix("error: ") for line in others if line.startswith("error: ")]
    return " ".join([first, *said])


def _json(schema: Mapping[str, Any], spaces: Mapping[str, Any]) -> str:
    return f"%json {json.dumps({**schema, 'x-guidance': spaces}, ensure_ascii=False)}"


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
