"""Numbers, goal conditions and verdicts in words; shared by the terminal and the page.

Owns rounding for people: an estimate to two decimals, the ends of an interval outwards, so that no
sentence claims more than the interval does. Knows nothing of layout.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any

from ftbuild.plan.rounds import BEFORE

NO_VALUE = "no value"
HELD = 0.05  # of p, corrected
MONTHS = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)
VERDICTS = {
    "better": "better",
    "worse": "worse",
    "no_difference": "no difference",
    "underpowered": "too few examples to tell",
    None: "no verdict",
}
# Metrics that are parts of another, by what their names begin with: shown below it, or not at all.
PARTS = {"style.": "style.all_kept", "constraints.": "constraints.all_met"}
REHEARSED = "A rehearsal: losses and answers are made up, so no number here says anything of a model."
ENDINGS = {"met": "goal met", "missed": "goal missed", "undecided": "goal undecided", None: "goal not judged"}


def rounded(number: float, rounding: str = ROUND_HALF_UP, digits: int = 2) -> Decimal:
    """Return `number` with `digits` decimals; float noise below 1e-9 is dropped first, and no zero is negative."""
    fixed = Decimal(repr(round(number, 9))).quantize(Decimal(1).scaleb(-digits), rounding=rounding)
    return fixed if fixed else abs(fixed)


def value(number: float | None, digits: int = 2) -> str:
    """Return an estimate: `0.93`."""
    return NO_VALUE if number is None else str(rounded(number, digits=digits))


def signed(number: float | None, rounding: str = ROUND_HALF_UP, digits: int = 2) -> str:
    """Return a difference: `+0.93`, `-0.04`, `0.00`."""
    if number is None:
        return NO_VALUE
    fixed = rounded(number, rounding, digits)
    return f"{fixed:+}" if fixed else str(fixed)


def p_value(p: float) -> str:
    """Return a p: two digits of it, `0.00052`; `under 0.0001` below that."""
    return "under 0.0001" if p < 0.0001 else f"{p:.2g}"


def low_end(number: float, digits: int = 2) -> str:
    """Return the lower end of an interval, rounded down."""
    return str(rounded(number, ROUND_FLOOR, digits))


def high_end(number: float, digits: int = 2) -> str:
    """Return the upper end of an interval, rounded up."""
    return str(rounded(number, ROUND_CEILING, digits))


def interval(numbers: Mapping[str, Any]) -> str:
    """Return the interval of an estimate in full: `0.89 to 0.95`; "" without one."""
    if numbers["low"] is None or numbers["high"] is None:
        return ""
    return f"{low_end(numbers['low'])} to {high_end(numbers['high'])}"


def digits_of(difference: Mapping[str, Any]) -> int:
    """Return how many decimals a difference is written with: two, and more where it was shown and would be 0.00."""
    found, low, high = (difference[name] for name in ("difference", "low", "high"))
    digits = 2
    if found and low is not None and high is not None and not low <= 0 <= high:
        while digits < 6 and not rounded(found, digits=digits):
            digits += 1
    return digits


def difference_interval(numbers: Mapping[str, Any], digits: int = 2) -> str:
    """Return the interval of a difference in full: `+0.89 to +0.95`; "" without one."""
    if numbers["low"] is None or numbers["high"] is None:
        return ""
    return f"{signed(numbers['low'], ROUND_FLOOR, digits)} to {signed(numbers['high'], ROUND_CEILING, digits)}"


def label(metric: Mapping[str, Any]) -> str:
    """Return the name of a metric as shown, a proxy called one."""
    name = str(metric["label"])
    return f"{name} (proxy)" if metric["proxy"] and "proxy" not in name else name


def metric_of(results: Mapping[str, Any], name: str, slice_: str | None = None) -> Mapping[str, Any] | None:
    """Return the entry of a metric on a slice, None when the results have none."""
    found = (m for m in results["metrics"] if m["metric"] == name and m["slice"] == slice_)
    return next(found, None)


def whole_of(metric: str) -> str | None:
    """Return the metric that a metric is a part of, None where it stands for itself."""
    return next((whole for part, whole in PARTS.items() if metric.startswith(part) and metric != whole), None)


def holds_among_all(difference: Mapping[str, Any] | None) -> bool:
    """Return whether a difference to an arm was shown also among all metrics that were compared with that arm."""
    p = (difference or {}).get("p_adjusted")
    return p is not None and p <= HELD


def n_compared(results: Mapping[str, Any], arm: str) -> int:
    """Return among how many metrics the differences to an arm were corrected."""
    found = (each["differences"].get(arm) or {} for each in results["metrics"] if each["slice"] is None)
    return sum(each.get("p_adjusted") is not None for each in found)


def ended(results: Mapping[str, Any], verdict: Callable[[str], str] = str) -> str:
    """Return how a run ended: `better, goal met`; what only a rehearsal came to is called so. `verdict` writes its
    word. `results` are those of a comparison, or what run.json tells.
    """
    word = VERDICTS[results["verdict"]] + (" a difference" if results["verdict"] == "underpowered" else "")
    said = f"{verdict(word)}, {ENDINGS[results['ending']]}"
    return f"{verdict('rehearsed')}: {said}" if results.get("rehearsed") else said


def asked_for(run: Mapping[str, Any]) -> str:
    """Return how a run ended as a list of runs tells it, where no verdict may have been asked for."""
    if run["verdict"] is not None:
        return ended(run)
    return f"{'rehearsed, ' if run.get('rehearsed') else ''}no verdict asked for"


def headline(results: Mapping[str, Any]) -> str:
    """Return the verdict in a breath: `Better, goal met.`"""
    return f"{first_large(ended(results))}."


CONFIRMED = {
    "better": "confirmed",
    "worse": "not confirmed",
    "no_difference": "not confirmed",
    "underpowered": VERDICTS["underpowered"],
}


def won(sweep: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    """Return what the winner of a sweep came to on the test split, among all looks at it."""
    metric = metric_of(results, results["verdict_metric"])
    assert metric is not None
    after = value(metric["arms"][results["arm"]]["mean"])
    gain = _gained(metric["differences"].get(results["against"]), results["against"])
    return f"{metric['label']} {after} on the test split{gain}; {among_looks(sweep)}"


def among_looks(sweep: Mapping[str, Any]) -> str:
    """Return the verdict of a point among all that were judged: `looks, verdict, p` of it."""
    p = "" if sweep["p"] is None else f", p {p_value(sweep['p'])}"
    return f"among {sweep['looks']} looks (Holm{p}): {VERDICTS[sweep['verdict']]}"


def came_to(results: Mapping[str, Any]) -> str:
    """Return what a run came to by the metric of its verdict: value and difference with their intervals."""
    metric = metric_of(results, results["verdict_metric"])
    if metric is None:
        return NO_VALUE
    numbers = metric["arms"][results["arm"]]
    between = f" ({interval(numbers)})" if interval(numbers) else ""
    gain = _gained(metric["differences"].get(results["against"]), results["against"])
    return f"{metric['label']} {value(numbers['mean'])}{between} on the test split{gain}"


def confirmed(results: Mapping[str, Any]) -> str:
    """Return what the winner of a sweep came to on examples that nobody had looked at, without the word for it."""
    metric = metric_of(results, results["verdict_metric"])
    assert metric is not None
    after = metric["arms"][results["arm"]]
    gain = _gained(metric["differences"].get(results["against"]), results["against"])
    return f"on {count(after['n'], 'example')} that nobody had looked at: {value(after['mean'])}{gain}"


def _gained(difference: Mapping[str, Any] | None, against: str) -> str:
    if not difference or difference["difference"] is None:
        return ""
    between = difference_interval(difference)
    return f", {signed(difference['difference'])}{f' ({between})' if between else ''} to {against}"


def judge_in_words(judge: Mapping[str, Any]) -> str:
    """Return how well a judge agrees with its labels, and what follows: `kappa 0.82 (...), wanted 0.60: admitted`."""
    admitted = "admitted" if judge["admitted"] else "not admitted"
    if judge["kappa"] is None:
        return f"{NO_VALUE} of kappa: {admitted}"
    between = f" ({interval(judge)})" if interval(judge) else ""
    return f"kappa {value(judge['kappa'])}{between}, wanted {value(judge['wanted'])}: {admitted}"


def duration(seconds: float) -> str:
    """Return a time for people: `3 s`, `1 min 52 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 1:
        return f"{seconds:.1f} s"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def when(started_at: str, now: float) -> str:
    """Return when a run began (ISO 8601): the hour if that is the day of `now` (seconds since 1970), else the date."""
    at = datetime.fromisoformat(started_at)
    return f"today {at:%H:%M} UTC" if at.date() == datetime.fromtimestamp(now, UTC).date() else date(started_at)


def when_at(at: float, now: float) -> str:
    """Return `when` of a time in seconds since 1970."""
    return when(datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z"), now)


def cost(usd: float | None) -> str:
    """Return a bill in words; None is unknown, never 0."""
    if usd is None:
        return "cost unknown"
    if 0 < usd < 0.01:
        return "under $0.01"
    return "no money" if usd == 0 else f"${usd:,.2f}"


def date(iso: str) -> str:
    """Return `23 November 2026, 18:52 UTC` for an ISO time in UTC."""
    year, month, day = iso[:10].split("-")
    return f"{int(day)} {MONTHS[int(month) - 1]} {year}, {iso[11:16]} UTC"


def first_large(text: str) -> str:
    """Return the text with its first letter large, the rest as it is."""
    return text[:1].upper() + text[1:]


def count(n: int, one: str, many: str | None = None) -> str:
    """Return `1 miss`, `1,204 misses`."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def head_room(found: Mapping[str, Any]) -> str:
    """Return what the untrained arms reach and what is left to win, in a line."""
    best = found["arms"][found["best"]]
    ends = interval(best)
    how = "as it was" if found["best"] == BEFORE else "untrained"
    reached = f"{found['best']} reaches {value(best['mean'])}{f' ({ends})' if ends else ''} {how}"
    side = ", lower is better" if found["lower_is_better"] else ""
    said = f"head-room {found['label']}{side}: {reached}, so at most {value(found['left'])} to win"
    enough = [name for name, each in found["arms"].items() if each["meets"]]
    if BEFORE in enough:
        said += "; the round before met the goal already"
    if enough := [name for name in enough if name != BEFORE]:
        said += f"; {' and '.join(enough)} met the goal untrained: method=none trains nothing"
    return said


SIDES = {"knowledge": "what it knows", "behaviour": "form and tone"}
CHOICES = {
    "both": "both, each adds to the other",
    "retrieval": "retrieval",
    "tuning": "tuning",
    "neither": "neither was shown to help",
}


def recommendation(levers: Mapping[str, Any], *, rehearsed: bool = False) -> str:
    """Return which of retrieval and tuning to use, in a sentence; nothing follows from a rehearsal."""
    if rehearsed:
        return "Nothing follows: the answers are made up."
    retrieve, tune = levers["retrieve"], levers["tune"]
    if tune is None:
        said = "Retrieve" if retrieve else "Retrieval was not shown to help"
        said = f"{said}; whether tuning helps was not tried"
    elif tune:
        said = "Retrieve and tune" if retrieve else "Tune, and retrieve nothing"
    else:
        said = (
            "Retrieve, and do not tune" if retrieve else "Do not tune, and retrieve nothing: neither was shown to help"
        )
    used = "both" if retrieve and tune else "tuning" if tune else "retrieval"
    lost = [_told(row["label"], row["effects"][used]) for row in levers["metrics"] if row["metric"] in levers["costs"]]
    return f"{said}, if it is worth what it takes away: {', '.join(lost)}." if lost else f"{said}."


def reasons(levers: Mapping[str, Any]) -> list[str]:
    """Return for each side why, a line a metric: which lever won, by how much, and what the other adds to it."""
    return [f"{SIDES[row['side']]}, {row['label']}: {_won(row)}" for row in levers["metrics"]]


def _won(row: Mapping[str, Any]) -> str:
    effects, choice = row["effects"], row["choice"]
    parts = [CHOICES[choice]]
    shown = {
        "retrieval": ("retrieval", "tuning_after_retrieval"),
        "tuning": ("tuning", "retrieval_after_tuning"),
        "both": ("both",),
        "neither": ("retrieval", "tuning"),
    }[choice]
    for name in shown:
        if (found := effects[name]) is not None and found["difference"] is not None:
            parts.append(_told(EFFECTS[name], found))
    return "; ".join(parts)


def _told(what: str, effect: Mapping[str, Any]) -> str:
    digits = digits_of(effect)
    ends = difference_interval(effect, digits)
    return f"{what} {signed(effect['difference'], digits=digits)}{f' ({ends})' if ends else ''}"


EFFECTS = {
    "retrieval": "retrieval alone",
    "tuning": "tuning alone",
    "both": "together",
    "tuning_after_retrieval": "tuning on top of it",
    "retrieval_after_tuning": "retrieval on top of it",
}


def search(retrieval: Mapping[str, Any]) -> str:
    """Return how often the search finds the passage that an answer is taken from, "" where none is known."""
    known = retrieval["gold_passage"].get("test")
    if known is None:
        return ""
    found = known["search"]
    recalls = ", ".join(f"{name} {value(found[name])}" for name in found if name != "mrr")
    return f"of {known['n']:,} test questions: {recalls}, MRR {value(found['mrr'])}"


def of_answers(used: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Return what an answer took: seconds, tokens read, tokens written, and the cost of a thousand answers."""
    unknown = "unknown"
    read, written = (
        unknown if used[each] is None else f"{used[each]:,.0f}" for each in ("tokens_read", "tokens_written")
    )
    return f"{used['seconds']:.2f}", read, written, unknown if used["usd"] is None else cost(1000 * used["usd"])


@dataclass(frozen=True)
class Finding:
    """One goal condition in words: `found` against `wanted`; `more` says what would decide it, "" when decided."""

    name: str
    ending: str
    asked: str
    found: str
    wanted: str
    more: str


def findings(results: Mapping[str, Any]) -> list[Finding]:
    """Return the goal's conditions in words, in the goal's order."""
    return [_finding(condition, results) for condition in results["goal"]]


def _finding(condition: Mapping[str, Any], results: Mapping[str, Any]) -> Finding:
    metric = metric_of(results, condition["metric"], condition["slice"]) or metric_of(results, condition["metric"])
    bound = _bound(condition, lower_is_better=bool(metric and metric["lower_is_better"]))
    name = label(metric) if metric else condition["metric"]
    where = f" on {condition['slice']}" if condition["slice"] else ""
    more = condition["more_examples"]
    is_chance = condition["ending"] == "undecided" and bound.is_missed(condition)
    among = f": it may be chance, among {len(results['goal'])} conditions" if is_chance else ""
    return Finding(
        name=condition["name"],
        ending=condition["ending"],
        asked=f"{name}{where}: {bound.asked}",
        found=condition["refused"] if condition.get("refused") else bound.found(condition),
        wanted=bound.wanted,
        more=f"about {more:,} more test examples would tell{among}" if more else "",
    )


@dataclass(frozen=True)
class _Bound:
    """Where the limit lies, which side of it is good, and how its numbers are written.

    `strict`: the limit itself is not enough.
    """

    limit: float
    floor: bool
    difference: bool
    word: str
    asked: str
    strict: bool = False

    @property
    def wanted(self) -> str:
        text = exact(self.limit, is_difference=self.difference)
        return (
            f"{self.word} {'above ' if self.floor else 'below '}0"
            if self.strict and not self.limit
            else f"{self.word} {text}"
        )

    def found(self, condition: Mapping[str, Any]) -> str:
        low, high, estimate = condition["low"], condition["high"], condition["estimate"]
        if estimate is None:
            return NO_VALUE
        if not self._judged_by_bound(condition):
            return f"about {self._close(estimate, ROUND_HALF_UP)}"
        below, above = self._close(low, ROUND_FLOOR), self._close(high, ROUND_CEILING)
        if condition["ending"] == "undecided":
            return f"{below} to {above}"
        if condition["ending"] == "missed":
            return f"surely not above {above}" if self.floor else f"surely not below {below}"
        return f"{'at worst' if self.word == 'allowed' else 'surely'} {below if self.floor else above}"

    def is_missed(self, condition: Mapping[str, Any]) -> bool:
        """Return whether the whole interval is on the wrong side."""
        low, high = condition["low"], condition["high"]
        if low is None or high is None:
            return False
        return bool(high < self.limit if self.floor else low > self.limit)

    def _judged_by_bound(self, condition: Mapping[str, Any]) -> bool:
        """Say whether the ending follows from the interval; else it was judged by the estimate alone."""
        low, high = condition["low"], condition["high"]
        if low is None or high is None:
            return False
        holds, fails = (
            (low >= self.limit, high <= self.limit) if self.floor else (high <= self.limit, low >= self.limit)
        )
        return bool({"met": holds, "missed": fails, "undecided": True}[condition["ending"]])

    def _close(self, number: float, rounding: str) -> str:
        """Return `number` with as many decimals as tell it from the limit."""
        digits = _digits(self.limit)
        while (
            digits < 6 and number != self.limit and rounded(number, rounding, digits) == rounded(self.limit, digits=6)
        ):
            digits += 1
        return self._text(number, rounding, digits)

    def _text(self, number: float, rounding: str, digits: int) -> str:
        return signed(number, rounding, digits) if self.difference else str(rounded(number, rounding, digits))


def _digits(number: float) -> int:
    exponent = Decimal(repr(round(number, 9))).normalize().as_tuple().exponent
    return max(2, -exponent) if isinstance(exponent, int) else 2


def exact(number: float, *, is_difference: bool = False) -> str:
    """Return a number with all its decimals, two at least: `0.80`, `0.995`, `+0.10`."""
    digits = _digits(number)
    return signed(number, digits=digits) if is_difference else str(rounded(number, digits=digits))


def asked(kind: str, wanted: float, arm: str | None, *, lower_is_better: bool) -> str:
    """Return what a condition of a goal asks for: `at least 0.85`, `more than 0.10 below base`, `no worse than base`.

    `kind` and `wanted` are those of `stats.gate`: of a comparison with an arm `wanted` is a difference.
    """
    return _bound({"kind": kind, "wanted": wanted, "arm": arm}, lower_is_better=lower_is_better).asked


def _bound(condition: Mapping[str, Any], *, lower_is_better: bool) -> _Bound:
    wanted, arm = float(condition["wanted"]), condition["arm"]
    size = abs(wanted)
    text = exact(size)
    if condition["kind"] == "at_least":
        return _Bound(wanted, True, False, "wanted", f"at least {text}")
    if condition["kind"] == "at_most":
        return _Bound(wanted, False, False, "allowed", f"at most {text}")
    side, other = ("below", "above") if lower_is_better else ("above", "below")
    if condition["kind"] == "beats":
        asked = f"more than {text} {side} {arm}" if size else f"{side} {arm}"
        return _Bound(-size if lower_is_better else size, not lower_is_better, True, "wanted", asked, strict=True)
    asked = f"at most {text} {other} {arm}" if size else f"no worse than {arm}"
    return _Bound(size if lower_is_better else -size, not lower_is_better, True, "allowed", asked)


def setting(value: object) -> str:
    """Return a setting as it is shown, "" for none."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
