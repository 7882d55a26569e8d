"""The end of a build as terminal text: arms, differences, goal, verdict, what to look at next.

Owns columns and their order of retreat on a narrow terminal. Writes no colour and no cursor movement.
"""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from ftbuild.report import misses, rounds, words
from ftbuild.report.input import ReportInput

GAP = "     "
NARROW_GAP = "  "
OURS = "embedded"  # who has the weights on this machine
Cells = Sequence[str]


def summary(report_input: ReportInput, width: int = 100) -> str:
    """Return the block that follows the progress lines, every line at most `width` wide where the words allow it.

    Ends without a line feed. A narrow terminal first loses the gaps, then the arms' intervals; the
    intervals of the differences always stay.
    """
    results = report_input.results
    blocks = [_arms(results, width), _other_arms(results, width), _usage(report_input, width)]
    blocks += [_levers(report_input, width), _rounds(report_input, width), _goal(results), _next(report_input)]
    return "\n\n".join(block for block in blocks if block)


def numbers(results: Mapping[str, Any], width: int = 100) -> str:
    """Return what a comparison came to: the arms, their differences, the goal."""
    blocks = [_arms(results, width), _other_arms(results, width), _goal(results)]
    return "\n\n".join(block for block in blocks if block)


def _shown(results: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the metrics of the terminal: single rules and constraints only where the goal names them."""
    named = {condition["metric"] for condition in results["goal"]} | {results["verdict_metric"]}
    return [m for m in results["metrics"] if words.whole_of(m["metric"]) is None or m["metric"] in named]


def _name(metric: Mapping[str, Any]) -> str:
    if metric["slice"]:
        return f"  {metric['slice']}"
    return words.label(metric) + (", lower is better" if metric["lower_is_better"] else "")


def _short(text: str) -> str:
    """Drop the nought before the point, as in `.89`."""
    sign, rest = (text[0], text[1:]) if text[:1] in "+-" else ("", text)
    return sign + (rest[1:] if rest.startswith("0.") else rest)


def _estimate(numbers: Mapping[str, Any], *, interval: bool) -> str:
    if numbers["mean"] is None:
        return words.NO_VALUE
    ends = words.interval(numbers)
    if not interval or not ends:
        return words.value(numbers["mean"])
    low, high = (_short(end) for end in ends.split(" to "))
    return f"{words.value(numbers['mean'])} ({low}-{high})"


def _difference(metric: Mapping[str, Any], arm: str) -> str:
    numbers = metric["differences"].get(arm)
    if not numbers or numbers["difference"] is None:
        return ""
    digits = words.digits_of(numbers)
    ends = words.difference_interval(numbers, digits)
    text = words.signed(numbers["difference"], digits=digits)
    return f"{text} ({' to '.join(_short(end) for end in ends.split(' to '))})" if ends else text


def _arms(results: Mapping[str, Any], width: int) -> str:
    judged, against = results["arm"], results["against"]
    alone = judged == against  # nothing was trained

    def table(*, interval: bool) -> list[Cells]:
        rows: list[Cells] = [("", "n", judged) if alone else ("", "n", against, judged, "difference")]
        for metric in _shown(results):
            arms = metric["arms"]
            n, found = f"{arms[judged]['n']:,}", _estimate(arms[judged], interval=interval)
            other = _estimate(arms[against], interval=interval) if against in arms else ""
            cells = (found,) if alone else (other, found, _difference(metric, against))
            rows.append((_name(metric), n, *cells))
        return rows

    return _fit([table(interval=True), table(interval=False)], width, right=(1,))


def _other_arms(results: Mapping[str, Any], width: int) -> str:
    judged = results["arm"]
    others = [arm for arm in results["arms"] if arm not in (results["against"], judged)]
    if not others:
        return ""
    title = "without a model" if set(others) <= {"echo", "rules"} else "other arms"
    head = [cell for arm in others for cell in (arm, f"{judged} against {arm}")]
    full: list[Cells] = [(title, *head)]
    bare: list[Cells] = [(title, *others)]
    for metric in _shown(results):
        if metric["slice"] and metric["metric"] != results["verdict_metric"]:
            continue
        arms = metric["arms"]
        means = {arm: _estimate(arms[arm], interval=False) if arm in arms else "" for arm in others}
        full.append((_name(metric), *(cell for arm in others for cell in (means[arm], _difference(metric, arm)))))
        bare.append((_name(metric), *(means[arm] for arm in others)))
    return _fit([full, bare], width, right=())


def _usage(report_input: ReportInput, width: int) -> str:
    """Return what an answer of each arm took."""
    asked = {name: each["usage"] for name, each in report_input.arms.items() if each["usage"] is not None}
    if not asked:
        return ""
    rows: list[Cells] = [("an answer", "seconds", "tokens read", "written", "1,000 cost")]
    rows += [(name, *words.of_answers(each)) for name, each in asked.items()]
    return _fit([rows], width, right=(1, 2, 3, 4))


def _levers(report_input: ReportInput, width: int) -> str:
    """Return how good the search is, and which of retrieval and tuning to use."""
    levers = report_input.results.get("levers")
    said = words.search(report_input.retrieval) if report_input.retrieval is not None else ""
    lines = [("search", said)] if said else []
    if levers is not None:
        rehearsed = report_input.results.get("rehearsed", False)
        lines.append(("use", words.recommendation(levers, rehearsed=rehearsed)))
        lines += [("", each) for each in words.reasons(levers)]
    return "\n".join(
        line
        for head, text in lines
        for line in textwrap.wrap(text, width, initial_indent=f"{head:9}", subsequent_indent=" " * 11)
    )


def _rounds(report_input: ReportInput, width: int) -> str:
    """Return what came of a round since the one before it."""
    results = report_input.results
    if "round" not in results:
        return ""
    told = rounds.rows(results)
    full: list[Cells] = [(rounds.title(results), *rounds.HEAD[1:5]), *(each.cells[:5] for each in told)]
    bare: list[Cells] = [(*(cell.partition(" (")[0] for cell in cells[:4]), cells[4]) for cells in full]
    lines = [_fit([full, bare], width, right=(1,))]
    lines += [
        hung for each in told if each.word for hung in _hung(f"{each.name.removeprefix('aim ')}: {each.word}", width)
    ]
    lines += [
        hung
        for each in [*rounds.sentences(results), *rounds.trained(report_input.round)]
        for hung in _hung(each, width)
    ]
    return "\n".join(lines)


def _hung(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="    ")


def _fit(tables: Sequence[Sequence[Cells]], width: int, right: Sequence[int]) -> str:
    """Return the first table that fits, tried with wide gaps, then narrow; the last one when none does."""
    for table in tables:
        for gap in (GAP, NARROW_GAP):
            lines = _lines(table, gap, right)
            if max(map(len, lines)) <= width:
                return "\n".join(lines)
    return "\n".join(lines)


def _lines(table: Sequence[Cells], gap: str, right: Sequence[int]) -> list[str]:
    widths = [max(len(cells[column]) for cells in table) for column in range(len(table[0]))]
    lines = []
    for cells in table:
        padded = [
            cell.rjust(size) if column in right else cell.ljust(size)
            for column, (cell, size) in enumerate(zip(cells, widths, strict=True))
        ]
        lines.append(gap.join(padded).rstrip())
    return lines


def _goal(results: Mapping[str, Any]) -> str:
    rows = [(f.ending, f.name, f.found, f.wanted, f.more) for f in words.findings(results)]
    lines = _lines(rows, "   ", ()) if rows else []
    lines = [("goal     " if first else "         ") + line for first, line in _firsts(lines)]
    judge = [f"judge    {words.judge_in_words(results['judge'])}"] if "judge" in results else []
    made_up = [words.REHEARSED] if results.get("rehearsed") else []
    return "\n".join([*lines, *judge, f"{words.ended(results, str.upper)}.", *made_up])


def _next(report_input: ReportInput) -> str:
    run, training = report_input.run, report_input.training
    is_judged = report_input.results["verdict"] is not None and not report_input.results.get("rehearsed")
    lines = []
    missed = misses.by_kind(report_input.examples, report_input.results["arm"])
    if missed:
        n_missed = len(misses.misses(report_input.examples, report_input.results["arm"]))
        which = ", ".join(f"{len(found)} {_plural(kind, len(found))}" for kind, found in list(missed.items())[:3])
        total = f"{words.count(n_missed, 'miss', 'misses')} of {len(report_input.examples):,}"
        lines += [f"improve  {total}: {which}", f"         to read, never to train on: {run['path']}/misses.jsonl"]
        if is_judged:
            lines.append(f"         what to learn from instead: ftbuild improve {run['run_id']}")
    lines.append(f"report   {run['path']}/report.html")
    if training and training["model"]:
        lines.append(f"model    {training['model']}")
        if is_judged:
            lines.append("         talk to it: ftbuild chat latest")
            if run["provider"] == OURS:
                lines.append("         take it away: ftbuild export latest DIR")
    lines.append(f"again    {again(run)}")
    lines.append(f"{words.duration(run['seconds'])}; {words.cost(run['cost_usd'])}")
    return "\n".join(lines)


def again(run: Mapping[str, Any]) -> str:
    """Return the line that repeats a run; it says so when changes that no commit holds went into it."""
    if not run["commit"]:
        return str(run["command"])
    if run["dirty"]:
        return f"{run['command']}   (on {run['commit'][:7]} with changes not committed)"
    return f"git checkout {run['commit'][:7]} && {run['command']}"


def _plural(kind: str, n: int) -> str:
    text = misses.kind_label(kind)
    first, rest = text.split(" ", 1)
    return text if n == 1 else f"{'do' if first == 'does' else first.removesuffix('s')} {rest}"


def _firsts(lines: Sequence[str]) -> list[tuple[bool, str]]:
    return [(number == 0, line) for number, line in enumerate(lines)]
