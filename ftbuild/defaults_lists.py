"""The defaults lists of the config files: which entry asks for what, on which line, and whether it can be had.

Hydra stops at the first entry it cannot resolve and names no line. This walk is made only after
Hydra has refused, and finds all of them. Pure: files come in as texts by config name
("style/formal"), findings go out; how Hydra merges the entries it does not know.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import yaml

from ftbuild.problem import Problem, nearest
from ftbuild.yaml_marks import nodes

Files = Mapping[str, tuple[str, str]]
Options = Mapping[str, Sequence[str]]
SHOWN_NAMES = 8


@dataclass(frozen=True)
class Entry:
    """One entry: `option` of `group`; without an option it takes a group out, "???" leaves it to others.

    `mounted` is one whose keys land under another name than the group's, as of a group with @ or of a plain file name.
    """

    group: str
    option: str | None
    line: int
    override: bool = False
    optional: bool = False
    mounted: bool = False

    @property
    def name(self) -> str:
        """Return the config it asks for."""
        return f"{self.group}/{self.option}".strip("/")


@lru_cache(maxsize=1024)  # the points of a sweep ask for the same files
def entries(text: str, group: str) -> tuple[Entry, ...]:
    """Return the entries of the file's defaults list, none if it is not YAML; `group` is that of the file itself."""
    try:
        root = nodes(text)
    except yaml.YAMLError:
        return ()
    if not isinstance(root, yaml.MappingNode):
        return ()
    lists = [value for name, value in root.value if name.value == "defaults" and isinstance(value, yaml.SequenceNode)]
    return tuple(entry for each in lists for item in each.value for entry in _entries(item, group))


def reached(chosen: Iterable[str], files: Files) -> dict[str, tuple[Entry, ...]]:
    """Return the entries of the configs `chosen` and of all that they ask for, by config name, nearest first."""
    found: dict[str, tuple[Entry, ...]] = {}
    queue = list(chosen)
    while queue:
        name = queue.pop(0)
        if name in files and name not in found:
            found[name] = entries(files[name][1], name.rpartition("/")[0])
            queue += [entry.name for entry in found[name]]
    return found


def findings(chosen: Iterable[str], files: Files, options: Options) -> list[Problem]:
    """Return what is wrong in the defaults lists of the configs `chosen` and of all they ask for, file by file."""
    problems: list[Problem] = []
    places: dict[str, str] = {}
    for name, listed in reached(chosen, files).items():
        path = files[name][0]
        problems += _misplaced(listed, path)
        problems += _twice(listed, path, places)
        problems += [found for each in listed if (found := _check(each, name.rpartition("/")[0], path, options))]
    return problems


def unchosen(chosen: Iterable[str], files: Files) -> list[str]:
    """Return the groups that config.yaml leaves open and none of the configs `chosen` fills, in its order."""
    listed = [entry for each in reached(chosen, files).values() for entry in each]
    filled = {entry.group for entry in listed if entry.override and entry.option}
    top = entries(files["config"][1], "")
    return [entry.group for entry in top if entry.option == "???" and entry.group not in filled]


def _entries(item: yaml.Node, group: str) -> Iterator[Entry]:
    line = item.start_mark.line + 1
    if isinstance(item, yaml.ScalarNode) and item.value != "_self_":
        above, _, option = item.value.rpartition("/")
        yield Entry(_absolute(above, group), option, line, mounted=True)
    elif isinstance(item, yaml.MappingNode):
        for key, value in item.value:
            words = key.value.split()
            named = re.sub(r"@.*", "", words[-1]) if words else ""
            chosen = value.value if isinstance(value, yaml.SequenceNode) else [value]
            for each in chosen:
                option = None if each.tag == "tag:yaml.org,2002:null" else str(each.value)
                yield Entry(
                    _absolute(named, group),
                    option,
                    each.start_mark.line + 1,
                    override="override" in words,
                    optional="optional" in words,
                    mounted="@" in key.value,
                )


def _absolute(named: str, group: str) -> str:
    return named.lstrip("/") if named.startswith("/") else f"{group}/{named}".strip("/")


def _misplaced(listed: Sequence[Entry], path: str) -> list[Problem]:
    for entry, following in pairwise(listed):
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


def _twice(listed: Iterable[Entry], path: str, places: dict[str, str]) -> Iterator[Problem]:
    """Yield the groups that are chosen though `places` says where they are chosen already, and add to `places`."""
    for entry in listed:
        if entry.override or entry.mounted:
            continue
        if entry.group in places:
            yield Problem(
                f"{entry.group} is chosen here and in {places[entry.group]}",
                path,
                entry.line,
                fix=f"write `override /{entry.group}: {entry.option}`, as one of the last entries.",
            )
        places.setdefault(entry.group, f"{path}:{entry.line}")


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
    there = f"there are {few(list(options))}."
    return Problem(
        f"no group {short!r}", path, entry.line, fix=f"the nearest is {close!r}; {there}" if close else there
    )


def few(names: Sequence[str]) -> str:
    """Return the first eight names, and how many more there are."""
    rest = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return ", ".join(names[:SHOWN_NAMES]) + rest


def unknown_option(group: str, option: str, options: Sequence[str], path: str, line: int | None) -> Problem:
    """Return the finding about an option that does not exist."""
    close = nearest(option, options)
    there = f"there are {few(options)}." if options else "there are none."
    return Problem(
        f"no option {option!r} in conf/{group}",
        path,
        line,
        fix=f"the nearest is {close!r}; {there}" if close else there,
    )
