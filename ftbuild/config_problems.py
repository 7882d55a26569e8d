"""Findings about a config, in words: what pydantic and Hydra refuse, with place and remedy.

Pure text work: gets errors and origins, returns Problems in the order of the file names and
lines. Knows the traps of YAML 1.1 (bare on/off/yes/no, 12:30) and of Hydra's grammar.
"""

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from typing_extensions import get_type_hints, is_typeddict

from ftbuild.defaults_lists import few, unknown_option
from ftbuild.origins import Origin, Origins
from ftbuild.problem import Problem, nearest
from ftbuild.settings.contradictions import Contradiction

COMMAND_LINE = "command line"
KEYS_LISTED = 20
TRAP = "which is how YAML reads"
Options = Mapping[str, Sequence[str]]


def ordered(problems: Iterable[Problem]) -> list[Problem]:
    """Return the findings once each, files first by name and line, the command line last."""
    unique = {(problem.path, problem.line, problem.what): problem for problem in problems}
    return sorted(unique.values(), key=lambda each: (each.path == COMMAND_LINE, each.path, each.line or 0, each.what))


def placed(problem: Problem, origin: Origin | None) -> Problem:
    """Return a problem with the place where its words stand, where they were not typed."""
    return replace(problem, path=origin.path, line=origin.line) if origin else problem


def from_validation(error: ValidationError, root: type[BaseModel], origins: Origins, options: Options) -> list[Problem]:
    """Return every finding of `error`, in position order; `options` lists the files of each group."""
    problems = []
    for detail in error.errors():
        loc, fields = _walked(detail["loc"], root)
        problems.append(_one(detail, loc, fields, origins, options))
    return ordered(_alternatives(problems))


def from_contradictions(found: Iterable[Contradiction], origins: Origins) -> list[Problem]:
    """Return the findings about settings that do not fit each other, in position order."""
    problems = []
    for each in found:
        origin = origins.of(each.key)
        close = nearest(each.name, each.known)
        there = f"there are {few(each.known)}." if each.known else "there are none."
        there = each.fix if each.fix and not close else there
        part, _, rest = each.key.removeprefix("goal.").partition(".")
        if rest and each.key.startswith("goal."):
            there += f" To do without the condition: goal.{part}.{rest.partition('.')[0]}=null."
        problems.append(
            Problem(
                f"{each.key}: {each.said}",
                origin.path if origin else COMMAND_LINE,
                origin.line if origin else None,
                fix=each.fix or (f"the nearest is {close!r}; {there}" if close else there),
            )
        )
    return ordered(problems)


def _alternatives(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems with those of one value joined: "should be 'auto' or a valid integer".

    What YAML has made of a word says more than what the alternatives want.
    """
    problems = list(problems)
    trapped = [(each.path, each.line, each.what.partition(":")[0]) for each in problems if TRAP in each.what]
    within = {(path, line, ".".join(key.split(".")[:n])) for path, line, key in trapped for n in range(1, len(key))}
    joined: dict[tuple[str, int | None, str], Problem] = {}
    for each in problems:
        if (each.path, each.line, each.what.partition(":")[0]) in {*trapped, *within} and TRAP not in each.what:
            continue
        said, _, wanted = each.what.partition(" should be ")
        known = joined.get((each.path, each.line, said))
        what = f"{known.what} or {wanted}" if known and wanted else each.what
        joined[each.path, each.line, said] = replace(each, what=what)
    return list(joined.values())


def from_override(text: str) -> Problem:
    """Return the finding about an override that Hydra's grammar refuses."""
    key, _, value = text.partition("=")
    if "=" not in text:
        return Problem(
            f"{text!r} is neither a verb nor an override",
            COMMAND_LINE,
            fix="an override is written key=value; ftbuild --help lists the verbs.",
        )
    return Problem(
        f"{text!r} is not an override that Hydra can read",
        COMMAND_LINE,
        why="Hydra reads commas, brackets, braces, colons, quotes and letters beyond ASCII as grammar.",
        fix=f"quote the value: {quoted(key, value)}",
    )


def from_hydra(message: str, origins: Origins | None) -> Problem:
    """Return the finding behind an error message of Hydra that no check of ours explains.

    `origins` is None where Hydra failed before anything was merged.
    """
    first = message.strip().partition("\n")[0]
    if gone := re.search(r"Could not delete from config\. '([^']+)' does not exist", first):
        key = gone.group(1)
        beside = origins.beside(key) if origins else []
        close = nearest(key, beside)
        there = f"there are {', '.join(each.rpartition('.')[2] for each in beside)}." if beside else ""
        return Problem(f"~{key}: no key {key!r}", COMMAND_LINE, why=there, fix=f"~{close}" if close else "")
    if keyed := re.search(r"^\s*full_key: (\S+)", message, re.MULTILINE):
        key = keyed.group(1)
        origin = origins.of(key) if origins else None
        said = f"{key}: {first[0].lower()}{first[1:]}"
        return Problem(said, origin.path if origin else COMMAND_LINE, origin.line if origin else None)
    return Problem(re.sub(r"\+\+(?=\w)", "", first), COMMAND_LINE)


def secret(text: str) -> Problem | None:
    """Return the finding about an override that seems to hold a key, without its value."""
    key, _, value = text.partition("=")
    named = re.search(r"(^|[._])(api_?key|token|secret|password)$", key.lstrip("+"), re.IGNORECASE)
    known = re.search(r"(?<![A-Za-z0-9])((sk|gsk|hf|ghp|xai|pypi)[-_][A-Za-z0-9_-]{16,}|AKIA[A-Z0-9]{16})", value)
    if not (known or (named and value not in ("", "null"))):
        return None
    return Problem(
        f"{key} looks like a secret",
        COMMAND_LINE,
        why="Overrides are written to run files.",
        fix="put it in an environment variable and name the variable.",
    )


def unknown_group(text: str, group: str, options: Options, *, plain: bool) -> list[Problem]:
    """Return that an override of no group means one, where it is no `plain` key of a value."""
    if group.partition("/")[0].partition(".")[0] == "hydra":
        return [Problem(f"{text}: ftbuild has no settings of Hydra", COMMAND_LINE, fix="leave it out.")]
    if plain:
        return []
    close, there = nearest(group, options), f"there are {few(list(options))}."
    fix = f"the nearest is {close!r}; {there}" if close else there
    return [Problem(f"{text}: no group {group!r}", COMMAND_LINE, fix=fix)]


def unknown_options(text: str, chosen: object, group: str, options: Sequence[str]) -> list[Problem]:
    """Return which of the options that an override chooses, one or a list, a group does not have; None is no choice."""
    if chosen is None and group != "experiment":
        return []
    found = []
    for option in chosen if isinstance(chosen, list) else [chosen]:
        if str(option) not in options:
            problem = unknown_option(group, str(option), options, COMMAND_LINE, None)
            found.append(replace(problem, what=f"{text.lstrip('+')}: {problem.what}"))
    return found


def not_chosen(
    groups: Sequence[str], experiment: tuple[str, str] | None, options: Options, added: Mapping[str, str]
) -> Problem:
    """Return the finding about groups that nothing chooses; `experiment` is the name and path of one that should.

    `added` are the values of the command line by key: one of them may be `experiment`, misspelt.
    """
    if experiment is None:
        typed = [key for key in added if nearest(key, ["experiment"])]
        if typed:
            fix = f"+experiment={added[typed[0]]}"
            return Problem(f"no group {typed[0]!r}", COMMAND_LINE, fix=fix)
        there = options["experiment"]
        return Problem(
            f"no {', '.join(groups)} chosen",
            COMMAND_LINE,
            fix=f"take an experiment, +experiment=NAME; there are {few(there)}.",
        )
    lines = ", ".join(f"`override /{group}: {'|'.join(options[group])}`" for group in groups)
    return Problem(
        f"experiment {experiment[0]!r} chooses no {', '.join(groups)}",
        experiment[1],
        fix=f"add {lines} to its defaults.",
    )


def quoted(key: str, value: str) -> str:
    """Return the override as it is typed in a shell, its value in quotes."""
    inner = value if len(value) > 1 and value[0] == value[-1] == '"' else json.dumps(value, ensure_ascii=False)
    return shlex.quote(f"{key}={inner}")


def _one(detail: Any, loc: list[str], fields: Sequence[str], origins: Origins, options: Options) -> Problem:
    if detail["type"] in ("union_tag_invalid", "union_tag_not_found"):
        loc = [*loc, str(detail["ctx"]["discriminator"]).strip("'")]
    key = ".".join(loc)
    origin = origins.of(key)
    path, line = (origin.path, origin.line) if origin else (COMMAND_LINE, None)
    value = detail.get("input")
    if detail["type"] == "extra_forbidden":
        problem = _unknown_key(loc, value, (path, line), fields, options)
        return problem if problem.fix else replace(problem, fix=_of_another_type(loc, path, origins))
    if detail["type"] in ("missing", "union_tag_not_found"):
        beside = origins.beside(".".join(loc[:-1])) if path == COMMAND_LINE and len(loc) > 1 else []
        return _missing_key(key, loc, value, path, line, [each.rpartition(".")[2] for each in beside])
    if hint := _yaml_trap(detail, key, value, path):
        return Problem(f"{key}: {hint[0]}", path, line, fix=hint[1])
    said = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "value_error":
        return Problem(f"{key}: {said}" if key else said, path, line)
    if detail["type"] == "model_type" and loc[-1] in options and isinstance(value, str):
        choose = (
            f"{loc[-1]}={value}" if path == COMMAND_LINE else f"`override /{loc[-1]}: {value}` in the defaults list"
        )
        return Problem(
            f"{key}: {value!r} where a map of keys is wanted", path, line, fix=f"to choose an option: {choose}"
        )
    if detail["type"] == "union_tag_invalid":
        value, said = detail["ctx"]["tag"], f"Input should be one of {detail['ctx']['expected_tags']}"
    wanted = re.sub(r"^input should be ", "should be ", f"{said[0].lower()}{said[1:]}")
    known = re.findall(r"'([^']+)'", said) if detail["type"] in ("literal_error", "union_tag_invalid") else []
    close = nearest(value, known) if isinstance(value, str) else None
    fix = f"the nearest is {close!r}." if close else ""
    return Problem(f"{key}: {value!r} {wanted}".replace("an object", "a map of keys"), path, line, fix=fix)


def _unknown_key(
    loc: list[str], value: object, place: tuple[str, int | None], known: Sequence[str], options: Options
) -> Problem:
    key, parent, (path, line) = ".".join(loc), loc[:-1], place
    if loc == ["experiment"]:
        return Problem(
            "the keys of this file land under `experiment`",
            path,
            fix="make `# @package _global_` its first line.",
        )
    close = nearest(loc[-1], known)
    typed, text = _typed(key, value)
    what = f"{typed}={text}: no key {key!r}" if path == COMMAND_LINE else f"no key {key!r}"
    listed = few(known) if len(known) > KEYS_LISTED else ", ".join(known)
    has = f"{'.'.join(parent) or 'the config'} has {listed}."
    group = parent[0] if len(parent) == 1 and parent[0] in options else ""
    another = f" For another {group}: {group}={options[group][0]}." if group and len(options[group]) > 1 else ""
    right = ".".join([*parent, close]) + typed.removeprefix(key) if close else ""
    fix = f"{shlex.quote(f'{right}={text}')}" if path == COMMAND_LINE else f"the nearest key is {right}."
    return Problem(what, path, line, why=has + another, fix=fix if close else "")


def _of_another_type(loc: list[str], path: str, origins: Origins) -> str:
    """Return what to do about a key of a node whose type another place chose: the two are merged. "" elsewhere."""
    key, node = ".".join(loc), ".".join(loc[:-1])
    chosen = origins.of(f"{node}.type") if f"{node}.type" in origins.beside(key) else None
    if chosen is None or chosen.path == path:
        return ""
    where = chosen.path if chosen.line is None else f"{chosen.path}:{chosen.line}"
    own = f"write the whole of it in conf/{loc[0]}/NAME.yaml and choose {loc[0]}=NAME."
    return f"{where} chooses another type of {node}, whose keys are merged with these: {own}"


def _typed(key: str, value: object) -> tuple[str, str]:
    """Return the override that sets `value` under `key`, as far as one key says it."""
    while isinstance(value, dict) and len(value) == 1:
        (name, value), *_ = value.items()
        key = f"{key}.{name}"
    return key, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


NEEDED_OF_SOURCES = {
    "licence": (
        "It goes with every example into its provenance: what a model may learn from is asked later.",
        "write licence: internal for your own data, else its name, as licence: CC-BY-4.0.",
    ),
    "origin": ("It goes with every example into its provenance.", "write origin: and where the data comes from."),
}


def _missing_key(
    key: str, loc: list[str], value: object, path: str, line: int | None, beside: Sequence[str]
) -> Problem:
    """Return the finding about a key that a node lacks; `beside` are the nodes beside one that was typed."""
    in_source = loc[:2] == ["dataset", "sources"] and len(loc) == 4 and isinstance(value, dict)
    if in_source and isinstance(value, dict) and not {"kind", "path"} & set(value):
        source = ".".join(loc[:3])
        return Problem(
            f"{source} is half a source: it has {', '.join(value) or 'nothing'} and no more",
            path,
            line,
            fix=f"to take it out: ~{source}; to put one in: +source@{source}=OPTION.",
        )
    why, fix = NEEDED_OF_SOURCES.get(loc[-1], ("", "")) if loc[:2] == ["dataset", "sources"] else ("", "")
    if close := nearest(loc[-2], beside) if beside else None:
        fix = f"the nearest to {loc[-2]!r} is {close!r}."
    return Problem(f"{key} is missing", path, line, why=why, fix=fix)


def _yaml_trap(detail: Any, key: str, value: object, path: str) -> tuple[str, str] | None:
    wants_text = detail["type"] in {"string_type", "literal_error"}
    if detail["type"] == "literal_error" and isinstance(value, int | float) and not isinstance(value, bool):
        return None  # a number where a word or another number may stand: no quoting makes it right
    if wants_text and path == COMMAND_LINE and isinstance(value, bool | int | float):
        said = json.dumps(value)
        return f"{value!r} is not text", f"quote the value: {quoted(key, said)}"
    if wants_text and isinstance(value, bool):
        words = "on, yes or true" if value else "off, no or false"
        return f"{value}, {TRAP} a bare {words}", "put the word in quotes."
    if wants_text and value is None:
        is_word = detail["type"] == "literal_error" and "'null'" in detail["msg"]
        fix = 'put the word in quotes: "null".' if is_word else 'write a text, or "" for an empty one.'
        return f"no value, {TRAP} null, ~ or nothing", fix
    if wants_text and isinstance(value, int | float):
        is_clock = isinstance(value, int) and 60 <= value < 24 * 60
        clock = f" (or {value // 60:.0f}:{value % 60:02.0f}, which YAML reads in base 60)" if is_clock else ""
        return f"{value!r} is a number{clock}, and text is wanted", "put it in quotes."
    return None


def _walked(parts: Iterable[str | int], root: Any) -> tuple[list[str], list[str]]:
    """Return the keys on the way to a finding of pydantic's, and the fields beside the last of them.

    What pydantic puts in to name a branch of a union, or one of the models that a key may hold, is no key.
    """
    keys: list[str] = []
    model = holder = root
    for part in parts:
        name = str(part)
        if isinstance(model, _OneOf) and name in model.models:
            model = model.models[name]
        elif isinstance(model, _MapOf) or not _is_branch(name):
            keys.append(name)
            holder = model
            model = model if isinstance(part, int) else _field_model(model, name)
    fields = dict(getattr(holder, "model_fields", {}))
    return keys, [_written(name, field) for name, field in fields.items()]


def _is_branch(part: str) -> bool:
    """Return whether pydantic put `part` in to name a branch of a union, where it is no name in a map."""
    return (
        re.fullmatch(r"(list\[)?literal\[.*\]|int|float|str|bool|JsonSchema|constrained-\w+|\[key\]", part) is not None
    )


def _written(name: str, field: Any) -> str:
    """Return how a field is written in a config."""
    return str(field.alias or name)


def _field_model(model: Any, name: str) -> Any:
    """Return the model of field `name`, or of the values of a map of models."""
    if not hasattr(model, "model_fields"):
        return None
    if isinstance(model, _MapOf):
        return model.value
    if isinstance(model, _OneOf):
        return model.models.get(name)
    field = next((each for known, each in model.model_fields.items() if _written(known, each) == name), None)
    return _model_in(field.annotation) if field else None


class _MapOf:
    """A map from names to models, where any name is a field."""

    model_fields: Mapping[str, Any] = {}

    def __init__(self, value: Any) -> None:
        self.value = value


class _Keys:
    """A map whose keys are listed, each with a type of its own."""

    def __init__(self, listed: Any) -> None:
        hints = get_type_hints(listed)
        self.model_fields = {name: FieldInfo(annotation=each) for name, each in hints.items()}


class _OneOf:
    """Several models, of which a tag says one."""

    model_fields: Mapping[str, Any] = {}

    def __init__(self, models: Mapping[str, Any]) -> None:
        self.models = models


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if is_typeddict(annotation):
        return _Keys(annotation)
    arguments: tuple[Any, ...] = getattr(annotation, "__args__", ())
    if getattr(annotation, "__origin__", None) is dict:
        return _MapOf(_model_in(arguments[1]))
    if tags := {tag: each for each in arguments if (tag := _tag(each))}:
        return _OneOf(tags)
    return next((found for each in arguments if (found := _model_in(each)) is not None), None)


def _tag(annotation: Any) -> str | None:
    """Return the one value that the field `type` of a model has, None where it has no such field."""
    fields: Mapping[str, Any] = getattr(annotation, "model_fields", {})
    values: Sequence[Any] = getattr(fields["type"].annotation, "__args__", ()) if "type" in fields else ()
    return str(values[0]) if len(values) == 1 else None
