"""Bodies on the wire: requests checked and turned into values, records turned into bodies.

Owns OpenAI's shapes, limits and error texts. Knows nothing of sockets, files or tensors.
Source: OpenAI API reference and the types of openai 3.54 (2026-11). What this server cannot do is
refused with a 400, never ignored.
"""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftbuild.chat import Message, said
from ftbuild.embedded.state import Record, new_id
from ftbuild.embedded.weights import base_name

AUTO = "auto"
DEFAULT_MAX_TOKENS = 512
INTEGRATIONS_AT_MOST = 5
TAGS_AT_MOST = 50
ELSEWHERE = "Data that needs it: ftbuild dataset. A build of it without training: provider=rehearsal."
NEUTRAL: Mapping[str, Sequence[Any]] = {  # what a request may say although nothing comes of it
    "stream": (False,),
    "n": (1,),
    "top_p": (1,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logprobs": (False,),
    "response_format": ({"type": "text"},),
    "tools": ([],),
    "parallel_tool_calls": (),
    "user": (),
    "store": (False,),
}


WITH_TOOLS = ("tools", "tool_choice", "parallel_tool_calls", "response_format")  # what a rehearsal takes besides


class ApiError(Exception):
    """A refusal in OpenAI's shape."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        param: str | None = None,
        code: str | None = None,
        kind: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


@dataclass(frozen=True)
class JobRequest:
    """A fine-tuning job as asked for, every default filled in but "auto"."""

    model: str
    training_file: str
    validation_file: str | None
    suffix: str | None
    seed: int | None
    metadata: Mapping[str, str] | None
    method: Record
    integrations: Sequence[Record] = ()


@dataclass(frozen=True)
class ChatRequest:
    """A completion as asked for; `max_tokens` None is the server's limit."""

    model: str
    messages: Sequence[Mapping[str, str]]
    max_tokens: int | None
    temperature: float
    seed: int | None
    stop: Sequence[str]
    tools: Sequence[Record] = ()
    form: Record | None = None


def page(records: Sequence[Record], query: Mapping[str, str], default: int) -> Record:
    """Return one page of a list: `limit` records behind the one whose id is `after`."""
    try:
        limit = int(query.get("limit", default))
    except ValueError:
        limit = 0
    if not 1 <= limit <= 10_000:
        raise ApiError(f"Invalid 'limit': {query['limit']!r}.", param="limit", code="invalid_value")
    start = 0
    if after := query.get("after"):
        found = [index for index, record in enumerate(records) if record["id"] == after]
        if not found:
            raise ApiError(f"No such object: {after}", param="after", code="invalid_value")
        start = found[0] + 1
    shown = [public(record) for record in records[start : start + limit]]
    ids = {"first_id": shown[0]["id"], "last_id": shown[-1]["id"]} if shown else {}
    return {"object": "list", "data": shown, "has_more": start + limit < len(records), **ids}


def public(record: Record) -> Record:
    """Return a record without what is ours alone."""
    return {key: value for key, value in record.items() if not key.startswith("_")}


def metadata_filter(query: Mapping[str, str]) -> dict[str, str]:
    """Return the pairs of `metadata[key]=value` in a query."""
    return {key[9:-1]: value for key, value in query.items() if key.startswith("metadata[") and key.endswith("]")}


# --- jobs ---------------------------------------------------------------------------------------


def job_request(body: Any, *, rehearses: bool = False) -> JobRequest:
    """Return the checked request of POST /fine_tuning/jobs; one that `rehearses` may say what other providers take.

    Raises:
        ApiError: something is missing, out of range, unknown or not supported here.
    """
    known = {"model", "training_file", "validation_file", "suffix", "seed", "metadata", "method", "hyperparameters"}
    given = _given(body, set(body) if rehearses and isinstance(body, dict) else known | {"integrations"})
    suffix = _typed(given, "suffix", str)
    if suffix is not None and not re.fullmatch(r"[A-Za-z0-9._ -]{1,64}", suffix):
        raise ApiError(
            "'suffix' must be 1 to 64 characters: letters, digits, '-', '_', '.' and space.",
            param="suffix",
            code="invalid_value",
        )
    seed = _typed(given, "seed", int)
    if seed is not None and not 0 <= seed < 2**31:
        raise ApiError("'seed' must be between 0 and 2147483647.", param="seed", code="invalid_value")
    return JobRequest(
        model=_required(given, "model"),
        training_file=_required(given, "training_file"),
        validation_file=_typed(given, "validation_file", str),
        suffix=suffix,
        seed=seed,
        metadata=_metadata(given.get("metadata")),
        method=_method(given, rehearses=rehearses),
        integrations=_integrations(given.get("integrations")),
    )


def _method(given: Record, *, rehearses: bool) -> Record:
    """Return the method with all its hyperparameters; a rehearsal takes any method, and whatever it says."""
    method = given.get("method") or {"type": "supervised"}
    if not isinstance(method, dict) or method.get("type") not in ("supervised", "dpo", "reinforcement"):
        message = "'method.type' must be 'supervised' or 'dpo'."
        raise ApiError(message, param="method.type", code="invalid_value")
    named = str(method["type"])
    if named == "reinforcement" and not rehearses:
        raise ApiError(
            "This server cannot train with method 'reinforcement': it can do 'supervised' and 'dpo'.",
            param="method.type",
            code="unsupported_value",
        )
    own = method.get(named) or {}
    own = _given(own, set(own) if rehearses else {"hyperparameters"}, f"method.{named}.")
    where = f"method.{named}.hyperparameters" if own else "hyperparameters"
    asked = own.get("hyperparameters", given.get("hyperparameters"))
    return {
        "type": named,
        named: {**own, "hyperparameters": _hyperparameters(asked, named, where, rehearses=rehearses)},
    }


def _hyperparameters(asked: Any, method: str, where: str, *, rehearses: bool) -> dict[str, int | float | str]:
    limits: dict[str, tuple[type, float, float]] = {
        "n_epochs": (int, 1, 50),
        "batch_size": (int, 1, 256),
        "learning_rate_multiplier": (float, 1e-6, 1e3),
    }
    if method == "dpo":
        limits["beta"] = (float, 1e-6, 2)
    theirs = set(asked or {}) - set(limits) if rehearses else set()
    asked = _given(asked or {}, set(limits) | theirs, f"{where}.")
    taken = {name: asked.pop(name) for name in theirs & set(asked)}
    for name, value in asked.items():
        kind, least, most = limits[name]
        number = isinstance(value, (int, float) if kind is float else int) and not isinstance(value, bool)
        if value != AUTO and not (number and least <= value <= most):
            raise ApiError(
                f"Invalid '{where}.{name}': {value!r} is not 'auto' or "
                f"{'a number' if kind is float else 'an integer'} from {least:g} to {most:g}.",
                param=f"{where}.{name}",
                code="invalid_value",
            )
    return {name: asked.get(name, AUTO) for name in limits} | taken


def _integrations(value: Any) -> list[Record]:
    """Return the integrations as a job tells them: every field of the SDK's type, null where it was not given."""
    value = [] if value is None else value
    if not isinstance(value, list):
        raise ApiError("Invalid type for 'integrations': expected a list.", param="integrations", code="invalid_type")
    if len(value) > INTEGRATIONS_AT_MOST:
        message = f"'integrations' has {len(value)} entries, but at most {INTEGRATIONS_AT_MOST} are allowed."
        raise ApiError(message, param="integrations", code="array_above_max_length")
    found = []
    for number, each in enumerate(value):
        at = f"integrations[{number}]"
        given = _given(each, {"type", "wandb"}, f"{at}.")
        if given.get("type") != "wandb":
            message = f"Invalid value for '{at}.type': {given.get('type')!r}. Supported values are: 'wandb'."
            raise ApiError(message, param=f"{at}.type", code="invalid_value")
        if "wandb" not in given:
            raise ApiError(
                f"Missing required parameter: '{at}.wandb'.", param=f"{at}.wandb", code="missing_required_parameter"
            )
        found.append({"type": "wandb", "wandb": _wandb(given["wandb"], f"{at}.wandb")})
    return found


def _wandb(value: Any, at: str) -> Record:
    given = _given(value, {"project", "entity", "name", "tags"}, f"{at}.")
    if "project" not in given:
        raise ApiError(
            f"Missing required parameter: '{at}.project'.", param=f"{at}.project", code="missing_required_parameter"
        )
    for name in ("project", "entity", "name"):
        if name in given and (not isinstance(given[name], str) or not given[name]):
            message = f"Invalid type for '{at}.{name}': expected a string with at least one character."
            raise ApiError(message, param=f"{at}.{name}", code="invalid_type")
    tags = given.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) and 0 < len(tag) <= 64 for tag in tags):
        message = f"Invalid '{at}.tags': expected a list of strings of 1 to 64 characters."
        raise ApiError(message, param=f"{at}.tags", code="invalid_value")
    if len(tags) > TAGS_AT_MOST:
        message = f"'{at}.tags' has {len(tags)} entries, but at most {TAGS_AT_MOST} are allowed."
        raise ApiError(message, param=f"{at}.tags", code="array_above_max_length")
    return {name: given.get(name) for name in ("project", "entity", "name")} | {"tags": given.get("tags")}


def _metadata(value: Any) -> dict[str, str] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ApiError("'metadata' must be an object of strings.", param="metadata", code="invalid_type")
    if len(value) > 16:
        raise ApiError(
            f"'metadata' has {len(value)} pairs, but at most 16 are allowed.", param="metadata", code="invalid_value"
        )
    for key, text in value.items():
        if len(key) > 64 or len(text) > 512:
            raise ApiError(
                f"'metadata' key {key[:64]!r}: keys have at most 64 characters, values at most 512.",
                param="metadata",
                code="invalid_value",
            )
    return value


def job_record(request: JobRequest, seed: int) -> Record:
    """Return the record of a job that waits for its turn."""
    job_id = new_id("ftjob-")
    return {
        "id": job_id,
        "object": "fine_tuning.job",
        "created_at": int(time.time()),
        "finished_at": None,
        "model": request.model,
        "fine_tuned_model": None,
        "organization_id": "org-ftbuild",
        "status": "validating_files",
        "hyperparameters": request.method[request.method["type"]]["hyperparameters"],
        "method": request.method,
        "training_file": request.training_file,
        "validation_file": request.validation_file,
        "result_files": [],
        "trained_tokens": None,
        "seed": seed,
        "estimated_finish": None,
        "integrations": [dict(each) for each in request.integrations],
        "metadata": request.metadata,
        "user_provided_suffix": request.suffix,
        "error": None,
        "_name": f"ft:{base_name(request.model)}:ftbuild:{(request.suffix or '').replace(' ', '-')}:{job_id[-8:]}",
        "_checkpoints": [],
        "_at": time.time_ns(),
    }


# --- completions --------------------------------------------------------------------------------


def chat_request(body: Any, *, rehearses: bool = False) -> ChatRequest:
    """Return the checked request of POST /chat/completions; in one that `rehearses` tools and a form may be asked for.

    Raises:
        ApiError: something is missing, out of range, unknown or not supported here.
    """
    known = {"model", "messages", "temperature", "max_completion_tokens", "max_tokens", "seed", "stop"}
    given = _given(body, known | set(NEUTRAL) | (set(WITH_TOOLS) if rehearses else set()))
    for name, neutral in NEUTRAL.items():
        if name in given and name not in ("user", *(WITH_TOOLS if rehearses else ())) and given[name] not in neutral:
            raise _unsupported(name)
    temperature = _typed(given, "temperature", float)
    if temperature is not None and not 0 <= temperature <= 2:
        raise ApiError("'temperature' must be between 0 and 2.", param="temperature", code="invalid_value")
    max_tokens = None
    for name in ("max_completion_tokens", "max_tokens"):
        if max_tokens is None and (asked := _typed(given, name, int)) is not None:
            if asked < 1:
                raise ApiError(f"'{name}' must be at least 1.", param=name, code="integer_below_min_value")
            max_tokens = asked
    stop = given.get("stop") or []
    stop = [stop] if isinstance(stop, str) else stop
    if not isinstance(stop, list) or len(stop) > 4 or not all(isinstance(text, str) and text for text in stop):
        raise ApiError("'stop' must be a string or up to 4 strings.", param="stop", code="invalid_type")
    return ChatRequest(
        model=_required(given, "model"),
        messages=plain(given["messages"]) if rehearses and given.get("messages") else _messages(given.get("messages")),
        max_tokens=max_tokens,
        temperature=1.0 if temperature is None else float(temperature),
        seed=_typed(given, "seed", int),
        stop=stop,
        tools=given.get("tools") or (),
        form=given.get("response_format"),
    )


def _messages(value: Any) -> list[dict[str, str]]:
    if not isinstance(value, list) or not value:
        raise ApiError("'messages' must be a list with at least one message.", param="messages", code="invalid_type")
    messages = []
    for index, message in enumerate(value):
        at = f"messages[{index}]"
        given = _given(message, {"role", "content", "name"}, f"{at}.")
        role, content = given.get("role"), given.get("content")
        role = "system" if role == "developer" else role
        if role not in ("system", "user", "assistant"):
            raise ApiError(f"Invalid value: {role!r} is not a role this server knows.", param=f"{at}.role")
        if isinstance(content, list) and all(isinstance(part, dict) and part.get("type") == "text" for part in content):
            content = "".join(str(part.get("text", "")) for part in content)
        if not isinstance(content, str):
            raise ApiError(f"'{at}.content' must be a string or text parts.", param=f"{at}.content")
        messages.append({"role": role, "content": content})
    return messages


def plain(messages: Sequence[Record]) -> list[Record]:
    """Return messages as texts: calls as people write them, parts joined."""
    found = []
    for each in messages:
        content = each.get("content")
        if isinstance(content, list):
            content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
        message = Message.from_json({**each, "content": content})
        found.append({"role": message.role, "content": said(message), "weight": message.weight})
    return found


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
        message |= {"content": None, "tool_calls": list(tool_calls)}
    return {
        "id": new_id("chatcmpl-"),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": request.model,
        "choices": [
            {
                "index": 0,
                "message": message,
                "logprobs": None,
                "finish_reason": "tool_calls" if tool_calls else finish_reason,
            }
        ],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }


# --- pieces -------------------------------------------------------------------------------------


def _given(body: Any, known: set[str], at: str = "") -> Record:
    """Return what an object says, nulls left out; an unknown key is refused."""
    if not isinstance(body, dict):
        what = f"'{at.rstrip('.')}' is" if at else "The body is"
        raise ApiError(f"{what} not a JSON object.", param=at.rstrip(".") or None, code="invalid_type")
    for key in body:
        if key not in known:
            raise ApiError(f"Unknown parameter: '{at}{key}'.", param=f"{at}{key}", code="unknown_parameter")
    return {key: value for key, value in body.items() if value is not None}


def _required(given: Record, name: str) -> str:
    if name not in given:
        raise ApiError(f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter")
    return str(_typed(given, name, str))


def _typed(given: Record, name: str, kind: type) -> Any:
    value = given.get(name)
    fits = isinstance(value, (int, float) if kind is float else kind) and not isinstance(value, bool)
    if value is not None and not fits:
        words = {str: "a string", int: "an integer", float: "a number"}
        raise ApiError(f"Invalid type for '{name}': expected {words[kind]}.", param=name, code="invalid_type")
    return value


def _unsupported(name: str) -> ApiError:
    said = f"This server does not support {name!r} yet."
    said += f" {ELSEWHERE}" if name in ("tools", "response_format") else ""
    return ApiError(said, param=name, code="unsupported_parameter")
