"""Findings about a config, in words: what pydantic and Hydra refuse, with place and remedy.

Pure text work: gets errors and origins, returns Problems in the order of the file names and
lines. Knows the traps of YAML 1.1 (bare on/off/yes/no, 12:30) and of Hydra's grammar.
"""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from ftbuild.origins import Origins
from ftbuild.problem import Problem, nearest

COMMAND_LINE = "command line"


def from_validation(
    error: ValidationError, root: type[BaseModel], origins: Origins, options: dict[str, list[str]]
) -> list[Problem]:
    """Return every finding of `error`, in position order; `options` lists the files of each group."""
    problems = []
    for detail in error.errors():
        loc = [str(part) for part in detail["loc"]]
        if detail["type"] == "literal_error" and loc and _union_branch(detail):
            loc = loc[:-1]
        problems.append(_one(detail, _strip_branches(loc), root, origins, options))
    unique = {(problem.path, problem.line, problem.what): problem for problem in problems}
    return sorted(unique.values(), key=lambda problem: (problem.path, problem.line or 0, problem.what))


def from_override(text: str) -> Problem:
    """Return the finding about an override that Hydra's grammar refuses."""
    key, _, value = text.partition("=")
    if not value and "=" not in text:
        return Problem(
            f"{text!r} is neither a verb nor an override",
            COMMAND_LINE,
            fix="an override is written key=value; ftbuild --help lists the verbs.",
        )
    quoted = json.dumps(value, ensure_ascii=False)
    return Problem(
        f"{text!r} is not an override that Hydra can read",
        COMMAND_LINE,
        why="Hydra reads commas, brackets, braces, colons and letters beyond ASCII as grammar.",
        fix=f"quote the value: '{key}={quoted}'",
    )


def from_hydra(message: str, find: "FileLines") -> Problem:
    """Return the finding behind an error message of Hydra about a config file."""
    first, _, rest = message.strip().partition("\n")
    where = re.match(r"In '?([\w/@.-]+)'?: ?(.*)", first)
    name, said = (where.group(1), where.group(2)) if where else ("", first)
    if missing := re.search(r"Could not find '([^']+)'", said):
        group, _, option = missing.group(1).rpartition("/")
        path, line = find.choosing(group, option) or find(name, option)
        close = nearest(option, find.options(group))
        there = ", ".join(find.options(group))
        return Problem(
            f"no option {option!r} in conf/{group}",
            path,
            line,
            fix=f"the nearest is {close!r}; there are {there}." if close else f"there are {there or 'none'}.",
        )
    if unchosen := re.search(r"You must specify '([^']+)'", message):
        group = unchosen.group(1)
        return Problem(
            f"no {group} chosen",
            COMMAND_LINE,
            fix=f"take an experiment (+experiment=NAME) or one of {group}={'|'.join(find.options(group))}.",
        )
    if "override" in said.lower() and ("end" in said or "before" in said):
        path, line = find(name, "override")
        return Problem(
            "an override stands before another entry of the defaults list",
            path,
            line,
            fix="put the `override` lines last.",
        )
    path, line = find(name, "")
    return Problem(said or rest, path, line)


class FileLines:
    """Finds config files and lines in them for messages; `texts` maps a config's name to (path, text)."""

    def __init__(self, texts: dict[str, tuple[str, str]], options: dict[str, list[str]]) -> None:
        self._texts = texts
        self._options = options

    def __call__(self, name: str, word: str) -> tuple[str, int | None]:
        """Return the path of config `name` and the first line that holds `word`."""
        if name not in self._texts:
            return COMMAND_LINE, None
        path, text = self._texts[name]
        lines = [number for number, line in enumerate(text.splitlines(), 1) if word and word in line]
        code = [number for number in lines if not text.splitlines()[number - 1].lstrip().startswith("#")]
        return path, code[0] if code else None

    def choosing(self, group: str, option: str) -> tuple[str, int] | None:
        """Return the first line of a defaults list that asks for `option` of `group`."""
        asks = re.compile(rf"(^|[\s/]){re.escape(group)}(@[\w.]+)?:\s*{re.escape(option)}\s*(#.*)?$")
        for path, text in self._texts.values():
            for number, line in enumerate(text.splitlines(), 1):
                if asks.search(line):
                    return path, number
        return None

    def options(self, group: str) -> list[str]:
        """Return the options of a group."""
        return self._options.get(group, [])


def unknown_option(group: str, option: str, options: Sequence[str], path: str, line: int | None) -> Problem:
    """Return the finding about an option that does not exist."""
    close = nearest(option, options)
    there = ", ".join(options)
    return Problem(
        f"{group}={option}: no option {option!r} in conf/{group}",
        path,
        line,
        fix=f"{group}={close}; there are {there}." if close else f"there are {there or 'none'}.",
    )


def _one(
    detail: Any, loc: list[str], root: type[BaseModel], origins: Origins, options: dict[str, list[str]]
) -> Problem:
    key = ".".join(loc)
    origin = origins.of(key)
    path, line = (origin.path, origin.line) if origin else (COMMAND_LINE, None)
    value = detail.get("input")
    if detail["type"] == "extra_forbidden":
        return _unknown_key(key, loc, value, path, line, root, options)
    if detail["type"] == "missing":
        return _missing_key(key, loc, value, path, line)
    if hint := _yaml_trap(detail, value):
        return Problem(f"{key}: {hint[0]}", path, line, fix=hint[1])
    said = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "value_error":
        return Problem(f"{key}: {said}" if key else said, path, line)
    return Problem(f"{key}: {value!r}: {said[0].lower()}{said[1:]}", path, line)


def _unknown_key(
    key: str,
    loc: list[str],
    value: object,
    path: str,
    line: int | None,
    root: type[BaseModel],
    options: dict[str, list[str]],
) -> Problem:
    parent, name = loc[:-1], loc[-1]
    known = _fields(root, parent)
    close = nearest(name, known)
    what = f"{key}={value}: no key {key!r}" if path == COMMAND_LINE else f"no key {key!r}"
    above = ".".join(parent) or "the config"
    fix = f"{'.'.join([*parent, close])}" if close else ""
    has = f"{above} has {', '.join(known)}."
    group = parent[0] if len(parent) == 1 and parent[0] in options else ""
    another = f" For another {group}: {group}={options[group][0]}." if group and len(options[group]) > 1 else ""
    return Problem(what, path, line, why=has + another, fix=f"the nearest key is {fix}." if fix else "")


def _missing_key(key: str, loc: list[str], value: object, path: str, line: int | None) -> Problem:
    if loc[:2] == ["dataset", "sources"] and len(loc) == 4 and isinstance(value, dict):
        source = ".".join(loc[:3])
        return Problem(
            f"{source} is half a source: it has {', '.join(value) or 'nothing'} and no {loc[3]}",
            path,
            line,
            fix=f"to take a source out: ~{source}; to put one in: +source@{source}=OPTION.",
        )
    return Problem(f"{key} is missing", path, line)


def _yaml_trap(detail: Any, value: object) -> tuple[str, str] | None:
    wants_text = detail["type"] in {"string_type", "literal_error"}
    if wants_text and isinstance(value, bool):
        words = "on, yes or true" if value else "off, no or false"
        return f"{value}, which is how YAML reads a bare {words}", "put the word in quotes."
    if detail["type"] == "string_type" and isinstance(value, int | float):
        clock = f" (or {value // 60}:{value % 60:02d}, which YAML reads in base 60)" if isinstance(value, int) else ""
        return f"{value!r} is a number{clock}, and text is wanted", "put it in quotes."
    return None


def _union_branch(detail: Any) -> bool:
    return isinstance(detail["loc"][-1], str) and detail["loc"][-1].startswith("literal[")


def _strip_branches(loc: list[str]) -> list[str]:
    return [part for part in loc if not re.fullmatch(r"(literal\[.*\]|int|float|str|constrained-\w+)", part)]


def _fields(root: type[BaseModel], parent: Iterable[str]) -> list[str]:
    model: Any = root
    for name in parent:
        model = _field_model(model, name)
        if model is None:
            return []
    return list(model.model_fields)


def _field_model(model: Any, name: str) -> Any:
    """Return the model of field `name`, or of the values of a map of models."""
    if not hasattr(model, "model_fields"):
        return None
    if isinstance(model, _MapOf):
        return model.value
    field = model.model_fields.get(name)
    return _model_in(field.annotation) if field else None


class _MapOf:
    """A map from names to models, where any name is a field."""

    model_fields: tuple[str, ...] = ()

    def __init__(self, value: Any) -> None:
        self.value = value


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    arguments = getattr(annotation, "__args__", ())
    if getattr(annotation, "__origin__", None) is dict:
        return _MapOf(_model_in(arguments[1]))
    return next((found for each in arguments if (found := _model_in(each)) is not None), None)
