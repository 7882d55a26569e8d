"""Rules of one training line, by method. Findings come in the order of the line, with no file and no line number."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ftbuild.problem import Problem, nearest
from ftbuild.rules import calls, definitions
from ftbuild.rules.messages import conversation
from ftbuild.rules.pack import Method, Pack, found
from ftbuild.rules.sound import is_sound
from ftbuild.tools.schemas import shown

SUPERVISED_KEYS = ("messages", "tools", "parallel_tool_calls", "functions")
INPUT_KEYS = ("messages", "tools", "parallel_tool_calls")
DPO_KEYS = ("input", "preferred_output", "non_preferred_output")
RENAMED = {"preferred_completion": "preferred_output", "non_preferred_completion": "non_preferred_output"}
BESIDE = "Nothing but what is learnt goes into a line; keep it in a file beside."
WHY_NOT = {
    "response_format": "The form of an answer is taught by the answers; the schema goes into the requests.",
    "weight": "A weight stands in a message of the role 'assistant'.",
    **dict.fromkeys(("messages", "tools", "parallel_tool_calls"), "In a preference it stands inside 'input'."),
    "system": "The system text is the first message.",
    "prompt": "Those were the lines of older models: write messages.",
    "completion": "Those were the lines of older models: write messages.",
}


def check(value: Any, method: Method, pack: Pack) -> list[Problem]:
    """Return what is wrong with one line, weighed as the pack does."""
    if not isinstance(value, dict):
        problems = iter([found("not-an-object", "", f"{shown(value)} is not a JSON object")])
    elif method == "supervised" and is_sound(value, pack):
        return []
    else:
        problems = METHODS[method](value, pack)
    return list(weighed(problems, pack))


def weighed(problems: Iterator[Problem], pack: Pack) -> Iterator[Problem]:
    """Yield the findings with the weight they have for a provider, without those that have none."""
    for problem in problems:
        severity = pack.severity(problem.rule)
        if severity is not None:
            yield problem if severity == problem.severity else replace(problem, severity=severity)


def supervised(line: dict[str, Any], pack: Pack) -> Iterator[Problem]:
    """Yield what is wrong with a conversation to learn from."""
    if "messages" not in line:
        yield _not_there(line, "supervised")
        return
    yield from _keys(line, SUPERVISED_KEYS)
    if line.get("functions") is not None:
        yield found("deprecated-functions", "functions", "the older form of tools", "write tools.")
    offered, wrong = definitions.tools(line, pack)
    yield from wrong
    messages = line["messages"]
    yield from conversation(messages, "messages", offered, pack, "supervised")
    if not isinstance(messages, list) or not messages:
        return
    spoken = [each for each in messages if isinstance(each, dict)]
    answers = [each for each in spoken if each.get("role") == "assistant"]
    if not answers:
        yield found("no-assistant", "messages", "no message of the role 'assistant'")
    elif all(each.get("weight") == 0 for each in answers):
        yield found("nothing-to-learn", "messages", "every answer has weight 0", "give one of them weight 1.")
    if answers and isinstance(messages[-1], dict) and messages[-1].get("role") != "assistant":
        role = messages[-1].get("role")
        what = f"the last message is of the role {shown(role)}"
        yield found("last-not-assistant", f"messages[{len(messages) - 1}]", what, "end with the answer to learn.")


def dpo(line: dict[str, Any], pack: Pack) -> Iterator[Problem]:
    """Yield what is wrong with a preference: an input, an answer to prefer and one to avoid."""
    if "input" not in line:
        yield _not_there(line, "dpo")
        return
    yield from _keys(line, DPO_KEYS)
    given = line["input"]
    offered = calls.Offered()
    if not isinstance(given, dict):
        yield found("missing-input", "input", f"{shown(given)} is not an object with messages")
    else:
        yield from _keys(given, INPUT_KEYS, "input.")
        offered, wrong = definitions.tools(given, pack, "input")
        yield from wrong
        if "messages" not in given:
            yield found("missing-messages", "input", "no messages")
        else:
            yield from _asked(given["messages"], offered, pack)
    asked = given.get("messages") if isinstance(given, dict) else None
    for key in DPO_KEYS[1:]:
        yield from _output(line, key, offered, pack)
        yield from _called_again(line.get(key), key, calls.ids(asked))
    preferred = line.get("preferred_output")
    if preferred is not None and preferred == line.get("non_preferred_output"):
        yield found("equal-outputs", "non_preferred_output", "the same as preferred_output")


def _asked(messages: Any, offered: calls.Offered, pack: Pack) -> Iterator[Problem]:
    yield from conversation(messages, "input.messages", offered, pack, "dpo")
    if isinstance(messages, list) and messages and isinstance(messages[-1], dict):
        last = messages[-1]
        if last.get("role") == "assistant":
            at = f"input.messages[{len(messages) - 1}]"
            fix = "add the results of its calls." if last.get("tool_calls") else "end with the user."
            yield found("input-ends-with-assistant", at, "the input ends with an answer", fix)


def _output(line: Mapping[str, Any], key: str, offered: calls.Offered, pack: Pack) -> Iterator[Problem]:
    if key not in line:
        if not any(RENAMED.get(other) == key for other in line):
            yield found("missing-output", "", f"no {key}")
        return
    listed = line[key]
    if not isinstance(listed, list) or len(listed) != 1:
        said = f"{len(listed)} messages" if isinstance(listed, list) else f"{shown(listed)} is not a list"
        yield found("not-one-output", key, f"{said}; one is needed", 'write [{"role": "assistant", ...}].')
        return
    only = listed[0]
    if isinstance(only, dict) and only.get("role") not in ("assistant", None):
        yield found("output-not-assistant", f"{key}[0].role", f"the role {shown(only['role'])}", "write 'assistant'.")
        return
    for problem in conversation(listed, key, offered, pack, "dpo"):
        if problem.rule != "no-user-message":
            yield problem


def _called_again(output: Any, key: str, ids: Mapping[str, str]) -> Iterator[Problem]:
    """Yield the calls of an answer whose ids the input has already."""
    for name, where in calls.ids(output).items():
        if name in ids:
            what = f"{name!r} is the id of a call in the input"
            yield found("duplicate-call-id", f"{key}{where}.id", what, "give it an id of its own.")


def reinforcement(line: dict[str, Any], pack: Pack) -> Iterator[Problem]:
    """Yield what is wrong with a request to be answered and graded; other keys are for the grader."""
    if "messages" not in line:
        yield _not_there(line, "reinforcement")
        return
    offered, wrong = definitions.tools({key: line[key] for key in ("tools",) if key in line}, pack)
    yield from wrong
    messages = line["messages"]
    yield from conversation(messages, "messages", offered, pack, "reinforcement")
    if isinstance(messages, list) and messages and isinstance(messages[-1], dict):
        role = messages[-1].get("role")
        if role != "user":
            what = f"the last message is of the role {shown(role)}"
            yield found("last-not-user", f"messages[{len(messages) - 1}]", what, "end with what is to be answered.")
    if not line.keys() - {"messages", "tools"}:
        yield found("nothing-to-grade-by", "", "no key beside the messages", "add the right answer under a key.")


METHODS: Mapping[Method, Callable[[dict[str, Any], Pack], Iterator[Problem]]] = {
    "supervised": supervised,
    "dpo": dpo,
    "reinforcement": reinforcement,
}


def recognised(value: Any) -> Method:
    """Return the method that a line looks made for, supervised where it does not tell."""
    if not isinstance(value, dict):
        return "supervised"
    if "messages" not in value:
        return "dpo" if _is_preference(value) else "supervised"
    return "reinforcement" if _is_to_grade(value) else "supervised"


def _is_to_grade(line: Mapping[str, Any]) -> bool:
    """Return whether a line ends with what is asked and says what an answer is graded by."""
    last = line["messages"][-1] if isinstance(line["messages"], list) and line["messages"] else None
    return isinstance(last, dict) and last.get("role") == "user" and any(each.startswith("reference") for each in line)


def _is_preference(line: Mapping[str, Any]) -> bool:
    """Return whether a line has a key of preferences; a text under `input` is that of pairs."""
    return bool(line.keys() & ({*DPO_KEYS, *RENAMED} - {"input"})) or isinstance(line.get("input"), dict)


def _not_there(line: Mapping[str, Any], method: Method) -> Problem:
    """Return what is said of a line without the key that makes it one of its method."""
    other: Method | None = None
    if method == "dpo":
        other = "supervised" if "messages" in line else None
    elif _is_preference(line):
        other = "dpo"
    if other is not None:
        return found("wrong-method", "", f"a line of the method {other}, not {method}", f"--method {other}")
    if method == "dpo":
        return found("missing-input", "", "no input", 'write {"input": {"messages": [...]}, ...}.')
    renamed = next(
        (each for each in ("conversations", "conversation", "dialog", "message") if _is_chat(line, each)), ""
    )
    init = "ftbuild init NAME --from FILE reads other layouts: ShareGPT, Alpaca, pairs, exported traces."
    fix = f"rename {renamed!r} to 'messages'." if renamed else f'write {{"messages": [...]}}; {init}'
    return found("missing-messages", "", "no messages", fix)


def _is_chat(line: Mapping[str, Any], key: str) -> bool:
    """Return whether messages with roles stand under a key."""
    listed = line.get(key)
    return (
        isinstance(listed, list) and bool(listed) and all(isinstance(each, dict) and "role" in each for each in listed)
    )


def _keys(line: Mapping[str, Any], known: tuple[str, ...], at: str = "") -> Iterator[Problem]:
    for key, value in line.items():
        if key in RENAMED and RENAMED[key] in known:
            fix = f"rename it to {RENAMED[key]!r}."
            yield found("renamed-key", f"{at}{key}", f"{key!r} is what older documentation says", fix)
        elif key not in known:
            close = nearest(key, known)
            fix = WHY_NOT.get(key) or (f"the nearest is {close!r}." if close else BESIDE)
            yield found("unknown-key", f"{at}{key}", f"no key {key!r} in a line", fix)
        elif value is None:
            yield found("null-value", f"{at}{key}", "null", "leave the key out.")
