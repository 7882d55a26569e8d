"""How builds ended, for CI: annotations, JUnit, and Markdown for a comment on a pull request."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftbuild.cli.ci import Case, Failure, Level, Suite, annotation, junit
from ftbuild.cli.grid import github as table
from ftbuild.report import rounds, words

LEVELS: Mapping[str, Level] = {"met": "notice", "missed": "error", "undecided": "warning"}


@dataclass(frozen=True)
class Ended:
    """One build: its name, how it ended in a line, and its results, None where it was not built to its end."""

    name: str
    said: str
    results: Mapping[str, Any] | None


def github(ended: Sequence[Ended]) -> str:
    """Return an annotation a condition: met is a notice, undecided a warning, missed an error."""
    return "\n".join(line for each in ended for line in [*_annotations(each), f"{each.name}: {each.said}"])


def _annotations(ended: Ended) -> Iterator[str]:
    if ended.results is None:
        yield annotation("error", ended.name, ended.said)
        return
    for each in words.findings(ended.results):
        level = "notice" if ended.results.get("rehearsed") else LEVELS[each.ending]
        yield annotation(level, f"{ended.name}: {each.name} {each.ending}", _found(each))


def _found(finding: words.Finding) -> str:
    more = f"; {finding.more}" if finding.more else ""
    return f"{finding.asked}: {finding.found}{more}"


def xml(ended: Sequence[Ended]) -> str:
    """Return a suite a build and a test case a condition; missed and undecided are failures of that type."""
    return junit([Suite(each.name, list(_cases(each)), each.said) for each in ended])


def _cases(ended: Ended) -> Iterator[Case]:
    if ended.results is None:
        yield Case("built", Failure(ended.said, "failed", ended.said))
        return
    findings = words.findings(ended.results)
    if not findings:
        yield Case("built")
    for each in findings:
        is_failure = each.ending != "met" and not ended.results.get("rehearsed")
        why = f"{each.ending}: {_found(each)}"
        yield Case(each.name, Failure(why, each.ending, why) if is_failure else None)


def markdown(ended: Sequence[Ended]) -> str:
    """Return verdict, conditions and numbers of each build."""
    return "\n\n".join(part for each in ended for part in _parts(each))


def _parts(ended: Ended) -> Iterator[str]:
    if ended.results is None:
        yield f"### {ended.name}: not built\n\n{ended.said}"
        return
    results = ended.results
    yield f"### {ended.name}: {words.headline(results)}"
    if findings := words.findings(results):
        rows = [(each.ending, each.name, each.asked, each.found, each.more) for each in findings]
        yield table(("", "condition", "asked", "found", "to decide it"), rows)
    arm, against = results["arm"], results["against"]
    shown = [each for each in results["metrics"] if each["slice"] is None and arm in each["arms"]]
    if arm == against:
        yield table(("metric", "n", arm), [_row(each, arm, against)[:3] for each in shown])
    else:
        yield table(("metric", "n", against, arm, "difference"), [_row(each, arm, against) for each in shown])
    if "round" in results:
        yield f"#### {rounds.title(results)}"
        yield table(rounds.HEAD, [each.cells for each in rounds.rows(results)])
        yield "  \n".join(rounds.sentences(results))
    n_compared = words.n_compared(results, against)
    notes = [f"In brackets {100 * results['confidence']:g} % intervals."]
    if n_compared:
        notes.append(f"\\* differs from {against} also among {words.count(n_compared, 'metric')} (Holm, 5 %).")
    yield " ".join([*notes, f"{ended.said}"])


def _row(metric: Mapping[str, Any], arm: str, against: str) -> tuple[str, ...]:
    arms, difference = metric["arms"], metric["differences"].get(against)
    lower = ", lower is better" if metric["lower_is_better"] else ""
    held = " *" if words.holds_among_all(difference) else ""
    return (
        words.label(metric) + lower,
        f"{arms[arm]['n']:,}",
        *(_with(arms.get(each), "mean", words.value, words.interval) for each in (against, arm)),
        _with(difference, "difference", words.signed, words.difference_interval) + held,
    )


def _with(
    numbers: Mapping[str, Any] | None,
    name: str,
    value: Callable[[float | None], str],
    ends: Callable[[Mapping[str, Any]], str],
) -> str:
    if numbers is None:
        return ""
    between = ends(numbers)
    return f"{value(numbers[name])} ({between})" if between else value(numbers[name])


FORMS: Mapping[str, Callable[[Sequence[Ended]], str]] = {"github": github, "junit": xml, "md": markdown}
