"""The defaults lists of the config files: which entry asks for what, on which line, and whether it can be had.

Hydra stops at the first entry it cannot resolve and names no line. This walk is made only after
Hydra has refused, and finds all of them. Pure: files come in as texts by config name
("style/formal"), findings go out; how Hydra merges the entries it does not know.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import yaml

from ftbuild.problem import Problem, nearest

Files = Mapping[str, tuple[str, str]]
Options = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Entry:
    """One entry: `option` of `group`; without an option it takes a group out, "???" leaves it to others."""

    group: str
    option: str | None
    line: int
    override: bool = False
    optional: bool = False

    @property
    def name(self) -> str:
        """Return the config it asks for."""
        return f"{self.group}/{self.option}".strip("/")


def entries(text: str, group: str) -> list[Entry]:
    """Return the entries of the file's defaults list; `group` is the group of the file itself."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        return []
    lists = [value for name, value in root.value if name.value == "defaults" and isinstance(value, yaml.SequenceNode)]
    return [entry for each in lists for item in each.value for entry in _entries(item, group)]


def findings(chosen: Iterable[str], files: Files, options: Options) -> list[Problem]:
    """Return what is wrong in the defaults lists of the configs `chosen` and of all they ask for, file by file."""
    problems: list[Problem] = []
    queue, seen = list(chosen), set[str]()
    while queue:
        name = queue.pop(0)
        if name in seen or name not in files:
            continue
        seen.add(name)
        path, text = files[name]
        own = name.rpartition("/")[0]
        listed = entries(text, own)
        problems += _misplaced(listed, path)
        for entry in listed:
            if found := _check(entry, own, path, options):
                problems.append(found)
            elif entry.option not in (None, "???"):
                queue.append(entry.name)
    return problems


def unchosen(chosen: Iterable[str], files: Files) -> list[str]:
    """Return the groups that config.yaml leaves open and none of the configs `chosen` fills, in its order."""
    filled: set[str] = set()
    queue, seen = list(chosen), set[str]()
    while queue:
        name = queue.pop(0)
        if name in seen or name not in files:
            continue
        seen.add(name)
        listed = entries(files[name][1], name.rpartition("/")[0])
        filled |= {entry.group for entry in listed if entry.override and entry.option}
        queue += [entry.name for entry in listed if entry.option]
    return [entry.group for entry in entries(files["config"][1], "") if entry.option == "???" and entry.group not in filled]


def _entries(item: yaml.Node, group: str) -> Iterator[Entry]:
    line = item.start_mark.line + 1
    if isinstance(item, yaml.ScalarNode) and item.value != "_self_":
        above, _, option = item.value.rpartition("/")
        yield Entry(_absolute(above, group), option, line)
    elif isinstance(item, yaml.MappingNode):
        for key, value in item.value:
            words = key.value.split()
            named = re.sub(r"@.*", "", words[-1]) if words else ""
            chosen = value.value if isinstance(value, yaml.SequenceNode) else [value]
            for each in chosen:
                option = None if each.tag == "tag:yaml.org,2002:null" else str(each.value)
                yield Entry(
                    _absolute(named, group), option, each.start_mark.line + 1, "override" in words, "optional" in words
                )


def _absolute(named: str, group: str) -> str:
    return named.lstrip("/") if named.startswith("/") else f"{group}/{named}".strip("/")


def _misplaced(listed: Sequence[Entry], path: str) -> list[Problem]:
    for entry, following in zip(listed, listed[1:], strict=False):
        if entry.override and not following.override:
            return [
                Problem(
                    "an `override` line stands before another entry of the defaults list",
                    path,
                    entry.line,
                    fix="put the `override` lines last.",
                )
            ]
    return []


def _check(entry: Entry, own: str, path: str, options: Options) -> Problem | None:
    if entry.optional or entry.option in (None, "???") or "${" in str(entry.option):
        return None
    if entry.group not in options:
        return _unknown_group(entry, own, path, options)
    if entry.option not in options[entry.group]:
        return unknown_option(entry.group, str(entry.option), options[entry.group], path, entry.line)
    return None


def _unknown_group(entry: Entry, own: str, path: str, options: Options) -> Problem | None:
    short = entry.group.removeprefix(f"{own}/")
    close = short if short in options else nearest(short, options)
    if entry.group == "":
        return None
    if short != entry.group and close == short:
        what = f"{short} is looked for inside conf/{own}, so conf/{entry.group} is missing"
        return Problem(what, path, entry.line, fix=f"write `override /{short}: {entry.option}`, as the last entries.")
    there = f"there are {', '.join(options)}."
    return Problem(
        f"no group {short!r}", path, entry.line, fix=f"the nearest is {close!r}; {there}" if close else there
    )


def unknown_option(group: str, option: str, options: Sequence[str], path: str, line: int | None) -> Problem:
    """Return the finding about an option that does not exist."""
    close = nearest(option, options)
    there = f"there are {', '.join(options)}." if options else "there are none."
    return Problem(
        f"no option {option!r} in conf/{group}",
        path,
        line,
        fix=f"the nearest is {close!r}; {there}" if close else there,
    )
