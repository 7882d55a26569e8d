"""What the points of a sweep come to together, in words; shared by the terminal and the page."""

from collections.abc import Mapping
from typing import Any

from ftbuild.report import words


def again(confirmed: Mapping[str, Any] | None, n_before: int) -> list[str]:
    """Return what a winner came to on examples that nobody had looked at, None where it was not asked."""
    if confirmed is None:
        return ["It was not asked on the confirm split: the same command asks it."]
    word = words.first_large(words.CONFIRMED[confirmed["verdict"]])
    said = [f"Asked again {words.confirmed(confirmed)}. {word}."]
    if n_before:
        others = words.count(n_before, "other winner was", "other winners were")
        said.append(f"{others} asked on them before: untouched no more. dataset.split.seed draws new ones.")
    return said


def ties(rung: Mapping[str, Any]) -> str:
    """Return who stopped on a rung although somebody with the same value went on, "" where nobody did."""
    least = {each["mean"] for each in rung["points"] if each["goes_on"]}
    cut = [each["point"] for each in rung["points"] if not each["goes_on"] and each["mean"] in least]
    if not cut:
        return ""
    return f"a tie at the cut: {', '.join(cut)} reached as much as one that goes on; of equal ones the first does"


def unasked(why: str) -> str:
    """Return that no winner was asked although there are examples for it, and why."""
    return f"No winner was asked on the confirm split: {why}"


def seeds(name: str, found: Mapping[str, Any]) -> str:
    """Return the mean of the seeds, how far other examples and how far other seeds would move it, and the gain.

    `name` is that of the configuration, "" for the only one, `found` what `over_seeds` says of it.
    """
    seen, over, gain = found["spread"], found["over_examples"], found["gain"]
    said = f"{name}, " if name else ""
    said += f"{len(found['seeds'])} seeds: {found['label']} {words.value(seen['mean'])}"
    if seen["sd"] is None:
        return said
    said += f" ({words.interval(over)} over examples)" if words.interval(over) else ""
    said += f", by seed {words.value(seen['least'])} to {words.value(seen['most'])}"
    said += f", sd {words.rounded(seen['sd'], digits=3)}"
    if found["arm"] != found["against"]:
        between = words.difference_interval(gain)
        said += f"; {words.signed(gain['difference'])}{f' ({between})' if between else ''} to {found['against']}"
    return said + (": the seeds differ by more than the gain" if found["is_hidden"] else "")
