"""Tables of several columns: aligned for a terminal, and as GitHub reads them."""

from collections.abc import Sequence

GAP = "   "


def aligned(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Return the rows as lines, every column as wide as its widest cell; the columns `right` end under each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        GAP.join(
            f"{cell:>{width}}" if number in right else f"{cell:{width}}"
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def github(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a GitHub table; a cell stays in its cell whatever it holds."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", "<br>")
