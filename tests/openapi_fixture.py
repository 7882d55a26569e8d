"""OpenAI's published API description as an oracle: what a request may say, what an answer looks like.

openai_openapi.json holds the parts that ftbuild speaks, cut out of the published file and without its prose:

    python tests/openapi_fixture.py openapi.json COMMIT LICENSE > tests/openai_openapi.json

Source: github.com/openai/openai-openapi, MIT. The commit and the licence stand in the file.
"""

import json
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

VENDORED = Path(__file__).with_name("openai_openapi.json")
ROUTES = (
    "POST /files",
    "GET /files/{file_id}",
    "GET /files/{file_id}/content",
    "POST /fine_tuning/jobs",
    "GET /fine_tuning/jobs",
    "GET /fine_tuning/jobs/{fine_tuning_job_id}",
    "POST /fine_tuning/jobs/{fine_tuning_job_id}/cancel",
    "POST /fine_tuning/jobs/{fine_tuning_job_id}/pause",
    "POST /fine_tuning/jobs/{fine_tuning_job_id}/resume",
    "GET /fine_tuning/jobs/{fine_tuning_job_id}/events",
    "GET /fine_tuning/jobs/{fine_tuning_job_id}/checkpoints",
    "POST /chat/completions",
    "GET /models",
    "GET /models/{model}",
)
ERROR = "ErrorResponse"
PROSE = ("description", "example", "examples", "x-oaiMeta", "x-oaiExpandable", "x-stainless-naming", "title")
NAMES = ("properties", "schemas")  # whose members are names, not keywords
REF = "#/components/schemas/"


# --- the description as it is used ---------------------------------------------------------------


@cache
def described() -> dict[str, Any]:
    """Return the description; what it still says in the words of OpenAPI 3.0 is said as JSON Schema has it.

    It is of 3.1, where `nullable` and a boolean `exclusiveMinimum` mean nothing any more, and would refuse
    `suffix: null` and a multiplier of 0.5.
    """
    found: dict[str, Any] = _mended(json.loads(VENDORED.read_bytes()))
    return found


def _mended(value: Any) -> Any:
    if isinstance(value, list):
        return [_mended(each) for each in value]
    if not isinstance(value, dict):
        return value
    found = {name: _mended(each) for name, each in value.items()}
    if found.get("exclusiveMinimum") is True:
        found["exclusiveMinimum"] = found.pop("minimum")
    if found.get("nullable") is True:
        del found["nullable"]
        found = {"anyOf": [found, {"type": "null"}]}
    return found


def wrong_request(method: str, path: str, query: dict[str, str], body: Any) -> list[str]:
    """Return what the description has against a request; `path` has no /v1, `body` is None of one without JSON."""
    name = route_of(method, path)
    if name is None:
        return [f"{method} {path}: no such route"]
    told = described()["routes"][name]
    found = [f"{name}: no query parameter {each!r}" for each in query if _plain(each) not in told["query"]]
    if body is not None and told["body"]:
        found += [f"{name}: {each}" for each in wrong(told["body"], body)]
        found += [f"{name}: no parameter {each!r}" for each in body if each not in _members(told["body"])]
    return found


def wrong_answer(method: str, path: str, status: int, body: Any) -> list[str]:
    """Return what the description has against an answer."""
    name = route_of(method, path)
    schema = ERROR if status >= 400 else described()["routes"][str(name)]["answer"]
    return [f"{name} {status}: {each}" for each in wrong(schema, body)]


def route_of(method: str, path: str) -> str | None:
    """Return the route of a request, None where there is none."""
    for name in described()["routes"]:
        pattern = re.sub(r"\{\w+\}", "[^/]+", name)
        if re.fullmatch(pattern, f"{method} {path}"):
            return str(name)
    return None


def wrong(schema: str, value: Any) -> list[str]:
    """Return what a named schema has against a value."""
    from jsonschema import Draft202012Validator

    checked = Draft202012Validator({"$ref": f"{REF}{schema}", "components": {"schemas": described()["schemas"]}})
    return [f"{each.json_path}: {each.message}" for each in checked.iter_errors(value)]


def _members(schema: str) -> set[str]:
    """Return the names that an object of a schema may have at its top."""

    def members(value: dict[str, Any]) -> set[str]:
        if "$ref" in value:
            return _members(value["$ref"].removeprefix(REF))
        parts = [members(each) for word in ("allOf", "anyOf") for each in value.get(word, ())]
        return set(value.get("properties", ())).union(*parts)

    return members(described()["schemas"][schema])


def _plain(parameter: str) -> str:
    """Return the name of a query parameter without the key of a map: metadata[ftbuild_key]."""
    return parameter.partition("[")[0]


# --- cutting it out ------------------------------------------------------------------------------


def cut_out(whole: dict[str, Any], commit: str, licence: str) -> dict[str, Any]:
    """Return what is kept of the published file."""
    routes = {}
    for name in ROUTES:
        method, path = name.split()
        told = whole["paths"][path][method.lower()]
        content = (told.get("requestBody") or {"content": {}})["content"]
        answer = told["responses"]["200"].get("content", {})
        routes[name] = {
            "query": [each["name"] for each in told.get("parameters", ()) if each["in"] == "query"],
            "body": _named(content, "application/json"),
            "answer": _named(answer, "application/json"),
        }
    schemas, wanted = whole["components"]["schemas"], [ERROR]
    wanted += [each for told in routes.values() for each in (told["body"], told["answer"]) if each]
    kept: dict[str, Any] = {}
    while wanted:
        if (name := wanted.pop()) not in kept:
            kept[name] = without_prose(schemas[name])
            wanted += [each.removeprefix(REF) for each in _references(kept[name])]
    source = {"repository": "github.com/openai/openai-openapi", "commit": commit, "file": "openapi.json"}
    return {"source": source, "licence": licence, "routes": routes, "schemas": dict(sorted(kept.items()))}


def _named(content: dict[str, Any], kind: str) -> str | None:
    schema = (content.get(kind) or {}).get("schema") or {}
    return str(schema["$ref"]).removeprefix(REF) if "$ref" in schema else None


def without_prose(value: Any, *, names: bool = False) -> Any:
    """Return a schema without descriptions and examples; where `names` are, none of them is a keyword."""
    if isinstance(value, list):
        return [without_prose(each) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {name: each for name, each in value.items() if names or name not in PROSE}
    return {name: without_prose(each, names=name in NAMES and not names) for name, each in kept.items()}


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)


if __name__ == "__main__":
    published, commit, licence = sys.argv[1:]
    cut = cut_out(json.loads(Path(published).read_bytes()), commit, Path(licence).read_text(encoding="utf-8"))
    print(json.dumps(cut, ensure_ascii=False, separators=(",", ":")))
