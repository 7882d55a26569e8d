"""The rules as data: what each costs whoever breaks it, where it is written, and what each provider makes of it.

An id is stable: people silence it, search for it, and find it in old reports.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ftbuild.problem import Problem
from ftbuild.tools.strict import Target

Severity = Literal["error", "warning"]
Method = Literal["supervised", "dpo", "reinforcement"]

REFUSED = "The provider refuses the whole file."
LINES = "jsonlines.org and RFC 8259 (2026-11)"
FILES = "OpenAI API reference, fine-tuning input (2026-11)"
CHAT = "OpenAI API reference, chat completions (2026-11)"
TOOLS = "OpenAI function calling guide (2026-11)"
STRICT = "OpenAI structured outputs guide (2026-09)"
DPO = "OpenAI direct preference optimization guide (2026-11)"
REINFORCEMENT = "OpenAI reinforcement fine-tuning guide (2026-11)"
SEEN = (
    "reported by users: openai/openai-cookbook#1549, microsoft-foundry/fine-tuning#23, community.openai.com (2026-11)"
)
INCOMPLETE = (
    "reported by users: sigoden/aichat#1049, spring-projects/spring-ai#4776, campfirein/byterover-cli#42,"
    " browserbase/stagehand#1159 (2026-11)"
)
SPECIAL_TOKEN = re.compile(r"<\|[a-z][a-z0-9_]*\|>")
# As chat templates write calls: Hermes and Qwen, Glaive, Mistral, Llama.
CALL_IN_TEXT = re.compile(r"<tool_call>|<functioncall>|<function_call>|<function=|\[TOOL_CALLS\]")
SENSE = "what the model learns from it"


@dataclass(frozen=True)
class Rule:
    """What breaking a rule means. `why` is for people, `source` is where the rule is written, with its date.

    `fix` is what to do where the finding itself knows nothing better.
    """

    severity: Severity
    why: str
    source: str
    fix: str = ""


RULES: Mapping[str, Rule] = {
    # The file.
    "empty-file": Rule("error", REFUSED, FILES, "write the file again."),
    "too-few-examples": Rule("error", REFUSED, FILES),
    "not-utf8": Rule("error", REFUSED, LINES),
    "not-json": Rule("error", REFUSED, LINES),
    "cut-short": Rule("error", REFUSED, LINES),
    "not-a-number": Rule("error", REFUSED, LINES),
    "duplicate-key": Rule("error", "Readers differ in which of the two they take.", LINES),
    "lone-surrogate": Rule("error", REFUSED, LINES),
    "not-json-lines": Rule("error", "The provider reads one object a line.", LINES),
    "utf-16": Rule("error", "The provider reads UTF-8.", LINES),
    "compressed-file": Rule("warning", "Providers take JSON lines as they are.", FILES, "unpack it before it is sent."),
    "byte-order-mark": Rule("warning", "Some readers take it for a part of the first line.", LINES),
    "blank-line": Rule("warning", "Some readers take it for a line that is not JSON.", LINES),
    "not-an-object": Rule("error", REFUSED, FILES, 'write one object a line: {"messages": [...]}.'),
    "duplicate-line": Rule("warning", "It counts twice in training, and is paid twice.", SENSE),
    "leak-across-files": Rule("warning", "The score would flatter the model.", SENSE),
    "test-example-in-training": Rule("error", "The score would flatter the model.", SENSE),
    "example-too-long": Rule("warning", "What is beyond the limit is cut off, and not learnt.", FILES),
    # A line.
    "wrong-method": Rule("error", REFUSED, FILES, "name the method of the lines."),
    "missing-messages": Rule("error", REFUSED, FILES, 'write {"messages": [...]}.'),
    "unknown-key": Rule("error", REFUSED, FILES),
    "renamed-key": Rule("error", REFUSED, DPO),
    "null-value": Rule("error", REFUSED, SEEN, "leave the key out."),
    "deprecated-functions": Rule("warning", "Providers take it still, and fewer each year.", FILES),
    "not-a-list": Rule("error", REFUSED, FILES, "write a list."),
    "no-messages": Rule("error", REFUSED, FILES, "write what is asked and its answer, or take the line out."),
    "no-assistant": Rule("error", "There is nothing to learn.", FILES, "end with the answer to learn."),
    "last-not-assistant": Rule("error", "What comes after the last answer is read and never learnt from.", FILES),
    "nothing-to-learn": Rule("error", "Every answer has weight 0.", FILES),
    "no-user-message": Rule(
        "warning", "The model would learn to speak without being asked.", SENSE, "put the request before the answer."
    ),
    # A message.
    "message-not-an-object": Rule("error", REFUSED, FILES, 'write {"role": ..., "content": ...}.'),
    "missing-role": Rule("error", REFUSED, FILES, "say who speaks: system, user, assistant or tool."),
    "unknown-role": Rule("error", REFUSED, FILES),
    "developer-role": Rule("error", REFUSED, FILES),
    "unknown-message-key": Rule("error", REFUSED, FILES),
    "missing-content": Rule("error", REFUSED, FILES, "write a text."),
    "content-not-a-text": Rule("error", REFUSED, FILES, "write it as a text."),
    "content-in-parts": Rule("error", REFUSED, SEEN),
    "unknown-part": Rule(
        "error", "Only text and images are taken.", FILES, "write texts and images, or leave the line out."
    ),
    "empty-content": Rule(
        "error", "The model would learn to say nothing.", SENSE, "write a text, or take the line out."
    ),
    "special-token": Rule("error", "The provider refuses the whole file, or the model ends its answers there.", SEEN),
    "bad-message-name": Rule("error", REFUSED, CHAT),
    "weight-not-0-or-1": Rule("error", REFUSED, FILES, "write 0 or 1."),
    "weight-on-other-role": Rule("error", "Only answers are learnt.", FILES),
    "refusal-with-content": Rule("warning", "An answer refuses or answers, not both.", CHAT),
    "roles-alternate": Rule("error", "The model would learn to answer itself.", SEEN),
    "late-system-message": Rule("warning", "Most chat templates move it or drop it.", SENSE),
    "legacy-function-call": Rule("warning", "Providers take it still, and fewer each year.", FILES),
    # A tool call and its result.
    "calls-on-other-role": Rule("error", REFUSED, CHAT, "let the assistant make them."),
    "no-calls": Rule("error", REFUSED, CHAT),
    "too-many-calls": Rule("error", REFUSED, CHAT, "ask for less in one turn."),
    "bad-tool-call": Rule("error", REFUSED, CHAT),
    "unknown-call-key": Rule("error", REFUSED, CHAT),
    "missing-call-id": Rule("error", REFUSED, CHAT),
    "long-call-id": Rule("error", REFUSED, CHAT),
    "duplicate-call-id": Rule("error", "A result could not be told from the other's.", CHAT),
    "bad-call-name": Rule("error", REFUSED, CHAT),
    "wrapper-call": Rule("error", "The wrapper is the provider's own: no tool has that name.", SEEN),
    "calls-without-tools": Rule(
        "error",
        "The model would learn to call what it was never offered.",
        TOOLS,
        "add the tools that the request offered.",
    ),
    "unknown-tool": Rule("error", "The model would learn to call what it was never offered.", TOOLS),
    "arguments-missing": Rule("error", REFUSED, CHAT),
    "arguments-not-a-text": Rule("error", REFUSED, CHAT),
    "arguments-not-json": Rule("error", "No such call would parse.", CHAT, "write them as json.dumps does."),
    "arguments-encoded-twice": Rule(
        "error", "The model would learn to answer with a quoted string, and no call would parse.", SEEN
    ),
    "arguments-not-an-object": Rule("error", "No such call would parse.", CHAT),
    "arguments-misfit": Rule(
        "error",
        "The model would learn calls that the tool refuses.",
        TOOLS,
        "mend the call, or the schema of the tool.",
    ),
    "call-in-text": Rule(
        "warning",
        "The model would learn to write it as text, and nobody would run it.",
        SENSE,
        "write it as tool_calls, and its result as a message of the role 'tool'.",
    ),
    "undefined-argument": Rule("warning", "The tool says nothing of it, so the model has to guess it.", TOOLS),
    "calls-against-flag": Rule("error", "The line says one call at a time and shows several at once.", TOOLS),
    "repeated-call": Rule("warning", "The model would learn to call twice.", SENSE),
    "tool-result-without-id": Rule("error", REFUSED, CHAT),
    "tool-result-without-call": Rule("error", REFUSED, CHAT),
    "tool-result-twice": Rule("error", REFUSED, CHAT, "keep one of them."),
    "tool-call-without-result": Rule("error", REFUSED, CHAT),
    # Tool definitions.
    "no-tools": Rule("error", REFUSED, TOOLS),
    "too-many-tools": Rule("error", REFUSED, TOOLS, "offer those that the request may need."),
    "many-tools": Rule("warning", "With more than twenty, models choose worse.", TOOLS),
    "bad-tool": Rule("error", REFUSED, TOOLS, "mend it, or leave the key out."),
    "unknown-tool-key": Rule("error", REFUSED, TOOLS),
    "bad-tool-name": Rule("error", REFUSED, TOOLS),
    "duplicate-tool": Rule("error", REFUSED, TOOLS),
    "tool-without-description": Rule("warning", "The model has the name alone to go by.", TOOLS),
    "unknown-type": Rule("error", REFUSED, TOOLS),
    "bad-schema": Rule("error", REFUSED, TOOLS, "mend it by JSON Schema 2020-12."),
    "dangling-reference": Rule("error", REFUSED, TOOLS, "put what it names under $defs, or write it out."),
    "not-an-object-schema": Rule(
        "error", "Arguments are one object.", TOOLS, 'write {"type": "object", "properties": {...}}.'
    ),
    "incomplete-schema": Rule(
        "error", "OpenAI refuses every request and every file that offers this tool.", INCOMPLETE
    ),
    "required-without-property": Rule(
        "warning", "The model has to guess what it is.", TOOLS, "define it under properties, or take it out."
    ),
    "beyond-strict": Rule("error", "With strict the provider refuses every request that offers this tool.", STRICT),
    # Parallel calls.
    "flag-without-tools": Rule("error", REFUSED, CHAT),
    "flag-not-a-boolean": Rule("error", REFUSED, CHAT, "write true or false."),
    "flag-differs": Rule("warning", "The flag would tell the model the answer.", TOOLS),
    "tool-never-called": Rule(
        "warning", "The model learns no use of it.", SENSE, "add requests that need it, or take it out."
    ),
    "always-a-call": Rule("warning", "The model would learn to call a tool whatever it is told.", TOOLS),
    # Preferences.
    "missing-input": Rule("error", REFUSED, DPO, 'write {"messages": [...]}.'),
    "missing-output": Rule("error", REFUSED, DPO, 'add it: [{"role": "assistant", ...}].'),
    "not-one-output": Rule("error", REFUSED, DPO),
    "output-not-assistant": Rule("error", REFUSED, DPO),
    "equal-outputs": Rule(
        "error", "Two equal answers teach nothing.", DPO, "write another answer, or take the line out."
    ),
    "input-ends-with-assistant": Rule("error", "The answer to prefer comes after the input.", DPO),
    # Reinforcement.
    "last-not-user": Rule("error", "The model answers the last message itself.", REINFORCEMENT),
    "nothing-to-grade-by": Rule("warning", "A grader sees the answer and no more.", REINFORCEMENT),
}


@dataclass(frozen=True)
class Pack:
    """What one provider takes: limits, and rules that weigh more or less there, None that are none.

    `strict` says whose subset of JSON Schema strict tools must keep to.
    """

    name: str
    source: str
    min_examples: int = 10
    max_tools: int = 128
    many_tools: int = 20
    max_calls: int = 128
    call_id_characters: int = 40
    name_pattern: str = r"[a-zA-Z0-9_-]{1,64}"
    example_tokens: int = 65_536
    encoding: str = "o200k_base"
    strict: Target = "tuned"
    severities: Mapping[str, Severity | None] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.name, self.name_pattern, self.strict))  # quick: what is known of tools is kept by pack

    def severity(self, rule: str) -> Severity | None:
        """Return how much breaking a rule weighs here, None where it is no rule."""
        return self.severities.get(rule, RULES[rule].severity)


DEFAULT = "openai"
PACKS: Mapping[str, Pack] = {
    each.name: each
    for each in (
        Pack("openai", "OpenAI fine-tuning guide (2026-11)"),
        Pack(
            "azure",
            "Azure AI Foundry fine-tuning documentation (2026-11)",
            severities={"byte-order-mark": None},  # its documentation asks for one
        ),
        Pack(
            "compatible",
            "the protocol alone",
            severities={"too-few-examples": "warning", "incomplete-schema": "warning"},
        ),
        Pack("embedded", "ftbuild's own server", severities={"incomplete-schema": "warning"}),
    )
}


def found(rule: str, at: str, what: str, fix: str = "") -> Problem:
    """Return a finding of a rule at a place inside a line, with no file yet."""
    known = RULES[rule]
    return Problem(what, at=at, why=known.why, fix=fix or known.fix, rule=rule, severity=known.severity)


def special_token(text: str, at: str) -> Iterator[Problem]:
    """Yield a special token of some tokenizer in a text."""
    if "<|" in text and (token := SPECIAL_TOKEN.search(text)):
        yield found("special-token", at, f"special token {token.group()!r}", "take it out of the text.")
