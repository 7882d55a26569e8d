"""What each section of the page shows, as plain values for the template.

Owns selection, order and wording of the HTML report. Knows no HTML but the SVG that `charts` draws, and no
Jinja; the template only lays out what it is given.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ftbuild.digest import short
from ftbuild.report import misses, rounds, words
from ftbuild.report.input import ReportInput
from ftbuild.report.marks import mark
from ftbuild.report.numbers import colour, numbers_shown
from ftbuild.report.terminal import again
from ftbuild.report.trained import trained

MOST_MISSES = 200
MOST_LOST = 30
SIGNS = {"met": "✓", "missed": "✗", "undecided": "?", None: "–"}
MARK_CLASS = {misses.LOST: "lost", misses.INVENTED: "invented"}
COUNTED = {
    "style.all_kept": "keep every style rule",
    "constraints.all_met": "meet every constraint",
    "exact": "say exactly what the reference says",
    "exact.normalised": "say what the reference says but for spaces and width",
    "facts.invented": "invent a fact",
}


def view(report_input: ReportInput, *, examples: bool) -> dict[str, Any]:
    """Return the whole page as plain values; without `examples` no text of any conversation is among them."""
    return {
        "run": report_input.run,
        "settings": [{**line, "value": words.setting(line["value"])} for line in report_input.run["settings_lines"]],
        "at_once": report_input.at_once,
        "date": words.date(report_input.run["started_at"]),
        "again": again(report_input.run),
        "caveat": report_input.caveat,
        "with_examples": examples,
        "verdict": _verdict(report_input),
        "numbers": numbers_shown(report_input),
        "rounds": _rounds(report_input),
        "levers": _levers(report_input),
        "usage": _usage(report_input),
        "misses": _misses(report_input, examples=examples),
        "next": _next(report_input, examples=examples),
        "dataset": _dataset(report_input.dataset, examples=examples),
        "training": trained(report_input.training),
        "actions": _actions(report_input.actions),
        "duration": words.duration(report_input.run["seconds"]),
        "cost": words.cost(report_input.run["cost_usd"]),
    }


def _verdict(report_input: ReportInput) -> dict[str, Any]:
    results = report_input.results
    metric = words.metric_of(results, results["verdict_metric"])
    conditions = [
        {"sign": SIGNS[f.ending], "ending": f.ending, "name": f.name.replace("_", " "), "finding": f}
        for f in words.findings(results)
    ]
    named = [results["verdict_metric"], *(c["metric"] for c in results["goal"])]
    tiles = [_tile(m, results) for m in results["metrics"] if m["slice"] is None and m["metric"] in named]
    return {
        "headline": words.headline(results),
        "verdict": results["verdict"],
        "judged": results["arm"],
        "ending": results["ending"] or "undecided",
        "sign": SIGNS[results["ending"]],
        "sentences": [*_found(metric, results), _goal_sentence(results)] if metric else [_goal_sentence(results)],
        "conditions": conditions,
        "tiles": [tile for tile in tiles if tile],
        "judge": _judge(results.get("judge")),
        "sweep": _sweep(report_input.sweep, results),
        "confidence": f"{100 * results['confidence']:g} %",
        "has_proxy": any(m["proxy"] for m in results["metrics"]),
    }


def _sweep(sweep: Mapping[str, Any] | None, results: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return how the winner of a sweep did among all looks, and on examples that nobody had looked at."""
    if sweep is None:
        return None
    verdict = sweep["confirmed"]["verdict"]
    ending = {"better": "met", "underpowered": "undecided"}.get(verdict, "missed")
    return {
        "sign": SIGNS[ending],
        "ending": ending,
        "word": words.CONFIRMED[verdict],
        "won": words.first_large(words.won(sweep, results)),
        "found": words.first_large(words.confirmed(sweep["confirmed"])),
    }


def _judge(judge: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if judge is None:
        return None
    ending = "met" if judge["admitted"] else "missed"
    unread = f"; {judge['unread']:,} of its replies were none of A, B and T" if judge["unread"] else ""
    return {
        "sign": SIGNS[ending],
        "ending": ending,
        "admitted": "admitted" if judge["admitted"] else "not admitted",
        "found": f"on {words.count(judge['n'], 'labelled pair')}: {words.judge_in_words(judge)}{unread}",
    }


def _pair(metric: Mapping[str, Any], results: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the numbers of the arm that the verdict compares with, and of the one that is judged."""
    against = metric["arms"].get(results["against"]) if results["against"] != results["arm"] else None
    return against, metric["arms"].get(results["arm"])


def _tile(metric: Mapping[str, Any], results: Mapping[str, Any]) -> dict[str, Any] | None:
    base, tuned = _pair(metric, results)
    if not tuned or tuned["mean"] is None:
        return None
    before = words.value(base["mean"]) if base and base["mean"] is not None else None
    return {
        "label": words.first_large(metric["label"]),
        "proxy": metric["proxy"],
        "lower": metric["lower_is_better"],
        "before": before,
        "after": words.value(tuned["mean"]),
        "interval": words.interval(tuned),
    }


def _found(metric: Mapping[str, Any], results: Mapping[str, Any]) -> list[str]:
    base, tuned = _pair(metric, results)
    if not base or not tuned or base["mean"] is None or tuned["mean"] is None:
        return []
    usual = (results["arm"], results["against"]) == ("tuned", "base")
    judged, other = ("the tuned model", "before training") if usual else (results["arm"], f"of {results['against']}")
    after_it, before_it = (
        ("after training", "before") if usual else (f"of {results['arm']}", f"of {results['against']}")
    )
    difference = metric["differences"].get(results["against"])
    digits = words.digits_of(difference) if difference else 2
    examples = f"On {words.count(tuned['n'], 'test example')} kept out of training"
    if metric["metric"] in COUNTED:
        after, before = _counted(tuned), _counted(base)
        passing = COUNTED[metric["metric"]]
        found = f"{examples}, {after} answers of {judged} {passing}; {other} it was {before}."
    else:
        after, before = words.value(tuned["mean"], digits), words.value(base["mean"], digits)
        found = f"{examples}, “{metric['label']}” is {after} {after_it} and was {before} {before_it}."
    return [found, *_sure(difference, digits, results)]


def _sure(difference: Mapping[str, Any] | None, digits: int, results: Mapping[str, Any]) -> list[str]:
    if not difference or None in (difference["difference"], difference["low"], difference["high"]):
        return []
    change = words.signed(difference["difference"], digits=digits)
    between = words.difference_interval(difference, digits).replace(" to ", " and ")
    sure = f"we are {100 * results['confidence']:g} % sure that it lies between {between}"
    if results["verdict"] == "underpowered":
        mde, widest = difference["mde"], (difference["high"] - difference["low"]) / 2
        # Where hardly a value differs the spread says little, and an interval that is wider is the one to believe.
        is_known = mde is not None and mde >= widest
        least = f" They could have shown a change of {words.value(mde)} or more." if is_known else ""
        return [f"The change is {change}, and {sure}: too few examples to tell.{least}"]
    if results["verdict"] in ("no_difference", None):
        return [f"The change is {change}, and {sure}{': no difference' if results['verdict'] else ''}."]
    return [f"The {'gain' if results['verdict'] == 'better' else 'loss'} is {change}, and {sure}."]


def _counted(numbers: Mapping[str, Any]) -> str:
    """Return how many answers a mean counts: `38 of 40`; of 100 where answers count in part."""
    share = numbers["mean"]
    n_counted = share * numbers["n"]
    if abs(n_counted - round(n_counted)) < 1e-6:
        return f"{round(n_counted):,} of {numbers['n']:,}"
    whole = int(words.rounded(100 * share, digits=0))
    if whole == 100 and share < 1:
        return "more than 99 of 100"
    if whole == 0 and share > 0:
        return "fewer than 1 of 100"
    return f"{whole} of 100"


def _goal_sentence(results: Mapping[str, Any]) -> str:
    goal = results["goal"]
    if results["ending"] is None:
        return "This run was not judged: it shows that everything works, not how good the model is."
    if not goal:
        return "The goal has no conditions."
    if results["ending"] == "met":
        return (
            "The goal's one condition is met." if len(goal) == 1 else f"All {len(goal)} conditions of the goal are met."
        )
    parts = []
    for ending, verb in (("missed", "missed"), ("undecided", "not decided by so few examples")):
        names = [c["name"].replace("_", " ") for c in goal if c["ending"] == ending]
        if names:
            parts.append(f"{verb}: {', '.join(names)}")
    n_met = sum(c["ending"] == "met" for c in goal)
    return f"{n_met} of {len(goal)} conditions of the goal are met; {'; '.join(parts)}."


def _rounds(report_input: ReportInput) -> dict[str, Any] | None:
    """Return what came of a round since the one before it; None of a first round, or where nothing was judged."""
    results = report_input.results
    if "round" not in results:
        return None
    return {
        "title": rounds.title(results),
        "rows": rounds.rows(results),
        "sentences": rounds.sentences(results),
        "guards": rounds.guards(results),
        "trained": rounds.trained(report_input.round),
    }


def _levers(report_input: ReportInput) -> dict[str, Any] | None:
    """Return which of retrieval and tuning to use and why; None where the arms do not tell them apart."""
    levers = report_input.results.get("levers")
    if levers is None:
        return None
    places = [place for place in ("neither", "retrieval", "tuning", "both") if place in levers["arms"]]
    return {
        "sentence": words.recommendation(levers, rehearsed=report_input.results.get("rehearsed", False)),
        "search": words.search(report_input.retrieval) if report_input.retrieval is not None else "",
        "arms": [levers["arms"][place] for place in places],
        "trained": "tuning" in levers["arms"],
        "tuned": levers["arms"].get("tuning"),
        "rows": [
            {
                "side": words.first_large(words.SIDES[row["side"]]),
                "label": words.label(row) + (", lower is better" if row["lower_is_better"] else ""),
                "means": [words.value(row["means"][place]) for place in places],
                "choice": words.CHOICES[row["choice"]],
            }
            for row in levers["metrics"]
        ],
        "reasons": words.reasons(levers),
    }


def _usage(report_input: ReportInput) -> list[dict[str, Any]]:
    """Return what an answer of each arm took that asks a model."""
    asked = {name: each["usage"] for name, each in report_input.arms.items() if each["usage"] is not None}
    names = ("seconds", "read", "written", "cost")
    return [
        {
            "arm": name,
            **dict(zip(names, words.of_answers(used), strict=True)),
            "seconds_95": f"{used['seconds_95']:.2f}",
            "as_of": used["as_of"] or "",
        }
        for name, used in asked.items()
    ]


def _misses(report_input: ReportInput, *, examples: bool) -> dict[str, Any]:
    results = report_input.results
    judged, against = results["arm"], results["against"]
    missed = misses.misses(report_input.examples, judged)
    shown = missed[:MOST_MISSES] if examples else []
    numbers = {example["id"]: n for n, example in enumerate(missed, 1)}
    kinds = {kind: len(found) for kind, found in misses.by_kind(shown, judged).items()}
    slices: dict[str, int] = {}
    for example in shown:
        for name in _slices(example):
            slices[name] = slices.get(name, 0) + 1
    others = [arm for arm in dict.fromkeys((against, "rules")) if arm in results["arms"] and arm != judged]
    lost = {arm: misses.lost_against(report_input.examples, arm, judged) for arm in others}
    hits = misses.hits(report_input.examples, judged)
    return {
        "n": len(missed),
        "of": len(report_input.examples),
        "told_by": ", or ".join(misses.told_by(report_input.examples)),
        "judged": judged,
        "whose": "the tuned model" if judged == "tuned" else judged,
        "others": " or ".join(others),
        "cards": [_card(example, numbers[example["id"]], results) for example in shown],
        "kinds": [{"kind": kind, "label": misses.kind_label(kind), "n": n} for kind, n in kinds.items()],
        "slices": [{"name": name, "label": name.replace("=", ": ", 1), "n": slices[name]} for name in sorted(slices)],
        "lost": [_lost(arm, found, numbers, results, examples=examples) for arm, found in lost.items() if found],
        "hits": [_hit(example, judged) for example in hits] if examples else [],
        "n_hits": len(report_input.examples) - len(missed),
    }


def _slices(example: Mapping[str, Any]) -> list[str]:
    return [f"{name}={value}" for name, value in sorted(example["slices"].items())]


def _place(example: Mapping[str, Any]) -> str:
    return f"{example['path']}:{example['line']}"


def _chips(example: Mapping[str, Any], arm: str) -> list[dict[str, str]]:
    found = [
        {
            "class": MARK_CLASS.get(s.kind, "style"),
            "kind": misses.word(s.kind),
            "text": s.text,
        }
        for s in misses.snippets(example, arm)
    ]
    bare = set(misses.kinds(example, arm)) - {s.kind for s in misses.snippets(example, arm)}
    return found + [{"class": "style", "kind": misses.kind_label(kind), "text": ""} for kind in sorted(bare)]


def _pieces(text: str, snippets: Sequence[misses.Snippet]) -> list[tuple[str, str | None]]:
    return [(piece.text, MARK_CLASS.get(piece.kind, "style") if piece.kind else None) for piece in mark(text, snippets)]


def _answer(example: Mapping[str, Any], arm: str, results: Mapping[str, Any]) -> dict[str, Any]:
    is_judged = arm == results["arm"]
    wrong = [snippet for snippet in misses.snippets(example, arm) if snippet.kind != misses.LOST]
    return {
        "arm": colour(arm, results),
        "title": {"base": "Base", "tuned": "Tuned"}.get(arm, arm),
        "pieces": _pieces(example["answers"][arm], wrong),
        "empty": not example["answers"][arm].strip(),
        "chips": [chip for chip in _chips(example, arm) if is_judged or chip["class"] != "style"],
        "clean": not misses.kinds(example, arm),
    }


def _card(example: Mapping[str, Any], number: int, results: Mapping[str, Any]) -> dict[str, Any]:
    judged = results["arm"]
    lost = _lost_facts(example, judged)
    found = misses.kinds(example, judged)
    pair = tuple(dict.fromkeys((results["against"], judged)))
    answers = example["answers"]
    return {
        "number": number,
        "place": _place(example),
        "slices": _slices(example),
        "kinds": [
            {"kind": kind, "label": misses.kind_label(kind), "class": MARK_CLASS.get(kind, "style")} for kind in found
        ],
        "input": _pieces(example["input"], lost),
        "target": _pieces(example["target"], lost),
        "answers": [_answer(example, arm, results) for arm in pair if answers.get(arm) is not None],
        "others": [_answer(example, arm, results) | {"title": arm} for arm in answers if arm not in (*pair, "echo")],
    }


def _lost_facts(example: Mapping[str, Any], judged: str) -> list[misses.Snippet]:
    return [snippet for snippet in misses.snippets(example, judged) if snippet.kind == misses.LOST]


def _lost(
    arm: str,
    found: Sequence[Mapping[str, Any]],
    numbers: Mapping[str, int],
    results: Mapping[str, Any],
    *,
    examples: bool,
) -> dict[str, Any]:
    shown = found[:MOST_LOST] if examples else []
    return {
        "arm": arm,
        "n": len(found),
        "examples": [
            {
                "number": numbers[example["id"]],
                "linked": numbers[example["id"]] <= MOST_MISSES,
                "input": example["input"],
                "right": _answer(example, arm, results),
                "wrong": _answer(example, results["arm"], results),
            }
            for example in shown
        ],
        "more": len(found) - len(shown) if examples else 0,
    }


def _hit(example: Mapping[str, Any], judged: str) -> dict[str, Any]:
    return {
        "place": _place(example),
        "input": example["input"],
        "target": example["target"],
        "tuned": example["answers"][judged],
    }


def _next(report_input: ReportInput, *, examples: bool) -> list[dict[str, Any]]:
    results, judged = report_input.results, report_input.results["arm"]
    numbers = {example["id"]: n for n, example in enumerate(misses.misses(report_input.examples, judged), 1)}
    found = misses.by_kind(report_input.examples, judged)
    most = max((len(each) for each in found.values()), default=0)
    return [
        {
            "label": misses.kind_label(kind),
            "class": MARK_CLASS.get(kind, "style"),
            "n": len(each),
            "percent": round(100 * len(each) / most, 1),
            "advice": misses.advice(kind),
            "examples": [
                {
                    "number": numbers[example["id"]],
                    "linked": numbers[example["id"]] <= MOST_MISSES,
                    "input": _pieces(example["input"], _lost_facts(example, judged)),
                    "tuned": _answer(example, judged, results)["pieces"],
                    "what": "; ".join(s.text for s in misses.snippets(example, judged) if s.kind == kind),
                }
                for example in (each[:2] if examples else [])
            ],
        }
        for kind, each in found.items()
    ]


def _dataset(dataset: Mapping[str, Any], *, examples: bool) -> dict[str, Any]:
    total = sum(dataset["counts"].values())
    return {
        "digest": dataset["digest"],
        "short_digest": short(dataset["digest"]),
        "splits": [
            {
                "split": split,
                "n": f"{n:,}",
                "groups": dataset["groups"].get(split),
                "percent": round(100 * n / (total or 1), 1),
            }
            for split, n in dataset["counts"].items()
        ],
        "total": f"{total:,}",
        "sources": dataset["sources"],
        "dropped": dataset["dropped"],
        "n_tokens": None if dataset["n_tokens"] is None else f"{dataset['n_tokens']:,}",
        "samples": dataset["samples"][:10] if examples else [],
    }


def _actions(actions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    most = max((action["seconds"] or 0 for action in actions), default=0) or 1
    return [
        {
            "label": action["label"],
            "status": {"HIT": "cached", "RUN": "ran"}.get(action["status"], action["status"].lower()),
            "ran": action["status"] != "HIT",
            "time": "" if action["status"] == "HIT" or action["seconds"] is None else words.duration(action["seconds"]),
            "percent": 0 if action["status"] == "HIT" else round(100 * (action["seconds"] or 0) / most, 1),
        }
        for action in actions
    ]
