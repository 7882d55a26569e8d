"""A typed Python function as a tool: its signature and docstring are read, its code is never run.

Parameters without a default are required. Types: str, int, float, bool, list[T], tuple[...], dict, Literal, Annotated,
Optional and unions with None; anything else is named. The docstring's first paragraph says what the tool is for, and
its `Args:` section (Google's style), its `:param` fields (Sphinx) or its `Parameters` underlined (NumPy) what each
parameter is. Source: PEP 484, PEP 604, PEP 586; Google Python Style Guide, Sphinx 8, numpydoc 1.8.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from typing import Any

from ftbuild.chat import Tool
from ftbuild.problem import nearest

PLAIN = {
    "str": "string", "int": "integer", "float": "number", "bool": "boolean", "list": "array", "dict": "object",
    "List": "array", "Dict": "object", "Sequence": "array", "Mapping": "object", "tuple": "array", "Tuple": "array",
}  # fmt: skip
TUPLES = ("tuple", "Tuple")
SPHINX = re.compile(
    r"^:(?:param|arg|key)\w*[ \t]+(?:[^:\n]*[ \t])?\*{0,2}(\w+):[ \t]*(.*(?:\n[ \t]+\S.*)*)", re.MULTILINE
)
NUMPY = re.compile(r"^Parameters\n-{3,}\n((?:(?!.*\n-{3,}$).*\n?)*)", re.MULTILINE)
NUMPY_ENTRY = re.compile(r"^([\w*, ]*\w)(?:[ \t]*:.*)?\n((?:[ \t]+\S.*(?:\n|\Z))+)", re.MULTILINE)
NOT_GIVEN = ("self", "cls")
VALUES = "write texts, integers, True, False or None."


class UnreadableError(ValueError):
    """A file that no tool can be read from; says why and, where that is known, on which line."""

    def __init__(self, what: str, line: int | None = None, fix: str = "") -> None:
        super().__init__(what)
        self.line, self.fix = line, fix


def read(content: bytes, name: str) -> Tool:
    """Return the tool that a function of a file is.

    Raises:
        UnreadableError: the file is not Python, has no such function, or a parameter has no type that we know.
    """
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError) as error:
        line = error.lineno if isinstance(error, SyntaxError) else None
        raise UnreadableError("not Python", line) from None
    functions = {each.name: each for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
    if name not in functions:
        close = nearest(name, functions)
        there = f"there are {', '.join(functions)}." if functions else "it has no function at its outermost level."
        raise UnreadableError(f"no function {name!r}", fix=f"the nearest is {close!r}." if close else there)
    function = functions[name]
    said = inspect.cleandoc(ast.get_docstring(function) or "")
    description = " ".join(re.split(r"\n\n|\n(?=:\w+.*:)", said, maxsplit=1)[0].split())
    return Tool(name, description or None, _parameters(function, dict(_described(said))))


def _described(docstring: str) -> Iterator[tuple[str, str]]:
    """Yield what a docstring says of each parameter."""
    section = re.search(r"^(?:Args|Arguments|Parameters):\n((?:[ \t]+.*\n?|\n)*)", docstring, re.MULTILINE)
    entry = r"^\s+\*{0,2}(\w+)(?: \([^)]*\))?:[ \t]*(.*(?:\n(?!\s+\*{0,2}\w+(?: \([^)]*\))?:).*)*)"
    for found in re.finditer(entry, section[1] if section else "", re.MULTILINE):
        yield found[1], " ".join(found[2].split())
    for found in SPHINX.finditer(docstring):
        yield found[1], " ".join(found[2].split())
    underlined = NUMPY.search(docstring)
    for found in NUMPY_ENTRY.finditer(underlined[1] if underlined else ""):
        for name in re.findall(r"\w+", found[1]):
            yield name, " ".join(found[2].split())


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef, described: dict[str, str]) -> dict[str, Any]:
    given = function.args
    if given.vararg or given.kwarg:
        stars = given.vararg or given.kwarg
        assert stars is not None
        raise UnreadableError(f"{function.name}(*{stars.arg}): a tool's arguments have names", stars.lineno)
    placed = [*given.posonlyargs, *given.args]
    without_default = placed[: len(placed) - len(given.defaults)]
    required = [
        *without_default,
        *(each for each, default in zip(given.kwonlyargs, given.kw_defaults, strict=True) if default is None),
    ]
    properties = {}
    for each in [*placed, *given.kwonlyargs]:
        if each.arg in NOT_GIVEN:
            continue
        if each.annotation is None:
            fix = f"write {each.arg}: str, or whatever it is."
            raise UnreadableError(f"{function.name}({each.arg}): no type", each.lineno, fix)
        schema = _schema(each.annotation, f"{function.name}({each.arg})")
        if each.arg in described:
            schema = {**schema, "description": described[each.arg]}
        properties[each.arg] = schema
    return {
        "type": "object",
        "properties": properties,
        "required": [each.arg for each in required if each.arg not in NOT_GIVEN],
        "additionalProperties": False,
    }


def _schema(node: ast.expr, where: str) -> dict[str, Any]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return _schema(ast.parse(node.value, mode="eval").body, where)
        except (SyntaxError, ValueError):
            raise UnreadableError(f"{where}: {node.value!r} is no type", node.lineno) from None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _one_of([node.left, node.right], where)
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    if name in PLAIN:
        return {"type": PLAIN[name], **({"items": {}} if PLAIN[name] == "array" else {})}
    if name == "Any":
        return {}
    if isinstance(node, ast.Subscript):
        return _subscripted(node, where)
    what = f"{where}: no type of JSON for {ast.unparse(node)}"
    raise UnreadableError(what, node.lineno, "use str, int, float, bool, list[...], dict, Literal[...] or ... | None.")


def _subscripted(node: ast.Subscript, where: str) -> dict[str, Any]:
    name = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
    inside = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
    if name == "Literal":
        return _literal(inside, node, where)
    if name == "Annotated":
        said = [text for each in inside[1:] for text in _said(each)]
        return {**_schema(inside[0], where), **({"description": said[0]} if said else {})}
    if name == "Optional":
        return _one_of([inside[0], ast.Constant(None)], where)
    if name == "Union":
        return _one_of(inside, where)
    if PLAIN.get(name) == "array" and inside:
        return _array(inside, where, has_places=name in TUPLES)
    if PLAIN.get(name) == "object":
        return {"type": "object", "additionalProperties": _schema(inside[-1], where)}
    raise UnreadableError(f"{where}: no type of JSON for {ast.unparse(node)}", node.lineno)


def _array(inside: list[ast.expr], where: str, *, has_places: bool) -> dict[str, Any]:
    """Return the schema of a list, or of a tuple, which has a place for each type unless it says `...`."""
    if not has_places or (isinstance(inside[-1], ast.Constant) and inside[-1].value is ...):
        return {"type": "array", "items": _schema(inside[0], where)}
    placed = [_schema(each, where) for each in inside]
    alike = placed[0] if all(each == placed[0] for each in placed) else {"anyOf": placed}
    return {"type": "array", "items": alike, "minItems": len(placed), "maxItems": len(placed)}


def _literal(inside: list[ast.expr], node: ast.expr, where: str) -> dict[str, Any]:
    try:
        values = [ast.literal_eval(each) for each in inside]
    except ValueError:
        values = [...]
    types = {type(each) for each in values}
    if not types <= {str, int, bool, type(None)} or types == {type(None)}:
        raise UnreadableError(f"{where}: no value of JSON in {ast.unparse(node)}", node.lineno, VALUES)
    return {**({"type": PLAIN[types.pop().__name__]} if len(types) == 1 else {}), "enum": values}


def _said(node: ast.expr) -> Iterator[str]:
    """Yield what stands beside a type: a text, or that of Field(description=...) and Doc(...)."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        told = [each.value for each in node.keywords if each.arg == "description"]
        for each in told or (node.args[:1] if name == "Doc" else []):
            yield from _said(each)


def _one_of(nodes: list[ast.expr], where: str) -> dict[str, Any]:
    """Return a union: of types that are named where that says all, else of schemas."""
    empty = [isinstance(each, ast.Constant) and each.value is None for each in nodes]
    schemas = [{"type": "null"} if none else _schema(each, where) for each, none in zip(nodes, empty, strict=True)]
    if all(list(each) == ["type"] for each in schemas):
        types = [
            name for each in schemas for name in (each["type"] if isinstance(each["type"], list) else [each["type"]])
        ]
        return {"type": list(dict.fromkeys(types))}
    return {"anyOf": schemas}
