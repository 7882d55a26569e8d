"""`ftbuild compare`: two files of values on the same examples; how much better, how sure. Needs no project.

It has no goal to miss, so it ends with 0 whatever it finds; `--format junit` and `github` tell worse from better.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ftbuild.cli.options import Options
from ftbuild.cli.recorded import cluster, clusters, read_lines
from ftbuild.cli.scores_text import COMPARED, Compared
from ftbuild.errors import ConfigError, DataError, ExitCode
from ftbuild.problem import Problem
from ftbuild.report.words import count
from ftbuild.stats import Difference, Verdict, compare, verdict
from ftbuild.stats.verdict import MARGIN

SCHEMA_VERSION = 1
SAID: Mapping[Verdict, str] = {
    "better": "BETTER",
    "worse": "WORSE",
    "no_difference": f"NO DIFFERENCE of more than {MARGIN}",
    "underpowered": "UNDECIDED: too few examples to tell",
}


@dataclass(frozen=True)
class _Value:
    """The value of one example, None where it has none; `asked` is its question, where the file says so.

    So is `metric` what the value is of.
    """

    value: float | None
    cluster: str | None
    asked: str | None = None
    metric: str | None = None


def compared(options: Options) -> int:
    """Print the difference of the second file from the first.

    Raises:
        ConfigError: not two files are named, or one of them is not there.
        DataError: lines that are none; ids or clusters that the files do not share.
    """
    if len(options.words) != 2:
        fix = "ftbuild compare BASE.jsonl OTHER.jsonl, with a line an example: id, value, and cluster if there is one"
        raise ConfigError(Problem("compare takes two files", "command line", fix=fix))
    paths = [Path(each) for each in options.words]
    base, other = (read_lines(path, _value).found for path in paths)
    _same_ids(base, other, paths)
    _same_questions(base, other, paths)
    _same_metric(base, other, paths)
    groups = clusters({name: each.cluster for name, each in base.items()}, paths[0])
    _same_clusters(base, other, paths)
    pairs = {name: (each.value, other[name].value) for name, each in base.items()}
    shared = {name: (one, two) for name, (one, two) in pairs.items() if one is not None and two is not None}
    before, after = ({name: each[at] for name, each in shared.items()} for at in (0, 1))
    found = compare(before, after, groups and {name: groups[name] for name in shared})
    if found.mde is not None and found.mde > 1 and all(0 <= value <= 1 for pair in shared.values() for value in pair):
        found = replace(found, mde=None)  # scores between 0 and 1 never differ by so much
    judged = verdict(found)
    if options.format == "json":
        told = {"schema_version": SCHEMA_VERSION, **asdict(found), "verdict": judged}
        print(json.dumps({**told, "left_out": len(base) - len(shared)}, indent=1))
    else:
        text = _text(found, judged, len(base) - len(shared), len(set(groups.values())) if groups else None)
        compared = Compared((str(paths[0]), str(paths[1])), found, judged, text)
        print(COMPARED[options.format](compared) if options.format in COMPARED else text)
    return int(ExitCode.DONE)


def _value(line: Mapping[str, Any]) -> _Value:
    said = line.get("value", ...)
    if said is ...:
        raise ValueError("no value; null says that the example has none")
    if said is not None and not isinstance(said, int | float):
        raise ValueError(f"value is {said!r}, no number")
    return _Value(None if said is None else float(said), cluster(line), line.get("asked"), line.get("metric"))


def _same_ids(base: Mapping[str, _Value], other: Mapping[str, _Value], paths: list[Path]) -> None:
    problems = [
        Problem(f"no line of id {name!r}, which {paths[1 - at]} has", str(paths[at]))
        for at, (here, there) in enumerate(((base, other), (other, base)))
        for name in there
        if name not in here
    ]
    if problems:
        raise DataError(*problems)


def _same_questions(base: Mapping[str, _Value], other: Mapping[str, _Value], paths: list[Path]) -> None:
    """Refuse ids that stand for one question here and for another there, as numbers do once tests were added."""
    problems = [
        Problem(
            f"id {name!r} asks something else than in {paths[0]}", str(paths[1]), fix="compare runs of the same tests."
        )
        for name, each in base.items()
        if None not in (each.asked, other[name].asked) and each.asked != other[name].asked
    ]
    if problems:
        raise DataError(*problems)


def _same_metric(base: Mapping[str, _Value], other: Mapping[str, _Value], paths: list[Path]) -> None:
    """Refuse values of two metrics, where both files say of which they are."""
    named = [{each.metric for each in values.values() if each.metric is not None} for values in (base, other)]
    if all(named) and (named[0] != named[1] or len(named[0]) > 1):
        here, there = (", ".join(sorted(each)) for each in named)
        what = f"values of {there}, and in {paths[0]} of {here}"
        raise DataError(
            Problem(what, str(paths[1]), fix="compare values of one metric; ftbuild score --out writes them.")
        )


def _same_clusters(base: Mapping[str, _Value], other: Mapping[str, _Value], paths: list[Path]) -> None:
    for name, each in base.items():
        if other[name].cluster is not None and other[name].cluster != each.cluster:
            what = f"id {name!r} is of cluster {other[name].cluster!r}, in {paths[0]} of {each.cluster!r}"
            raise DataError(Problem(what, str(paths[1]), fix="say it alike, or in the first file alone."))


def _text(found: Difference, judged: Verdict, n_left_out: int, n_clusters: int | None) -> str:
    of = f" in {count(n_clusters, 'cluster')}" if n_clusters is not None else ""
    left_out = f"; {n_left_out:,} without a value left out" if n_left_out else ""
    lines = [f"{count(found.n, 'example')}{of}{left_out}"]
    if found.difference is None:
        return lines[0]
    spread = "unbounded" if found.low is None or found.high is None else f"{found.low:+.3f} to {found.high:+.3f}"
    lines.append(f"base {found.base:.3f}   other {found.other:.3f}   difference {found.difference:+.3f} ({spread})")
    lines.append(f"p {found.p:.3g} ({found.test})")
    if n_clusters is not None and found.p_clustered is not None:
        lines[-1] += f"; {found.p_clustered:.3g} on clusters"
    if found.mde is not None:
        lines[-1] += f"; data like these show a difference of {found.mde:.3f} four times in five"
    else:
        lines[-1] += "; with so few examples no difference could be shown"
    return "\n".join([*lines, f"{SAID[judged]}."])
