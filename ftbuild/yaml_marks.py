"""What only the text of a YAML file can tell: the line of each key, and why it is no map of texts.

Reads YAML for its marks; what the values mean is the composer's business. Finds a text that is
no YAML, a key that YAML does not read as text, a key twice.
"""

from collections.abc import Iterator
from pathlib import Path

import yaml

from ftbuild.origins import Origin
from ftbuild.problem import Problem

KINDS = {
    "bool": "true or false",
    "int": "a number",
    "float": "a number",
    "null": "no value",
}
TEXT_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge", "tag:yaml.org,2002:timestamp")


def nodes(text: str) -> yaml.Node | None:
    """Return the nodes of a YAML text, None for an empty one.

    Read by libyaml where PyYAML has it, four times as fast; a refusal is always in PyYAML's own words.

    Raises:
        yaml.YAMLError: the text is not YAML.
    """
    try:
        node = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    return node if isinstance(node, yaml.Node) else None


def in_file(path: Path, shown: str, tree: Path, package: str) -> Iterator[tuple[str, Origin]]:
    """Yield every key that the YAML file sets, prefixed with `package`, with its place."""
    root = nodes(path.read_text(encoding="utf-8"))
    if package:
        yield package, Origin(shown, None, tree)
    if isinstance(root, yaml.MappingNode):
        for key, line in _keys(root, package):
            if key != "defaults" and not key.startswith("defaults.") and not key.endswith(".defaults"):
                yield key, Origin(shown, line, tree)


def broken(content: bytes, shown: str) -> list[Problem]:
    """Return why the file is not a map of keys that are texts; nothing if it is, or if it is empty."""
    try:
        root = nodes(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return [Problem("not UTF-8", shown, line, fix="save the file as UTF-8.")]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        return [Problem(f"not YAML: {error.problem}", shown, mark.line + 1 if mark else None)]
    except yaml.YAMLError as error:
        return [Problem(f"not YAML: {str(error).splitlines()[0]}", shown)]
    if root is None:
        return []
    if not isinstance(root, yaml.MappingNode):
        return [Problem("not a map of keys", shown, root.start_mark.line + 1, fix="write `key: value` lines.")]
    return _all_odd_keys(root, shown)


def _all_odd_keys(root: yaml.Node, shown: str) -> list[Problem]:
    try:
        return list(_odd_keys(root, shown))
    except RecursionError:
        fix = "write out what *NAME stands for."
        return [Problem("a map that holds itself, or is nested too deep", shown, fix=fix)]


def _odd_keys(node: yaml.Node, shown: str) -> Iterator[Problem]:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _odd_keys(item, shown)
    if not isinstance(node, yaml.MappingNode):
        return
    first: dict[str, int] = {}
    for name, value in node.value:
        line = name.start_mark.line + 1
        if not isinstance(name, yaml.ScalarNode):
            yield Problem("a key is a list or a map", shown, line, fix="put the key in quotes.")
            continue
        if name.tag not in TEXT_TAGS:
            kind = name.tag.rpartition(":")[2]
            yield Problem(
                f"the key {name.value or '(nothing)'} is not text: YAML reads it as {KINDS.get(kind, kind)}",
                shown,
                line,
                fix=f'put it in quotes: "{name.value}".',
            )
        elif name.value in first and name.value != "<<":
            yield Problem(
                f"the key {name.value!r} stands here and on line {first[name.value]}",
                shown,
                line,
                fix="keep one of them.",
            )
        first.setdefault(name.value, line)
        yield from _odd_keys(value, shown)


def _keys(node: yaml.MappingNode, prefix: str) -> Iterator[tuple[str, int]]:
    for name, value in node.value:
        key = f"{prefix}.{name.value}" if prefix else str(name.value)
        yield key, name.start_mark.line + 1
        if isinstance(value, yaml.MappingNode):
            yield from _keys(value, key)
        elif isinstance(value, yaml.SequenceNode):
            for index, item in enumerate(value.value):
                yield f"{key}.{index}", item.start_mark.line + 1
