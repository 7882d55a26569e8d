"""Tools out of files of others: read and never run, refused with the place, and part of the key as they are read."""

import json
from pathlib import Path
from typing import Any

import pytest
from config_fixture import TONE, Own
from jsonschema import Draft202012Validator

from ftbuild.compose import compose
from ftbuild.tool_files import tools_of
from ftbuild.tools import files
from ftbuild.tools.python_file import UnreadableError, read

CODE = '''
from typing import Annotated, Literal, Optional
import nowhere_at_all

raise SystemExit("never run")

def get_weather(
    city: str,
    days: list[int],
    /,
    unit: Literal["C", "F"] = "C",
    *,
    near: "float | None" = None,
    why: Annotated[str, "For the log."],
    extra: dict[str, bool] | None = None,
    other: Optional[int] = 3,
) -> str:
    """Weather in a city,
    on some days.

    More that is of no use to a model.

    Args:
        city: Its name,
            as people say it.
        days (list): Days from now.
        unknown: Not a parameter.

    Returns:
        A text.
    """

async def ping(host): ...
def many(*hosts: str): ...
def odd(at: complex): ...
def bare(at: tuple[()]): ...
def torn(at: "list[int"): ...
def nothing(at: Literal[None]): ...
'''
OPENAPI: dict[str, Any] = {
    "openapi": "3.1.0",
    "paths": {
        "/tickets/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
            "post": {
                "operationId": "changeTicket",
                "summary": "Change a ticket.",
                "parameters": [
                    {"$ref": "#/components/parameters/Notify"},
                    {"name": "X-Key", "in": "header", "required": True, "schema": {"type": "string"}},
                ],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Change"}}}},
            },
        }
    },
    "components": {
        "parameters": {
            "Notify": {"name": "notify", "in": "query", "description": "Tell the owner.", "schema": {"type": "boolean"}}
        },
        "schemas": {
            "Change": {
                "type": "object",
                "required": ["state"],
                "properties": {
                    "state": {"$ref": "#/components/schemas/State"},
                    "parent": {"$ref": "#/components/schemas/Change"},
                },
            },
            "State": {"type": "string", "enum": ["open", "closed"]},
        },
    },
}  # fmt: skip
INPUT = {"$schema": "x", "type": "object", "properties": {"q": {"type": "string"}}}
MCP = {"id": 1, "result": {"tools": [{"name": "search", "description": "Search.", "inputSchema": INPUT}]}}


def test_a_typed_function_is_read_and_not_run() -> None:
    tool = read(CODE.encode(), "get_weather")
    assert tool.description == "Weather in a city, on some days."
    assert tool.parameters == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Its name, as people say it."},
            "days": {"type": "array", "items": {"type": "integer"}, "description": "Days from now."},
            "unit": {"type": "string", "enum": ["C", "F"]},
            "near": {"type": ["number", "null"]},
            "why": {"type": "string", "description": "For the log."},
            "extra": {"anyOf": [{"type": "object", "additionalProperties": {"type": "boolean"}}, {"type": "null"}]},
            "other": {"type": ["integer", "null"]},
        },
        "required": ["city", "days", "why"],
        "additionalProperties": False,
    }
    Draft202012Validator.check_schema(tool.parameters)


SAYS = [
    "Find.\\n\\n:param str q: What is looked\\n    for.\\n:param n: How many.\\n:returns: A list.",
    "Find.\\n:param q: What is looked for.\\n:type q: str\\n:param int n: How many.",
    "Find.\\n\\nParameters\\n----------\\nq : str\\n    What is looked\\n    for.\\nn : int, optional\\n"
    "    How many.\\n\\nReturns\\n-------\\nlist\\n    What was found.",
    "Find.\\n\\nArgs:\\n    q: What is looked for.\\n    n: How many.",
]


@pytest.mark.parametrize("docstring", SAYS)
def test_a_docstring_of_any_style_says_what_an_argument_is(docstring: str) -> None:
    tool = read(f'def find(q: str, n: int = 3):\n    "{docstring}"\n'.encode(), "find")
    assert tool.description == "Find."
    properties = (tool.parameters or {})["properties"]
    assert {name: each["description"] for name, each in properties.items()} == {
        "q": "What is looked for.",
        "n": "How many.",
    }


KNOWN = "use str, int, float, bool, list[...], dict, Literal[...] or ... | None."


@pytest.mark.parametrize(
    ("name", "said", "fix"),
    [
        ("get_wether", "no function 'get_wether'", "the nearest is 'get_weather'."),
        ("ping", "ping(host): no type", "write host: str, or whatever it is."),
        ("many", "many(*hosts): a tool's arguments have names", ""),
        ("odd", "odd(at): no type of JSON for complex", KNOWN),
        ("bare", "bare(at): no type of JSON for tuple[()]", ""),
        ("torn", "torn(at): 'list[int' is no type", ""),
        ("nothing", "nothing(at): no value of JSON in Literal[None]", "write texts, integers, True, False or None."),
    ],
)  # fmt: skip
def test_what_is_no_tool_is_refused(name: str, said: str, fix: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        read(CODE.encode(), name)
    assert (str(caught.value), caught.value.fix) == (said, fix)


@pytest.mark.parametrize(
    ("written", "schema"),
    [
        ("list", {"type": "array", "items": {}}),
        ("tuple[float, float]", {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}),
        (
            "tuple[int, str]",
            {
                "type": "array",
                "items": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
                "minItems": 2,
                "maxItems": 2,
            },
        ),
        ("tuple[int, ...]", {"type": "array", "items": {"type": "integer"}}),
        ("Literal[-1, 1]", {"type": "integer", "enum": [-1, 1]}),
        ("Literal['a', None]", {"enum": ["a", None]}),
        ("Annotated[int, Field(ge=1, description='Days.')]", {"type": "integer", "description": "Days."}),
        ("Annotated[int, typing_extensions.Doc('Days.')]", {"type": "integer", "description": "Days."}),
        ("Annotated[int, Ge(1)]", {"type": "integer"}),
    ],
)
def test_a_type_is_read_whole(written: str, schema: dict[str, Any]) -> None:
    tool = read(f"def f(x: {written}): ...".encode(), "f")
    assert tool.parameters is not None
    assert tool.parameters["properties"]["x"] == schema
    Draft202012Validator.check_schema(tool.parameters)


def test_an_operation_is_its_parameters_and_its_body_side_by_side() -> None:
    for content in (json.dumps(OPENAPI).encode(), b"# yaml\n" + json.dumps(OPENAPI).encode()):
        tool = files.openapi(content, "changeTicket")
        assert tool.description == "Change a ticket."
        assert tool.parameters == {
            "type": "object",
            "properties": {
                "id": {"type": "string"},
                "notify": {"type": "boolean", "description": "Tell the owner."},
                "state": {"$ref": "#/$defs/State"},
                "parent": {"$ref": "#/$defs/Change"},
            },
            "required": ["id", "state"],
            "$defs": {
                "State": {"type": "string", "enum": ["open", "closed"]},
                "Change": {
                    "type": "object",
                    "required": ["state"],
                    "properties": {"state": {"$ref": "#/$defs/State"}, "parent": {"$ref": "#/$defs/Change"}},
                },
            },
        }
        assert tool.parameters is not None
        checker = Draft202012Validator(tool.parameters)
        assert checker.is_valid({"id": "7", "state": "open", "parent": {"state": "closed"}})
        assert not checker.is_valid({"id": "7", "state": "ajar"})


def operation(given: Any, schemas: Any = None) -> Any:
    tree = {"paths": {"/{id}": {"post": {"operationId": "x", **given}}}, "components": {"schemas": schemas or {}}}
    return files.openapi(json.dumps(tree).encode(), "x").parameters


def body(schema: Any, form: str = "application/json") -> Any:
    return {"requestBody": {"content": {"text/html": {}, form: {"schema": schema}}}}


ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


@pytest.mark.parametrize(
    "form",
    [
        "application/json; charset=utf-8",
        "application/merge-patch+json",
        "multipart/form-data",
        "application/x-www-form-urlencoded",
    ],
)
def test_a_body_is_read_whatever_its_form(form: str) -> None:
    assert operation(body(TEXT, form)) == TEXT


def test_a_body_that_is_put_together_has_the_members_of_all() -> None:
    more = {"properties": {"n": {"type": "integer"}, "at": {"type": "string", "readOnly": True}}, "required": ["at"]}
    assert operation(body({"allOf": [{"$ref": "#/components/schemas/Text"}, more]}), {"Text": TEXT}) == {
        "type": "object",
        "properties": {"text": {"type": "string"}, "n": {"type": "integer"}},
        "required": ["text"],
    }


def test_a_parameter_of_json_has_its_schema_and_a_cookie_is_no_argument() -> None:
    listed = [
        {"name": "q", "in": "query", "content": {"application/json": {"schema": {"type": "integer"}}}},
        {"name": "session", "in": "cookie", "schema": {"type": "string"}},
    ]
    assert operation({"parameters": listed}) == {
        "type": "object",
        "properties": {"q": {"type": "integer"}},
        "required": [],
    }


OTHER = "a body that is no object with members that have names"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (body({"type": "array", "items": {"type": "string"}}), OTHER),
        (body({"oneOf": [TEXT]}), OTHER),
        (body({"type": "object", "additionalProperties": {"type": "string"}}), OTHER),
        (body({"$ref": "#/components/schemas/A"}), OTHER),
        (body(TEXT, "text/plain"), "a body of text/html, text/plain, and no JSON"),
        ({"parameters": [ID, {**ID, "in": "query"}]}, "two arguments 'id', one of them in the query"),
        ({"parameters": [ID], **body({"properties": {"id": {}}})}, "two arguments 'id', one of them in the body"),
        (body({"$ref": "#/components/schemas/C"}), "operation 'x' is not written as OpenAPI has it"),
    ],
)
def test_what_an_operation_would_lose_is_refused(given: Any, said: str) -> None:
    schemas = {
        "A": {"$ref": "#/components/schemas/B"},
        "B": {"$ref": "#/components/schemas/A"},
        "C": {"allOf": [{"$ref": "#/components/schemas/C"}]},
    }
    with pytest.raises(UnreadableError) as caught:
        operation(given, schemas)
    assert str(caught.value) == said


def test_swagger_is_refused() -> None:
    with pytest.raises(UnreadableError) as caught:
        files.openapi(b'{"swagger": "2.0", "paths": {}}', "x")
    assert (str(caught.value), caught.value.fix) == ("Swagger 2.0, and not OpenAPI 3", "convert it to OpenAPI 3.")


@pytest.mark.parametrize(
    ("schema", "read_"),
    [
        ({"type": "string", "nullable": True, "enum": ["a"]}, {"type": ["string", "null"], "enum": ["a", None]}),
        ({"type": "string", "nullable": False}, {"type": "string"}),
        (
            {"allOf": [{"type": "string"}], "nullable": True, "description": "d"},
            {"anyOf": [{"allOf": [{"type": "string"}]}, {"type": "null"}], "description": "d"},
        ),
        ({"minimum": 0, "exclusiveMinimum": True}, {"exclusiveMinimum": 0}),
        ({"maximum": 9, "exclusiveMaximum": False}, {"maximum": 9}),
    ],
)
def test_the_words_of_openapi_3_0_are_those_of_json_schema(schema: Any, read_: Any) -> None:
    assert operation(body({"type": "object", "properties": {"a": schema}}))["properties"] == {"a": read_}


def test_yaml_has_the_values_of_json() -> None:
    schema = b"{enum: [no, 2026-01-01, true, 1]}"
    text = b"paths: {/: {get: {operationId: x, parameters: [{name: a, in: query, schema: %s}]}}}" % schema
    assert (files.openapi(text, "x").parameters or {})["properties"] == {"a": {"enum": ["no", "2026-01-01", True, 1]}}


def test_a_tool_of_an_mcp_server_is_read_from_the_answer_or_its_result() -> None:
    for value in (MCP, MCP["result"]):
        tool = files.mcp(json.dumps(value).encode(), "search")
        assert tool.to_json()["function"] == {
            "name": "search",
            "description": "Search.",
            "parameters": {"type": "object", "properties": {"q": {"type": "string"}}},
        }


@pytest.mark.parametrize(
    "operation",
    [
        {"parameters": [{"in": "query"}]},
        {"parameters": 5},
        {"parameters": [{"name": "a", "schema": 5}]},
        {"requestBody": {"content": [1]}},
        {"requestBody": {"content": {"application/json": {"schema": {"properties": 5}}}}},
        {"requestBody": {"$ref": "#/nowhere"}},
        {"summary": 5},
    ],
)
def test_a_malformed_operation_is_refused(operation: Any) -> None:
    content = json.dumps({"paths": {"/": {"get": {"operationId": "x", **operation}}}}).encode()
    with pytest.raises(UnreadableError):
        files.openapi(content, "x")


def test_a_tool_that_a_server_has_twice_is_refused() -> None:
    listed = json.dumps({"tools": [{"name": "x"}, {"name": "x", "description": "Another."}]}).encode()
    with pytest.raises(UnreadableError, match=r"^two tools 'x'$"):
        files.mcp(listed, "x")


def test_a_key_that_a_file_of_json_has_twice_is_told() -> None:
    with pytest.raises(UnreadableError, match=r"^key 'description' twice in one object$"):
        files.mcp(b'{"tools": [{"name": "x", "description": "A.", "description": "B."}]}', "x")


@pytest.mark.parametrize("tool", [{"inputSchema": 5}, {"description": 5}])
def test_a_malformed_tool_of_a_server_is_refused(tool: Any) -> None:
    with pytest.raises(UnreadableError, match=r"^tool 'x' is not written as MCP has it: "):
        files.mcp(json.dumps({"tools": [{"name": "x", **tool}]}).encode(), "x")


@pytest.mark.parametrize("content", [b"[", b"5", b"{}", b'{"paths": {}}', b'{"result": 5}'])
def test_other_files_are_refused(content: bytes) -> None:
    for read_ in (files.openapi, files.mcp):
        with pytest.raises(UnreadableError):
            read_(content, "x")


@pytest.fixture
def own(tmp_path: Path) -> Own:
    project = Own(tmp_path)
    project.write("app/tools.py", CODE)
    project.write("api.json", json.dumps(OPENAPI))
    project.write(
        "conf/tools/ours.yaml",
        """
        get_weather: {python: app/tools.py}
        change: {openapi: api.json#changeTicket, description: Ours.}
        """,
    )
    return project


def ids(own: Own) -> dict[str, str]:
    ended = own.run("plan", TONE, "tools=ours", "--format", "json")
    assert ended.code == 0, ended.err
    return {each["label"]: each["id"] for each in json.loads(ended.out)["actions"]}


def test_a_tool_of_any_form_says_what_openai_wants_said(own: Own) -> None:
    own.write("mcp.json", json.dumps({"tools": [{"name": "ping", "inputSchema": {"type": "object"}}]}))
    own.write("conf/tools/ours.yaml", "ping: {mcp: mcp.json}\nadd: {description: Add., args: {n: {type: array}}}\n")
    tools = tools_of(compose(own.folder, [TONE, "tools=ours"]))
    assert [each.parameters for each in tools] == [
        {"type": "object", "properties": {}},
        {
            "type": "object",
            "properties": {"n": {"type": "array", "items": {}}},
            "required": ["n"],
            "additionalProperties": False,
        },
    ]


def test_a_tool_changes_keys_by_what_a_provider_is_told_of_it_and_by_nothing_else(own: Own) -> None:
    before = ids(own)
    own.write("app/tools.py", CODE.replace("More that is of no use", "Something else, of no use"))
    assert ids(own) == before
    own.write("app/tools.py", CODE.replace("Weather in a city", "The weather in a city"))
    changed = {label for label, name in ids(own).items() if name != before[label]}
    assert "dataset" in changed
    assert changed.isdisjoint({"pairs", "unseen"})


def test_a_tool_that_cannot_be_read_is_named_with_its_place_in_the_config(own: Own) -> None:
    own.write("conf/tools/ours.yaml", "get_wether: {python: app/tools.py}\nb: {mcp: gone.json}\n")
    assert own.refused("plan", TONE, "tools=ours") == (
        f"conf/tools/ours.yaml:1: tools.get_wether.python: {own.folder}/app/tools.py: no function 'get_wether'\n"
        "    Fix: the nearest is 'get_weather'.\n"
        f"conf/tools/ours.yaml:2: tools.b.mcp: {own.folder}/gone.json: no such file or directory\n"
    )
    own.write("conf/tools/ours.yaml", "a: {python: app/tools.py, args: {}}\n")
    assert own.refused("plan", TONE, "tools=ours") == (
        "conf/tools/ours.yaml:1: tools.a: a tool has args or python, not both\n"
    )


def test_a_schema_in_the_config_that_is_none_is_told_once_with_its_line(own: Own) -> None:
    own.write(
        "conf/tools/ours.yaml",
        """
        a:
          parameters:
            type: object
            properties:
              x: {type: dict}
              y: {anyOf: [{type: str}]}
        b:
          parameters: {type: object, required: true}
        c:
          parameters: {type: object, properties: {x: {$ref: "#/$defs/none"}}}
        """,
    )
    assert own.refused("plan", TONE, "tools=ours") == (
        "conf/tools/ours.yaml:5: tools.a.parameters.properties.x.type: JSON Schema has no type 'dict'\n"
        "    Fix: write 'object'.\n"
        "conf/tools/ours.yaml:6: tools.a.parameters.properties.y.anyOf[0].type: JSON Schema has no type 'str'\n"
        "    Fix: write 'string'.\n"
        "conf/tools/ours.yaml:8: tools.b.parameters.required: True is not of type array\n"
        "conf/tools/ours.yaml:10: tools.c.parameters.properties.x.$ref: leads nowhere: '#/$defs/none'\n"
    )
