"""Bodies of jobs and lists on the wire: requests checked and turned into values, records turned into bodies.

Owns OpenAI's shapes, limits and error texts. Knows nothing of sockets, files or tensors.
Source: OpenAI API reference and the types of openai 3.54 (2026-11). What this server cannot do is
refused with a 400, never ignored.
"""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftbuild.embedded.state import Record, new_id
from ftbuild.embedded.weights import base_name

AUTO = "auto"
INTEGRATIONS_AT_MOST = 5
TAGS_AT_MOST = 50
PROJECT = re.compile(r"[^/\\#?%:]{1,128}")  # as wandb 0.31 checks its name
OLDER = ("n_epochs", "batch_size", "learning_rate_multiplier")  # hyperparameters that jobs of every method have


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
    """Return a record without what is ours alone; a job's `hyperparameters` are the three that its type knows."""
    told = {key: value for key, value in record.items() if not key.startswith("_")}
    if "hyperparameters" in told:
        told["hyperparameters"] = {key: told["hyperparameters"][key] for key in told["hyperparameters"] if key in OLDER}
    return told


def with_metadata(jobs: Sequence[Record], query: Mapping[str, str]) -> list[Record]:
    """Return the jobs that have the pairs of `metadata[key]=value` in a query; those without any for `metadata=null`.

    Raises:
        ApiError: it says both, or something else of them.
    """
    wanted = {key[9:-1]: value for key, value in query.items() if key.startswith("metadata[") and key.endswith("]")}
    if not query.get("metadata"):
        return [job for job in jobs if wanted.items() <= (job["metadata"] or {}).items()]
    if query["metadata"] != "null" or wanted:
        message = "Invalid 'metadata': a list is filtered by 'metadata[key]=value', or by 'metadata=null' alone."
        raise ApiError(message, param="metadata", code="invalid_value")
    return [job for job in jobs if job["metadata"] is None]


# --- jobs ---------------------------------------------------------------------------------------


def job_request(body: Any, *, rehearses: bool = False) -> JobRequest:
    """Return the checked request of POST /fine_tuning/jobs; one that `rehearses` may say what other providers take.

    Raises:
        ApiError: something is missing, out of range, unknown or not supported here.
    """
    known = {"model", "training_file", "validation_file", "suffix", "seed", "metadata", "method", "hyperparameters"}
    given = given_in(body, None if rehearses else known | {"integrations"})
    suffix = typed(given, "suffix", str)
    if suffix is not None and not re.fullmatch(r"[A-Za-z0-9._ -]{1,64}", suffix):
        raise ApiError(
            "'suffix' must be 1 to 64 characters: letters, digits, '-', '_', '.' and space.",
            param="suffix",
            code="invalid_value",
        )
    seed = typed(given, "seed", int)
    if seed is not None and not 0 <= seed < 2**31:
        raise ApiError("'seed' must be between 0 and 2147483647.", param="seed", code="invalid_value")
    return JobRequest(
        model=required(given, "model"),
        training_file=required(given, "training_file"),
        validation_file=typed(given, "validation_file", str),
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
    own = given_in(method.get(named) or {}, None if rehearses else {"hyperparameters"}, f"method.{named}.")
    if named == "reinforcement" and not isinstance(own.get("grader"), dict):
        at = "method.reinforcement.grader"
        raise ApiError(f"Missing required parameter: '{at}'.", param=at, code="missing_required_parameter")
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
    given = given_in(asked or {}, None if rehearses else set(limits), f"{where}.")
    asked = {name: value for name, value in given.items() if name in limits}
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
    return {**dict.fromkeys(limits, AUTO), **given}


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
        given = given_in(each, {"type", "wandb"}, f"{at}.")
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
    given = given_in(value, {"project", "entity", "name", "tags"}, f"{at}.")
    if "project" not in given:
        raise ApiError(
            f"Missing required parameter: '{at}.project'.", param=f"{at}.project", code="missing_required_parameter"
        )
    for name in ("project", "entity", "name"):
        if name in given and (not isinstance(given[name], str) or not given[name]):
            message = f"Invalid type for '{at}.{name}': expected a string with at least one character."
            raise ApiError(message, param=f"{at}.{name}", code="invalid_type")
    if not PROJECT.fullmatch(given["project"]):
        message = f"Invalid '{at}.project': W&B takes 1 to 128 characters, none of them one of / \\ # ? % :"
        raise ApiError(message, param=f"{at}.project", code="invalid_value")
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


# --- pieces -------------------------------------------------------------------------------------


def given_in(body: Any, known: set[str] | None, at: str = "") -> Record:
    """Return what an object says, nulls left out; a key that is not among the `known` is refused, None takes any."""
    if not isinstance(body, dict):
        what = f"'{at.rstrip('.')}' is" if at else "The body is"
        raise ApiError(f"{what} not a JSON object.", param=at.rstrip(".") or None, code="invalid_type")
    for key in body:
        if known is not None and key not in known:
            raise ApiError(f"Unknown parameter: '{at}{key}'.", param=f"{at}{key}", code="unknown_parameter")
    return {key: value for key, value in body.items() if value is not None}


def required(given: Record, name: str) -> str:
    """Return the text that must be given."""
    if name not in given:
        raise ApiError(f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter")
    return str(typed(given, name, str))


def typed(given: Record, name: str, kind: type) -> Any:
    """Return what is given, if it is of the kind str, int or float; None where nothing is."""
    value = given.get(name)
    fits = isinstance(value, (int, float) if kind is float else kind) and not isinstance(value, bool)
    if value is not None and not fits:
        words = {str: "a string", int: "an integer", float: "a number"}
        raise ApiError(f"Invalid type for '{name}': expected {words[kind]}.", param=name, code="invalid_type")
    return value
