"""Structured answers: does it parse, does it fit its schema, and are its fields right: three questions, three metrics.

A field is a value without members: of `{"items": [{"name": "milk"}]}` it is `items[0].name`. Those of the reference
and those of the answer count alike, so that one made up is as wrong as one left out. An answer whose target is no
JSON, or that has no schema, has no value.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ftbuild.scorers.case import Case, Metric, Score
from ftbuild.scorers.json_text import NOTHING, checker, read
from ftbuild.scorers.values import same
from ftbuild.tools.schemas import place

VALID = Metric("json_schema.valid", "fits its schema")
FIELDS = Metric("json_schema.fields", "fields as in the reference")
PARSED = Metric("json_schema.parsed", "is JSON")


@dataclass(frozen=True)
class JsonSchema:
    """1 when the answer is JSON; when it fits; and the share of fields that are those of the reference."""

    name: str = "json_schema"
    version: int = 1
    metrics: tuple[Metric, ...] = (VALID, FIELDS, PARSED)

    def score(self, case: Case) -> list[Score]:
        """Return the scores; details say where it does not fit, and which fields differ."""
        if case.schema is None:
            return [Score(metric.name, None) for metric in self.metrics]
        value = read(case.output)
        wrong = [] if value is NOTHING else checker(json.dumps(case.schema)).misfits(value)
        share, differing = _compared(value, read(case.target))
        return [
            Score(VALID.name, float(value is not NOTHING and not wrong), [": ".join(filter(None, w)) for w in wrong]),
            Score(FIELDS.name, share, differing),
            Score(PARSED.name, float(value is not NOTHING)),
        ]


def _compared(value: Any, target: Any) -> tuple[float | None, list[dict[str, Any]]]:
    """Return which share of the fields of both agrees, and those that do not."""
    if target is NOTHING:
        return None, []
    wanted = dict(_fields(target))
    found = {} if value is NOTHING else dict(_fields(value))
    names = list(dict.fromkeys([*wanted, *found]))
    differing = [
        {"field": name, "sent": found.get(name), "wanted": wanted.get(name)}
        for name in names
        if name not in wanted or name not in found or not same(found[name], wanted[name])
    ]
    return (1 - len(differing) / len(names)) if names else float(value is not NOTHING), differing


def _fields(value: Any, *parts: str | int) -> Iterator[tuple[str, Any]]:
    """Yield the values without members, each with its place; an empty list or object is one."""
    if isinstance(value, Mapping) and value:
        for name, each in value.items():
            yield from _fields(each, *parts, name)
    elif isinstance(value, list) and value:
        for number, each in enumerate(value):
            yield from _fields(each, *parts, number)
    else:
        yield place(*parts), value
