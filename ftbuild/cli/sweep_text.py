"""The end of a sweep in words: the looks among each other, the seeds of each configuration."""

from collections.abc import Iterator

from ftbuild.cli.layout import hang
from ftbuild.report import words
from ftbuild.sweep import Seeds, Sweep


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
    yield from map(_seeds, sweep.seeds)
    yield from _winner(sweep)


def _winner(sweep: Sweep) -> Iterator[str]:
    """Yield who has won and what it came to on examples that nobody had looked at, or why that is not known."""
    if sweep.unasked:
        yield f"No winner was asked on the confirm split: {sweep.unasked}"
    if sweep.asked is None:
        return
    won = sweep.asked.winner
    told = {"looks": len(sweep.looks), "verdict": won.verdict, "p": won.p}
    yield f"Winner {won.point.name}: {words.won(told, won.results)}"
    if sweep.confirmed is None:
        yield "It was not asked on the confirm split: the same command asks it."
    else:
        word = words.first_large(words.CONFIRMED[sweep.confirmed["verdict"]])
        yield f"Asked again {words.confirmed(sweep.confirmed)}. {word}."
        if sweep.n_before:
            others = words.count(sweep.n_before, "other winner was", "other winners were")
            yield f"{others} asked on them before: untouched no more. dataset.split.seed draws new ones."


def _seeds(seeds: Seeds) -> str:
    """Return the mean of the seeds, how far other examples and how far other seeds would move it, and the gain."""
    found, whose = seeds.found, f"{seeds.name}, " if seeds.name else ""
    seen, over, gain = found["spread"], found["over_examples"], found["gain"]
    said = f"{whose}{len(found['seeds'])} seeds: {found['label']} {words.value(seen['mean'])}"
    if seen["sd"] is None:
        return said
    said += f" ({words.interval(over)} over examples)" if words.interval(over) else ""
    said += f", by seed {words.value(seen['least'])} to {words.value(seen['most'])}"
    said += f", sd {words.rounded(seen['sd'], digits=3)}"
    if found["arm"] != found["against"]:
        between = words.difference_interval(gain)
        said += f"; {words.signed(gain['difference'])}{f' ({between})' if between else ''} to {found['against']}"
    return said + (": the seeds differ by more than the gain" if found["is_hidden"] else "")
