"""Which answers went wrong, and how: misses, their kinds, what was lost against other arms, hits.

Owns the choice and the order of examples a report shows. Judges nothing: it reads the scores. A miss
is an answer that fails `style.all_kept`, or loses or invents a fact.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftbuild.digest import of_value

LOST, INVENTED, STYLE, EMPTY = "lost", "invented", "style", "empty"
SEED = 7

_KINDS = {
    LOST: "loses a fact",
    INVENTED: "invents a fact",
    EMPTY: "answers nothing",
    STYLE: "breaks a style rule",
    "style.contractions": "uses a contraction",
    "style.slang": "uses slang",
    "style.emoji": "uses an emoji",
    "style.exclamation_marks": "uses an exclamation mark",
    "style.sentence_case": "breaks sentence case",
    "style.sentence_words": "writes too long a sentence",
    "style.desu_masu": "ends a sentence without です or ます",
    "style.banned": "uses a banned phrase",
    "style.required": "lacks a required phrase",
}
_ADVICE = {
    LOST: "Write pairs with several numbers, names and dates in one message, each unchanged in the target.",
    INVENTED: "Write pairs whose target stays as close to the message as it can and adds nothing: no date, "
    "no name, no reason.",
    EMPTY: "Look at the message first: nothing in it may resemble what the model learnt from.",
}


@dataclass(frozen=True)
class Snippet:
    """A piece of text that made an answer a miss; `kind` is a kind of miss, `text` may appear nowhere verbatim."""

    kind: str
    text: str


def kind_label(kind: str) -> str:
    """Return a kind of miss as a verb phrase: `loses a fact`."""
    return _KINDS.get(kind) or "breaks " + kind.removeprefix("style.").replace("_", " ")


def advice(kind: str) -> str:
    """Return what kind of new example to write against a kind of miss."""
    if kind in _ADVICE:
        return _ADVICE[kind]
    rule = kind.removeprefix("style.").replace("_", " ")
    return f"Write pairs whose message breaks this rule ({rule}) and whose target keeps it."


def snippets(example: Mapping[str, Any], arm: str) -> list[Snippet]:
    """Return what is wrong in an arm's answer: lost facts, invented ones, then rule by rule."""
    detail = example["detail"].get(arm) or {}
    found: dict[Snippet, None] = {}
    for metric in ("facts.kept", "facts.invented"):
        facts = detail.get(metric)
        if isinstance(facts, Mapping):
            found |= {Snippet(LOST, str(fact)): None for fact in facts.get("lost", ())}
            found |= {Snippet(INVENTED, str(fact)): None for fact in facts.get("invented", ())}
    for metric in sorted(detail):
        if metric.startswith("style.") and metric != "style.all_kept" and isinstance(detail[metric], Sequence):
            found |= {
                Snippet(metric, str(text)): None for text in detail[metric] if not isinstance(detail[metric], str)
            }
    return sorted(found, key=lambda snippet: [LOST, INVENTED].index(snippet.kind) if snippet.kind in _ADVICE else 2)


def kinds(example: Mapping[str, Any], arm: str) -> list[str]:
    """Return the kinds of miss of an arm's answer, none when it is a hit."""
    scores = example["scores"].get(arm) or {}
    pieces = {snippet.kind for snippet in snippets(example, arm)}
    found = []
    kept, invented = scores.get("facts.kept"), scores.get("facts.invented")
    if (kept is not None and kept < 1) or LOST in pieces:
        found.append(LOST)
    if invented or INVENTED in pieces:
        found.append(INVENTED)
    if not str(example["answers"].get(arm) or "").strip() and scores:
        return [*found, EMPTY]
    rules = sorted(m for m, value in scores.items() if m.startswith("style.") and m != "style.all_kept" and value == 0)
    if rules or scores.get("style.all_kept") == 0:
        found += rules or [STYLE]
    return found


def misses(examples: Sequence[Mapping[str, Any]], arm: str = "tuned") -> list[Mapping[str, Any]]:
    """Return the examples an arm missed: most kinds first, facts before style, then by place."""
    missed = [(example, kinds(example, arm)) for example in examples]
    missed = [(example, found) for example, found in missed if found]
    missed.sort(key=lambda pair: (-len(pair[1]), LOST not in pair[1], INVENTED not in pair[1], *_place(pair[0])))
    return [example for example, _ in missed]


def lost_against(examples: Sequence[Mapping[str, Any]], arm: str) -> list[Mapping[str, Any]]:
    """Return the tuned arm's misses that `arm` answered without a miss."""
    return [e for e in misses(examples) if e["answers"].get(arm) is not None and not kinds(e, arm)]


def hits(examples: Sequence[Mapping[str, Any]], at_most: int = 20) -> list[Mapping[str, Any]]:
    """Return up to `at_most` examples without a miss; the same draw for the same ids on every machine."""
    clean = [e for e in examples if e["answers"].get("tuned") is not None and not kinds(e, "tuned")]
    return sorted(clean, key=lambda example: of_value(["hit.v1", SEED, example["id"]]))[:at_most]


def by_kind(examples: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Return the tuned arm's misses by kind, the commonest kind first; an example may be in several."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for example in misses(examples):
        for kind in kinds(example, "tuned"):
            found.setdefault(kind, []).append(example)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def _place(example: Mapping[str, Any]) -> tuple[str, int, str]:
    return str(example["path"]), int(example["line"]), str(example["id"])
