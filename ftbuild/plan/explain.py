"""Why an action runs: the exact difference of two pre-images, in terms of the config.

Pure. Which config key a keyed setting comes from stands in CONFIG_KEYS; where that key is written
is the composer's business.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ftbuild.plan.action import CONFIRM

NEVER = "never run before"

# kind -> setting of its actions -> config key; {label} is the action's label without " scores".
CONFIG_KEYS: Mapping[str, Mapping[str, str]] = {
    "ingest": {
        "source": "dataset.sources.{label}",
        "bytes": "dataset.sources.{label}.path",
        "response_format": "schemas",
    },
    "dataset": {
        "split": "dataset.split",
        "limit": "dataset.limit",
        "system": "style.system",
        "language": "style.language",
        "expand": "style.expand",
        "licences": "dataset.sources",
        "consents": "dataset.sources",
        "shares": "dataset.sources",
        "redact": "dataset.redact",
        "retrieval": "retrieval",
        "deduplicate": "dataset.deduplicate",
        "tools": "tools",
        "parallel_tool_calls": "request.parallel_tool_calls",
        "strict_tools": "request.strict_tools",
        "parallel_calls": "dataset.parallel_calls",
    },
    "targets": {"whole": "evaluation.turns"},
    "embed": {
        "provider": "provider",
        "model": "model",
        "embedder": "retrieval.model",
        "redact": "dataset.redact",
        "walled": "dataset.sources",
        "unsuspected": "dataset.sources",
    },
    "index": {"kind": "retrieval.kind"},
    "wall": {"walled": "dataset.sources", "unsuspected": "dataset.sources"},
    "render": {"method": "method.type", "reads": "method.grader"},
    "job": {
        "provider": "provider",
        "model": "model",
        "method": "method",
        "seed": "seed",
        "response_format": "schemas",
    },
    "checkpoint": {
        "provider": "provider",
        "model": "model",
        "method": "method",
        "seed": "seed",
        "response_format": "schemas",
        "epoch": "sweep.halving",
    },
    "predict": {
        "kind": "evaluation.arms.{label}.kind",
        "substitute": "evaluation.arms.{label}.substitute",
        "opening": "evaluation.arms.{label}.opening",
        "retrieval": "evaluation.arms.{label}.retrieval",
        "examples": "evaluation.arms.{label}.examples",
        "drawn": "seed",
        "expand": "style.expand",
        "request": "request",
        "seed": "seed",
        "provider": "provider",
        "model": "model",
        "turns": "evaluation.turns",
        "results": "evaluation.results",
        "samples": "evaluation.samples",
    },
    "choose": {
        "metric": "goal.metric",
        "request": "request",
        "seed": "seed",
        "turns": "evaluation.turns",
        "results": "evaluation.results",
        "samples": "evaluation.samples",
        "scorers": "evaluation.scorers",
        "rules": "style.rules",
        "slang": "style.slang",
        "language": "style.language",
    },
    "judge": {
        "prompt": "judge",
        "rubric": "judge.rubric",
        "labelled": "judge.labelled",
        "provider": "judge.provider",
        "model": "judge.model",
        "samples": "evaluation.samples",
    },
    "score": {
        "scorers": "evaluation.scorers",
        "rules": "style.rules",
        "slang": "style.slang",
        "language": "style.language",
        "turns": "evaluation.turns",
    },
    "compare": {
        "goal": "goal",
        "arms": "evaluation.arms",
        "metric": "goal.metric",
        "arm": "goal.arm",
        "against": "goal.against",
        "levers": "evaluation",
        "judge": "judge",
        "round": "round",
    },
    "report": {"arms": "evaluation.arms"},
}


@dataclass(frozen=True)
class Difference:
    """One thing that differs between two pre-images.

    `what` is version, setting, source (its bytes), input (changed), new_input or lost_input. `name` is the kind,
    the dotted setting, or the role of the input; `key` the config key of a setting, "" elsewhere.
    """

    what: Literal["version", "setting", "source", "input", "new_input", "lost_input"]
    name: str
    old: Any = None
    new: Any = None
    key: str = ""

    def __str__(self) -> str:
        match self.what:
            case "version":
                return f"{self.name} is version {self.new}, was {self.old}"
            case "setting":
                return f"{self.key or self.name}   {shown(self.old)} -> {shown(self.new)}"
            case "source":
                return "the source's bytes changed"
            case "input":
                return f"{self.name} changed"
            case "new_input":
                return f"new input {self.name}"
            case "lost_input":
                return f"input {self.name} is gone"


def nearest(new: Mapping[str, Any], before: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the pre-image of `before` that differs least from `new`, the first of several; None if there is none.

    Those with the same inputs or the same settings are asked first: the others differ in both. What another experiment
    calls by the same name is not asked at all.
    """
    before = [old for old in before if not _another(old, new)]
    close = [old for old in before if old["inputs"] == new["inputs"] or old["settings"] == new["settings"]]
    counted = [(len(list(_raw(old, new))), old) for old in close or before]
    return min(counted, key=lambda pair: pair[0])[1] if counted else None


def differences(old: Mapping[str, Any], new: Mapping[str, Any], label: str) -> list[Difference]:
    """Return what differs, version first, then settings, then inputs; nothing for equal pre-images."""
    keys = CONFIG_KEYS.get(new["kind"], {})

    def key(name: str) -> str:
        top, _, rest = name.partition(".")
        above = keys.get(top, "").format(label=label.removesuffix(CONFIRM).removesuffix(" scores"))
        return f"{above}.{rest}" if above and rest else above

    return [
        replace(each, key=key(each.name)) if each.what in ("setting", "source") else each for each in _raw(old, new)
    ]


def reasons(new: Mapping[str, Any], before: Sequence[Mapping[str, Any]], label: str) -> list[str]:
    """Return why no record fits `new`, against the most alike of the pre-images `before` of its label."""
    old = nearest(new, before)
    if old is None:
        return [NEVER]
    return [str(each) for each in differences(old, new, label)] or ["its result is gone from the store"]


def shown(value: Any) -> str:
    """Return a value for a line of text."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _another(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Return whether two pre-images have only their label in common: other files, or datasets of no common source."""
    if new["kind"] == "ingest":
        was, now = old["settings"], new["settings"]
        paths = [each.get("source", {}).get("path") for each in (was, now)]
        return bool(paths[0] != paths[1] and was.get("bytes") != now.get("bytes"))
    if new["kind"] == "dataset" and old["inputs"] and new["inputs"]:
        return {role for role, _ in old["inputs"]}.isdisjoint(role for role, _ in new["inputs"])
    return False


def _raw(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    if old["version"] != new["version"]:
        yield Difference("version", new["kind"], old["version"], new["version"])
    yield from _settings("", old["settings"], new["settings"])
    was, now = dict(old["inputs"]), dict(new["inputs"])
    for role, digest in now.items():
        if role not in was:
            yield Difference("new_input", role, None, digest)
        elif was[role] != digest:
            yield Difference("input", role, was[role], digest)
    yield from (Difference("lost_input", role, was[role]) for role in was if role not in now)


def _settings(prefix: str, old: Any, new: Any) -> Iterator[Difference]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in [*new, *(name for name in old if name not in new)]:
            yield from _settings(f"{prefix}.{name}" if prefix else name, old.get(name), new.get(name))
    elif _is_map(old) and _is_map(new) and dict(old) != dict(new):
        yield from _settings(prefix, dict(old), dict(new))
    elif prefix in OPENED and _is_opened(old) and _is_opened(new) and old != new:
        was, now = OPENED[prefix](old), OPENED[prefix](new)
        found = [*_settings(prefix, was, now), *_orders(prefix, was, now)]
        yield from found or [Difference("setting", prefix, old, new)]
    elif old != new:
        yield Difference("source" if prefix == "bytes" else "setting", prefix, old, new)


def _orders(prefix: str, old: Any, new: Any) -> Iterator[Difference]:
    """Yield the maps that have the same names in another order."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return
    if list(old) != list(new) and old.keys() == new.keys():
        yield Difference("setting", prefix, list(old), list(new))
    for name in new:
        yield from _orders(f"{prefix}.{name}", old.get(name), new[name])


def _form(text: str) -> dict[str, Any]:
    form = json.loads(text)["json_schema"]
    return {form["name"]: form["schema"]}


def _tools(texts: Sequence[str]) -> dict[str, Any]:
    functions = [json.loads(each)["function"] for each in texts]
    return {each["name"]: {name: value for name, value in each.items() if name != "name"} for each in functions}


# Settings that enter a key as JSON texts, since their order has meaning -> how they are read.
OPENED: Mapping[str, Callable[[Any], dict[str, Any]]] = {"response_format": _form, "tools": _tools}


def _is_opened(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(each, str) for each in value))


def _is_map(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(each, list) and len(each) == 2 and isinstance(each[0], str) for each in value)
    )


def labels(names: Iterable[str]) -> str:
    """Return two names and how many more there are."""
    listed = list(names)
    shown_, rest = listed[:2], len(listed) - 2
    return f"{', '.join(shown_)} and {rest} more" if rest > 0 else ", ".join(shown_)
