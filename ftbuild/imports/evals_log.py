"""Logs of the open-source evals (`oaieval`): events, one a line, which a sample_id joins into an answer.

The first line holds the `spec`, the last a `final_report`; between them `sampling` says what was answered (the first of
a sample: a grader's come after it), `match` what was expected and whether it was so, `metrics` a score. The value is 1
or 0 of `match`, else the `score` or `accuracy` of `metrics`. Of several answers that were accepted the first is the
reference, and a criterion holds them all. Source: openai/evals 4bfc1f5, `evals/record.py`, MIT (2026-11).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ftbuild.imports.expected import Expected
from ftbuild.imports.lines import Answer, broken, comparable, number
from ftbuild.imports.messages import asked
from ftbuild.problem import Problem
from ftbuild.rows import Row
from ftbuild.tools.schemas import shown

EVENT = ("run_id", "sample_id", "type", "data")
SCORES = ("score", "accuracy")
SAID = "samples in a log of openai/evals"


def is_one(value: Any) -> bool:
    """Return whether a value is the first line of a log, or an event of one."""
    if not isinstance(value, Mapping):
        return False
    spec = value.get("spec")
    return (isinstance(spec, Mapping) and "run_id" in spec) or set(EVENT) <= value.keys()


def read(rows: Sequence[Row]) -> Iterator[Answer | Problem]:
    """Yield the answers, and the lines that are no events."""
    samples: dict[tuple[str, str], list[tuple[int, str, Mapping[str, Any]]]] = {}
    for row in rows:
        value = row.value
        if not isinstance(value, Mapping) or not (
            set(EVENT) <= value.keys() or {"spec", "final_report"} & value.keys()
        ):
            yield broken(f"{shown(value)} is no event of a log", row.line, "", "a log is as oaieval wrote it.")
        elif set(EVENT) <= value.keys() and value["sample_id"] is not None and isinstance(value["data"], Mapping):
            of_sample = samples.setdefault((str(value["run_id"]), str(value["sample_id"])), [])
            of_sample.append((row.line, str(value["type"]), value["data"]))
    for (run, name), events in samples.items():
        yield _answer(run, name, events)


def _answer(run: str, name: str, events: Sequence[tuple[int, str, Mapping[str, Any]]]) -> Answer:
    sampling, match, metrics = (
        next((data for _, kind, data in events if kind == wanted), {}) for wanted in ("sampling", "match", "metrics")
    )
    messages = asked(sampling.get("prompt", ""))
    said = sampling.get("sampled", match.get("sampled"))
    output = (said[0] if said else None) if isinstance(said, list) else said
    value = match.get("correct", next((metrics[each] for each in SCORES if each in metrics), None))
    return Answer(
        name,
        run,
        events[0][0],
        "",
        messages,
        None if output is None else str(output),
        _expected(match.get("expected")),
        None if output is None else number(value),
        comparable(messages),
    )


def _expected(said: Any) -> Expected:
    found = Expected()
    texts = [str(each) for each in (said if isinstance(said, list) else [said]) if each is not None]
    if len(texts) > 1:
        found.require("contains-any", texts, "")
    if texts:
        found.refer(texts[0])
    return found
