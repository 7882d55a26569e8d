"""The end of a sweep in words: the looks among each other, the seeds of each configuration."""

from collections.abc import Iterator

from ftbuild.cli.layout import hang
from ftbuild.report import sweep_words, words
from ftbuild.sweep import Sweep


def text(sweep: Sweep, width: int) -> str:
    """Return what the points come to together, "" where fewer than two were judged."""
    return "\n".join(hang("", each, width) for each in _said(sweep))


def _said(sweep: Sweep) -> Iterator[str]:
    if not sweep.looks:
        return
    if any(each.results.get("rehearsed") for each in sweep.looks):
        yield words.REHEARSED
    names: dict[str, list[str]] = {}
    for each in sweep.looks:
        names.setdefault(words.VERDICTS[each.verdict], []).append(each.point.name)
    listed = "; ".join(f"{word}: {', '.join(those)}" for word, those in names.items())
    yield f"Of {len(sweep.looks)} looks at once (Holm): {listed}"
    yield from (sweep_words.seeds(each.name, each.found) for each in sweep.seeds)
    if sweep.unasked:
        yield sweep_words.unasked(sweep.unasked)
    if sweep.asked is not None:
        won = sweep.asked.winner
        told = {"looks": len(sweep.looks), "verdict": won.verdict, "p": won.p}
        yield f"Winner {won.point.name}: {words.won(told, won.results)}"
        yield from sweep_words.again(sweep.confirmed, sweep.n_before)
