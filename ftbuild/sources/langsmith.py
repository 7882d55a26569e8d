"""Runs out of LangSmith: JSON as the API and the bulk export write them, one run a line or all in one array.

Runs that are no call of a model (`run_type` other than llm) are left out and counted, and so are those with an `error`.
`inputs` and `outputs` are objects, or texts that hold them. `inputs.messages` is a list, or a list of one list, of
messages as OpenAI or LangChain write them. The answer is `outputs.generations[0][0].message` (LangChain),
`outputs.choices[0].message` (`wrap_openai`), `outputs.message`, the last of `outputs.messages`, or `outputs` itself.
Tools are `inputs.tools`, or `extra.invocation_params.tools`.
Source: docs.langchain.com/langsmith/run-data-format and /log-llm-trace; the packages langchain-core 1.8.4
(`tracers/core.py`) and langsmith 0.15.1 (`wrappers/_openai.py`) (2026-11).
"""

from collections.abc import Mapping
from typing import Any

from ftbuild.problem import Problem
from ftbuild.sources.conversations import Converted
from ftbuild.sources.filters import left_out
from ftbuild.sources.logged import UNANSWERED, Log, chosen, parsed
from ftbuild.tools.schemas import shown


def convert(value: Any) -> Converted:
    """Return a run as a training line."""
    if not isinstance(value, Mapping) or not {"inputs", "outputs"} <= set(value):
        fix = "export the runs with their fields inputs and outputs."
        return Converted(None, (Problem("no run: no inputs and outputs", fix=fix, rule="not-a-run"),))
    if value.get("run_type", "llm") != "llm":
        return Converted(None, (left_out("as no call of a model"),))
    if value.get("error"):
        return Converted(None, (left_out("as failed"),))
    inputs, outputs = parsed(value["inputs"]), parsed(value["outputs"])
    log = Log()
    asked, at = inputs.get("messages") if isinstance(inputs, Mapping) else None, "inputs.messages"
    if isinstance(asked, list) and len(asked) == 1 and isinstance(asked[0], list):
        asked, at = asked[0], f"{at}[0]"
    log.ask(asked, at)
    if isinstance(inputs, Mapping):
        extra = parsed(value.get("extra"))
        called_with = extra.get("invocation_params") if isinstance(extra, Mapping) else None
        if inputs.get("tools") is not None:
            log.offer(inputs["tools"], "inputs.tools")
        elif isinstance(called_with, Mapping):
            log.offer(called_with.get("tools"), "extra.invocation_params.tools")
    if outputs is None or outputs == {}:
        log.problems.append(left_out(UNANSWERED))
    elif not isinstance(outputs, Mapping):
        log.problems.append(_no_answer(outputs))
    else:
        _answer(log, outputs)
    return log.line()


def _answer(log: Log, outputs: Mapping[str, Any]) -> None:
    if outputs.get("choices") is not None:
        chosen(log, outputs["choices"], "outputs.choices")
    elif outputs.get("generations") is not None:
        listed = outputs["generations"]
        [only] = listed if isinstance(listed, list) and len(listed) == 1 else [listed]
        [only] = only if isinstance(only, list) and len(only) == 1 else [only]
        if not isinstance(only, Mapping):
            log.problems.append(_no_answer(listed, "outputs.generations"))
            return
        at = "outputs.generations[0][0]"
        about = only.get("generation_info")
        log.ended(about.get("finish_reason") if isinstance(about, Mapping) else None, f"{at}.generation_info")
        log.answer(only.get("message"), f"{at}.message")
    elif isinstance(outputs.get("messages"), list) and outputs["messages"]:
        log.answer(outputs["messages"][-1], f"outputs.messages[{len(outputs['messages']) - 1}]")
    elif outputs.get("message") is not None:
        log.answer(outputs["message"], "outputs.message")
    elif "role" in outputs:
        log.answer(outputs, "outputs")
    else:
        log.problems.append(_no_answer(outputs))


def _no_answer(value: Any, at: str = "outputs") -> Problem:
    fix = "outputs hold generations, choices, messages, a message, or are one."
    return Problem(f"{shown(value)} holds no answer", at=at, fix=fix, rule="not-one-answer")
