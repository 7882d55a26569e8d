"""How often what occurs: bars of text for a terminal and Markdown, and one SVG file that stands alone.

Owns geometry. The SVG carries its own few colours, for light and dark pages, since it is looked at by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

BAR = "█"
PARTS = " ▏▎▍▌▋▊▉"  # eighths of a bar
WIDEST = 40
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#24292f}.title{font-weight:600}rect{fill:#2f6f9f}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}rect{fill:#6cb6ff}}"
)
ROW, LEFT, RIGHT, WIDTH = 20, 110, 90, 640


@dataclass(frozen=True)
class Histogram:
    """Counts under a title, in order; `bars` are label and count."""

    title: str
    bars: Sequence[tuple[str, int]]


def doubling(title: str, numbers: Mapping[int, int]) -> Histogram:
    """Return how many of the numbers lie in 1, 2-3, 4-7, 8-15 and so on, from the least to the greatest.

    `numbers` says how often each occurs.
    """
    counts: dict[int, int] = {}
    for number, n in numbers.items():
        counts[number.bit_length()] = counts.get(number.bit_length(), 0) + n
    bits = range(min(counts), max(counts) + 1) if counts else ()
    return Histogram(title, [(_between(each), counts.get(each, 0)) for each in bits])


def each_number(title: str, numbers: Mapping[int, int]) -> Histogram:
    """Return how often each number occurs, from 0 to the greatest."""
    return Histogram(title, [(str(each), numbers.get(each, 0)) for each in range(max(numbers, default=-1) + 1)])


def text(histogram: Histogram) -> str:
    """Return the bars as lines of text, the longest 40 wide; what occurs at all is seen."""
    most = max((n for _, n in histogram.bars), default=0)
    label_width = max((len(label) for label, _ in histogram.bars), default=0)
    return "\n".join(f"{label:>{label_width}}  {_bar(n, most)} {n:,}" for label, n in histogram.bars)


def svg(histograms: Sequence[Histogram]) -> str:
    """Return one SVG document of the histograms, below each other; the same numbers give the same text."""
    parts, y = [], 0
    for each in histograms:
        most = max((n for _, n in each.bars), default=0) or 1
        y += ROW
        parts.append(f'<text class="title" x="0" y="{y - 5}">{escape(each.title)}</text>')
        for label, n in each.bars:
            wide = round((WIDTH - LEFT - RIGHT) * n / most, 1)
            parts.append(f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(label)}</text>')
            parts.append(f'<rect x="{LEFT}" y="{y + 3}" width="{wide}" height="{ROW - 6}"/>')
            parts.append(f'<text x="{LEFT + wide + 6:g}" y="{y + 14}">{n:,}</text>')
            y += ROW
        y += ROW // 2
    titles = "; ".join(each.title for each in histograms)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" role="img" aria-label="{escape(titles)}">'
    )
    return "\n".join([head, f"<style>{STYLE}</style>", *parts, "</svg>", ""])


def _between(bits: int) -> str:
    low, high = (1 << bits) >> 1, (1 << bits) - 1
    return f"{low:,}" if low >= high else f"{low:,}-{high:,}"


def _bar(n: int, most: int) -> str:
    eighths = max(n > 0, round(8 * WIDEST * n / most)) if most else 0
    whole, rest = divmod(int(eighths), 8)
    return BAR * whole + (PARTS[rest] if rest else "")
