"""Which answers went wrong, and how: misses, their kinds, what was lost against other arms, hits.

Owns the choice and the order of examples a report shows. Judges nothing: it reads the scores. A miss
is an answer that fails `style.all_kept`, loses or invents a fact, does not make exactly the calls wanted, or does not
fit its schema or differs from the reference in a field, does not meet a constraint or a criterion of its own, or is
not what its passages hold.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftbuild.digest import of_value
from ftbuild.report.words import whole_of

LOST, INVENTED, STYLE, EMPTY = "lost", "invented", "style", "empty"
MISSING, EXTRA, VALUE, MISFIT = "call.missing", "call.extra", "call.value", "call.misfit"
FORM, FIELD, CRITERION = "form", "field", "criterion"
# Of answers out of passages: the metric that says it, and the value that it then has.
GROUNDING = {
    "grounding.answers": 0,
    "grounding.abstains": 0,
    "grounding.citation": 0,
    "grounding.invented": 1,
}
ORDER = (LOST, INVENTED, MISSING, EXTRA, VALUE, MISFIT, FORM, FIELD, CRITERION)  # before the rules of style
SEED = 7

_KINDS = {
    LOST: "loses a fact",
    INVENTED: "invents a fact",
    MISSING: "leaves a call out",
    EXTRA: "makes a call that is not wanted",
    VALUE: "gets an argument wrong",
    MISFIT: "makes a call that its tool does not take",
    FORM: "breaks its schema",
    FIELD: "gets a field wrong",
    CRITERION: "breaks a criterion",
    "grounding.answers": "does not answer what its passages hold",
    "grounding.abstains": "answers what its passages do not hold",
    "grounding.citation": "names another passage, or none",
    "grounding.invented": "answers with a number that no passage holds",
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
_TOLD_BY = {
    "style.": "break a style rule",
    "constraints.": "do not meet a constraint",
    "criteria.": "break a criterion",
    "facts.": "lose or invent a fact",
    "tool_calls.": "make other calls than those wanted",
    "json_schema.": "break their schema or get a field wrong",
    "grounding.": "are not what their passages hold",
}
_WORDS = {
    LOST: "lost",
    INVENTED: "invented",
    MISSING: "missing",
    EXTRA: "not wanted",
    VALUE: "argument",
    MISFIT: "not taken",
    FORM: "schema",
}
_ADVICE = {
    LOST: "Write pairs with several numbers, names and dates in one message, each unchanged in the target.",
    INVENTED: "Write pairs whose target stays as close to the message as it can and adds nothing: no date, "
    "no name, no reason.",
    MISSING: "Write requests that need several calls, in phrasings that are new, with every one of them in the target.",
    EXTRA: "Write requests close to these that need fewer calls, or none, and whose target makes just those.",
    VALUE: "Write requests with many different values for these arguments, each taken over as it stands.",
    MISFIT: "Ask with strict tools, or write more requests for these tools.",
    FORM: "Ask with a response format: a server that honours it lets no answer break its schema.",
    FIELD: "Write texts with many different values for these fields, and some in which a field is not said.",
    CRITERION: "Write requests that ask for the same, with targets that meet such criteria.",
    "grounding.answers": "Write questions in other words than the passage that answers them, among several passages.",
    "grounding.abstains": "Write questions that none of their passages answers, with a target that says so.",
    "grounding.citation": "Write questions with several passages that are alike, and targets that name the right one.",
    "grounding.invented": "Write questions on numbers, with targets that take them over from the passage.",
    EMPTY: "Look at the message first: nothing in it may resemble what the model learnt from.",
}


@dataclass(frozen=True)
class Snippet:
    """A piece of text that made an answer a miss; `kind` is a kind of miss, `text` may appear nowhere verbatim."""

    kind: str
    text: str


def told_by(examples: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what a miss may do wrong here, as verb phrases; none where no scorer tells a miss."""
    metrics = {metric for each in examples for scores in each["scores"].values() for metric in scores}
    return [what for prefix, what in _TOLD_BY.items() if any(metric.startswith(prefix) for metric in metrics)]


def word(kind: str) -> str:
    """Return a kind of miss in a word or two, to stand before a snippet."""
    return _WORDS.get(kind) or kind.rpartition(".")[2].replace("_", " ")


def kind_label(kind: str) -> str:
    """Return a kind of miss as a verb phrase: `loses a fact`."""
    if kind.startswith("constraints."):
        return f"does not meet a constraint ({word(kind)})"
    return _KINDS.get(kind) or f"breaks {word(kind)}"


def advice(kind: str) -> str:
    """Return what kind of new example to write against a kind of miss."""
    if kind in _ADVICE:
        return _ADVICE[kind]
    rule = word(kind)
    if kind.startswith("constraints."):
        return f"Write requests whose obvious answer does not meet this constraint ({rule}) and whose target does."
    return f"Write pairs whose message breaks this rule ({rule}) and whose target keeps it."


def snippets(example: Mapping[str, Any], arm: str) -> list[Snippet]:
    """Return what is wrong in an arm's answer: facts, calls, fields and criteria, then rule by rule."""
    detail = example["detail"].get(arm) or {}
    found: dict[Snippet, None] = dict.fromkeys([*_calls(detail), *_fields(detail)])
    for metric in ("facts.kept", "facts.invented"):
        facts = detail.get(metric)
        if isinstance(facts, Mapping):
            found |= {Snippet(LOST, str(fact)): None for fact in facts.get("lost", ())}
            found |= {Snippet(INVENTED, str(fact)): None for fact in facts.get("invented", ())}
    for metric in sorted(detail):
        if whole_of(metric) and isinstance(detail[metric], Sequence):
            found |= {
                Snippet(metric, str(text)): None for text in detail[metric] if not isinstance(detail[metric], str)
            }
    return sorted(found, key=lambda each: ORDER.index(each.kind) if each.kind in ORDER else len(ORDER))


def _calls(detail: Mapping[str, Any]) -> Iterator[Snippet]:
    calls = detail.get("tool_calls.exact_set")
    if isinstance(calls, Mapping):
        yield from (Snippet(MISSING, text) for text in calls["missing"])
        yield from (Snippet(EXTRA, text) for text in calls["extra"])
        for each in calls["differs"]:
            for argument in each["arguments"]:
                yield Snippet(VALUE, _beside(argument["name"], argument))
    for text in detail.get("tool_calls.valid") or ():
        yield Snippet(MISFIT, text)


def _fields(detail: Mapping[str, Any]) -> Iterator[Snippet]:
    yield from (Snippet(FORM, text) for text in detail.get("json_schema.valid") or ())
    yield from (Snippet(FIELD, _beside(each["field"], each)) for each in detail.get("json_schema.fields") or ())
    for each in detail.get("criteria.all_met") or ():
        value = json.dumps(each["value"], ensure_ascii=False) if "value" in each else ""
        yield Snippet(CRITERION, f"{each['type']} {value}".strip())


def _beside(name: str, values: Mapping[str, Any]) -> str:
    """Return a value beside the one wanted: `days: 3, wanted 2`."""
    sent, wanted = (json.dumps(values[each], ensure_ascii=False) for each in ("sent", "wanted"))
    return f"{name}: {sent}, wanted {wanted}".removeprefix(": ")


def kinds(example: Mapping[str, Any], arm: str) -> list[str]:
    """Return the kinds of miss of an arm's answer, none when it is a hit."""
    scores = example["scores"].get(arm) or {}
    pieces = {snippet.kind for snippet in snippets(example, arm)}
    found: list[str] = []
    kept, invented, kept_all = (scores.get(each) for each in ("facts.kept", "facts.invented", "style.all_kept"))
    if (kept is not None and kept < 1) or LOST in pieces:
        found.append(LOST)
    if invented or INVENTED in pieces:
        found.append(INVENTED)
    found += [kind for kind in ORDER if kind in pieces and kind not in (LOST, INVENTED)]
    if scores.get("json_schema.valid") == 0 and FORM not in found:
        found.append(FORM)
    found += [metric for metric, wrong in GROUNDING.items() if scores.get(metric) == wrong]
    if not str(example["answers"].get(arm) or "").strip() and scores:
        return [*found, EMPTY]
    rules = sorted(m for m, value in scores.items() if whole_of(m) and value is not None and value < 1)
    if rules or (kept_all is not None and kept_all < 1):
        found += rules or [STYLE]
    return found


def misses(examples: Sequence[Mapping[str, Any]], arm: str = "tuned") -> list[Mapping[str, Any]]:
    """Return the examples an arm missed: most kinds first, facts before style, then by place."""
    missed = [(example, kinds(example, arm)) for example in examples]
    missed = [(example, found) for example, found in missed if found]
    missed.sort(key=lambda pair: (-len(pair[1]), LOST not in pair[1], INVENTED not in pair[1], *_place(pair[0])))
    return [example for example, _ in missed]


def lost_against(examples: Sequence[Mapping[str, Any]], arm: str, judged: str = "tuned") -> list[Mapping[str, Any]]:
    """Return the judged arm's misses that `arm` answered without a miss."""
    return [e for e in misses(examples, judged) if e["answers"].get(arm) is not None and not kinds(e, arm)]


def hits(examples: Sequence[Mapping[str, Any]], arm: str = "tuned", at_most: int = 20) -> list[Mapping[str, Any]]:
    """Return up to `at_most` examples without a miss; the same draw for the same ids on every machine."""
    clean = [e for e in examples if e["answers"].get(arm) is not None and not kinds(e, arm)]
    return sorted(clean, key=lambda example: of_value(["hit.v1", SEED, example["id"]]))[:at_most]


def by_kind(examples: Sequence[Mapping[str, Any]], arm: str = "tuned") -> dict[str, list[Mapping[str, Any]]]:
    """Return an arm's misses by kind, the commonest kind first; an example may be in several."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for example in misses(examples, arm):
        for kind in kinds(example, arm):
            found.setdefault(kind, []).append(example)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def _place(example: Mapping[str, Any]) -> tuple[str, int, str]:
    return str(example["path"]), int(example["line"]), str(example["id"])
