"""Examples made in one line."""

from collections.abc import Mapping

from ftbuild.chat import Message
from ftbuild.digest import of_value
from ftbuild.example import Example, Split
from ftbuild.settings import Style, StyleRules

STYLE = Style(language="en", system="Be formal.", rules=StyleRules(), expand={"pls": "please"})


def example(
    raw: str,
    target: str = "Yes.",
    *,
    line: int = 1,
    group: str = "g",
    source: str = "pairs",
    only: Split | None = None,
    slices: Mapping[str, str] | None = None,
) -> Example:
    return Example(
        messages=(Message("user", raw), Message("assistant", target)),
        original=of_value([raw, target]),
        source=source,
        path=f"data/{source}.jsonl",
        line=line,
        group=group,
        raw=raw,
        slices=slices if slices is not None else {"source": source},
        only=only,
    )


def many(n: int, n_groups: int = 10, *, first: int = 1, source: str = "pairs") -> list[Example]:
    """Return `n` unlike examples of `n_groups` groups in turn."""
    return [
        example(f"{source} {line}", line=line, group=f"{source} group {line % n_groups}", source=source)
        for line in range(first, first + n)
    ]
