"""Scores of recorded answers, and how two files of them compare, for CI: annotations, JUnit, Markdown for a comment.

A case fails where its score is the worst there is: 0, or 1 of a metric of which less is better. A comparison fails
where the other is worse, and where there are too few examples to tell.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ftbuild.cli.ci import Case, Failure, Level, Suite, annotation, junit
from ftbuild.cli.grid import github as table
from ftbuild.report.words import count
from ftbuild.scorers import Metric, Score
from ftbuild.stats import Difference, Interval, Verdict

SHOWN_AT_MOST = 20
LEVELS: Mapping[Verdict, Level] = {
    "better": "notice",
    "no_difference": "notice",
    "worse": "error",
    "underpowered": "warning",
}


@dataclass(frozen=True)
class Scored:
    """The scores of a file by id, on one metric, with the interval of their mean."""

    path: str
    metric: Metric
    scores: Mapping[str, Score]
    found: Interval

    def said(self) -> str:
        """Return the mean in a line."""
        if self.found.mean is None:
            return f"{self.metric.name}: no case has a value"
        return f"{self.metric.name}   {self.found.mean:.3f} ({_spread(self.found)})   {count(self.found.n, 'case')}"

    def failed(self) -> dict[str, Score]:
        """Return the cases whose score is the worst there is."""
        worst = float(self.metric.lower_is_better)
        return {name: each for name, each in self.scores.items() if each.value == worst}


@dataclass(frozen=True)
class Compared:
    """How the second of two files compares with the first; `said` is what a terminal shows."""

    paths: tuple[str, str]
    found: Difference
    verdict: Verdict
    said: str


def _spread(found: Interval | Difference, form: str = ".3f") -> str:
    if found.low is None or found.high is None:
        return "unbounded"
    return f"{found.low:{form}} to {found.high:{form}}"


def _why(score: Score) -> str:
    said = f"{score.value:g}"
    return f"{said}: {json.dumps(score.detail, ensure_ascii=False)}" if score.detail else said


def scores_github(scored: Scored) -> str:
    """Return a warning a case that fails, and a notice of the mean."""
    title = scored.metric.name
    lines = [
        annotation("warning", f"{title}: {name}", _why(each), scored.path) for name, each in scored.failed().items()
    ]
    return "\n".join([*lines, annotation("notice", title, scored.said(), scored.path)])


def scores_junit(scored: Scored) -> str:
    """Return a suite with a test case a case; one without a value passes."""
    return junit([Suite(f"{scored.metric.name} of {scored.path}", list(_cases(scored)), scored.said())])


def _cases(scored: Scored) -> Iterator[Case]:
    failed = scored.failed()
    for name in scored.scores:
        why = _why(failed[name]) if name in failed else ""
        yield Case(name, Failure(why, "failed", why) if why else None)


def scores_markdown(scored: Scored) -> str:
    """Return the mean, and the first cases that fail."""
    found, failed = scored.found, scored.failed()
    mean = "no value" if found.mean is None else f"{found.mean:.3f} ({_spread(found)})"
    parts = [
        f"### {scored.metric.name} of {scored.path}",
        table(("metric", "n", "mean"), [(scored.metric.label, f"{found.n:,}", mean)]),
    ]
    if failed:
        parts.append(
            table(("case", "score"), [(name, _why(each)) for name, each in list(failed.items())[:SHOWN_AT_MOST]])
        )
    if len(failed) > SHOWN_AT_MOST:
        parts.append(f"... and {len(failed) - SHOWN_AT_MOST:,} more")
    return "\n\n".join(parts)


def compared_github(compared: Compared) -> str:
    """Return one annotation: worse is an error, too few examples a warning, all else a notice."""
    return annotation(LEVELS[compared.verdict], f"compare: {compared.verdict}", compared.said, compared.paths[1])


def compared_junit(compared: Compared) -> str:
    """Return a suite of one test case."""
    fails = LEVELS[compared.verdict] != "notice"
    failure = Failure(compared.said.splitlines()[-1], compared.verdict, compared.said) if fails else None
    name = " -> ".join(compared.paths)
    return junit([Suite("compare", [Case(name, failure)], compared.said)])


def compared_markdown(compared: Compared) -> str:
    """Return verdict and numbers."""
    found = compared.found
    parts = [f"### {compared.said.splitlines()[-1]}"]
    if found.difference is not None:
        numbers = (
            f"{found.n:,}",
            f"{found.base:.3f}",
            f"{found.other:.3f}",
            f"{found.difference:+.3f} ({_spread(found, '+.3f')})",
            f"{found.p:.3g} ({found.test})",
        )
        parts.append(table(("n", *compared.paths, "difference", "p"), [numbers]))
    return "\n\n".join([*parts, compared.said.splitlines()[0]])


SCORES: Mapping[str, Callable[[Scored], str]] = {"github": scores_github, "junit": scores_junit, "md": scores_markdown}
COMPARED: Mapping[str, Callable[[Compared], str]] = {
    "github": compared_github,
    "junit": compared_junit,
    "md": compared_markdown,
}
