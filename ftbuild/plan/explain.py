"""Why an action runs: the difference of two pre-images, in words."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def reasons(preimage: Mapping[str, Any], before: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return why no record fits `preimage`, against the most alike of the pre-images `before` of its label."""
    candidates = [list(_differences(old, preimage)) for old in before]
    if not candidates:
        return ["never run before"]
    fewest = min(candidates, key=len)
    return fewest or ["its result is gone from the store"]


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    if old["version"] != new["version"]:
        yield f"{new['kind']} is version {new['version']}, was {old['version']}"
    yield from _settings("", old["settings"], new["settings"])
    was, now = dict(old["inputs"]), dict(new["inputs"])
    for role, digest in now.items():
        if role not in was:
            yield f"new input {role}"
        elif was[role] != digest:
            yield f"{role} changed"
    yield from (f"input {role} is gone" for role in was if role not in now)


def _settings(prefix: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in [*new, *(name for name in old if name not in new)]:
            yield from _settings(f"{prefix}.{name}" if prefix else name, old.get(name), new.get(name))
    elif _is_map(old) and _is_map(new) and dict(old) != dict(new):
        yield from _settings(prefix, dict(old), dict(new))
    elif old != new:
        yield "the source's bytes changed" if prefix == "bytes" else f"{prefix}   {_shown(old)} -> {_shown(new)}"


def _is_map(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(each, list) and len(each) == 2 and isinstance(each[0], str) for each in value)
    )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
