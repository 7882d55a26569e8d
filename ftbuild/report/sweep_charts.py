"""The pictures of a sweep as inline SVG text: value against cost or a setting, parallel axes, seeds on one scale.

Owns geometry, in percent of the picture, so that it fits any width; labels are HTML, colours come from the style sheet
by class. A point is known by its number, which is drawn where there is room for it: that of the best and those of the
front first, and of many points no others. What is pointed at says more (`<title>`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any

from ftbuild.report.charts import Scale, nice_scale

MOST_SAID = 8  # of different numbers on an axis, each of which has its label
WIDE = 20  # from how many times the smallest number an axis grows by factors
LEVELS = 5
MANY = 60  # from how many points on marks are smaller and few have a number
NUMBER_WIDE, NUMBER_HIGH = 4.0, 5.0  # what the number of a point takes, in percent
ROOM = 8.0  # between two labels of an axis, in percent
SPARE = 0.1  # around the only number of an axis
Labels = list[tuple[float, str]]


@dataclass(frozen=True)
class Dot:
    """A point of a picture: where it lies, the ends of its interval if it has one, what is said of it, its classes."""

    number: int
    x: float
    y: float
    low: float | None
    high: float | None
    title: str
    classes: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture: `svg` without labels, their places in percent from the left and the bottom."""

    svg: str
    x_labels: Labels
    y_labels: Labels


@dataclass(frozen=True)
class Axis:
    """The values of a setting on a line: the place of each in percent, and its labels."""

    places: Sequence[float]
    labels: Labels


def axis(values: Sequence[Any], texts: Sequence[str], *, to_scale: bool = False) -> Axis:
    """Return where the values of a setting lie, one a point: different ones at equal distances, numbers in their order.

    Numbers are put to scale where they are many, or where asked for; by factors where they are far apart.
    """
    distinct = list(dict.fromkeys(texts))
    are_numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in values)
    if are_numbers:
        said = dict(sorted(zip(texts, values, strict=True), key=lambda each: each[1]))
        distinct = list(said)
        if len(said) > 1 and (to_scale or len(said) > MOST_SAID):
            return _to_scale(values, said)
    last = max(len(distinct) - 1, 1)
    at = {text: round(100 * n / last, 2) if len(distinct) > 1 else 50.0 for n, text in enumerate(distinct)}
    return Axis([at[text] for text in texts], [(place, text) for text, place in at.items()])


def _to_scale(values: Sequence[float], said: Mapping[str, float]) -> Axis:
    low, high = min(said.values()), max(said.values())
    by_factors = low > 0 and high / low >= WIDE

    def place(value: float) -> float:
        share = math.log(value / low) / math.log(high / low) if by_factors else (value - low) / (high - low)
        return round(100 * share, 2)

    if len(said) <= MOST_SAID:
        return Axis([place(each) for each in values], [(place(value), text) for text, value in said.items()])
    if by_factors:
        ticks = [10.0**power for power in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]
    else:
        ticks = [tick for tick in nice_scale(low, high).ticks if low <= tick <= high]
    if all(isinstance(each, int) for each in values):
        ticks = [tick for tick in ticks if tick == int(tick)]
    inner = [tick for tick in ticks if ROOM <= place(tick) <= 100 - ROOM]
    return Axis([place(each) for each in values], [(place(tick), f"{tick:g}") for tick in (low, *inner, high)])


def scale_over(numbers: Sequence[float]) -> Scale:
    """Return an axis that shows all of the numbers, of which there is one at least."""
    low, high = min(numbers), max(numbers)
    return nice_scale(low, high) if low < high else nice_scale(low - SPARE, high + SPARE)


def _scale_of(dots: Sequence[Dot], more: Sequence[float] = ()) -> Scale:
    """Return the axis of values that shows every dot with its interval."""
    return scale_over([*more, *(end for dot in dots for end in (dot.y, dot.low, dot.high) if end is not None)])


def against_setting(dots: Sequence[Dot], x: Axis, base: float | None, *, joined: bool) -> Picture:
    """Return values over the one setting that varies, with intervals; `base` is the value that all are compared with.

    `dots` are in the order of their places on the axis; they are joined where it holds numbers.
    """
    y = _scale_of(dots, [] if base is None else [base])
    at = [(_inside(place), 100 - y.percent(dot.y)) for place, dot in zip(x.places, dots, strict=True)]
    parts = _grid(y)
    if base is not None:
        parts.append(_line("other", 0, 100 - y.percent(base), 100, 100 - y.percent(base)))
    if joined:
        parts += [_line("joined", *one, *two) for one, two in pairwise(at)]
    parts += _dots(dots, at, y)
    return Picture(_svg(_plot(dots), parts), [(_inside(place), text) for place, text in x.labels], y.labels())


def against_cost(dots: Sequence[Dot], front: Sequence[int]) -> Picture:
    """Return values against costs, and the front of them: its points by number, the cheapest first."""
    x, y = scale_over([0, *(dot.x for dot in dots)]), _scale_of(dots)
    at = {dot.number: (x.percent(dot.x), 100 - y.percent(dot.y)) for dot in dots}
    parts = [f'<line class="grid" x1="{place}%" x2="{place}%" y1="0" y2="100%"/>' for place, _ in x.labels()]
    parts += _grid(y)
    steps = [at[number] for number in front]
    for (x1, y1), (x2, y2) in pairwise(steps):
        parts += [_line("front", x1, y1, x2, y1), _line("front", x2, y1, x2, y2)]
    parts += _dots(dots, list(at.values()), y)
    return Picture(_svg(_plot(dots), parts), x.labels(), y.labels())


def parallel(paths: Sequence[tuple[str, str, Sequence[float]]], n_axes: int) -> str:
    """Return one path a point over parallel axes: its classes, what is said of it, its place on each in percent."""
    at = axes_at(n_axes)
    parts = [f'<line class="axis-line" x1="{place}%" x2="{place}%" y1="0" y2="100%"/>' for place in at]
    for classes, title, places in paths:
        corners = list(zip(at, (round(100 - place, 2) for place in places), strict=True))
        lines = [_line("", *one, *two) for one, two in pairwise(corners)]
        parts.append(f'<g class="{classes}"><title>{escape(title)}</title>{"".join(lines)}</g>')
    return _svg("paths" + " many" * (len(paths) >= MANY), parts)


def axes_at(n_axes: int) -> list[float]:
    """Return the places of parallel axes in percent, each in the middle of a column of its own."""
    return [round(100 * (n + 0.5) / n_axes, 2) for n in range(n_axes)]


def seeds(means: Sequence[tuple[int, float]], over: Mapping[str, Any], scale: Scale) -> str:
    """Return the means of one configuration by seed as dots, over the interval that other examples give."""
    parts = [f'<line class="grid" x1="{place}%" x2="{place}%" y1="0" y2="100%"/>' for place, _ in scale.labels()]
    if over["low"] is not None and over["high"] is not None:
        low, high = scale.percent(over["low"]), scale.percent(over["high"])
        parts.append(f'<line class="span tuned" x1="{low}%" x2="{high}%" y1="50%" y2="50%"/>')
    parts += [
        f'<g><title>#{number}</title><circle class="tuned" cx="{scale.percent(mean)}%" cy="50%" r="5"/></g>'
        for number, mean in means
    ]
    return _svg("dot", parts)


def level(value: float, least: float, most: float, *, lower_is_better: bool) -> int:
    """Return how good a value is among others, from 0, the worst, to 4; 2 where all are equal."""
    if most == least:
        return LEVELS // 2
    share = (value - least) / (most - least)
    return min(int(round(LEVELS * (1 - share if lower_is_better else share), 9)), LEVELS - 1)


def _inside(place: float) -> float:
    """Return a place on an axis whose ends leave room beside them."""
    return round(4 + 0.92 * place, 2)


def _grid(y: Scale) -> list[str]:
    return [f'<line class="grid" x1="0" x2="100%" y1="{100 - place}%" y2="{100 - place}%"/>' for place, _ in y.labels()]


def _line(classes: str, x1: float, y1: float, x2: float, y2: float) -> str:
    named = f' class="{classes}"' if classes else ""
    return f'<line{named} x1="{x1:g}%" y1="{y1:g}%" x2="{x2:g}%" y2="{y2:g}%"/>'


def _plot(dots: Sequence[Dot]) -> str:
    return "plot" + " many" * (len(dots) >= MANY)


def _dots(dots: Sequence[Dot], at: Sequence[tuple[float, float]], scale: Scale) -> list[str]:
    """Return the dots at their places, the most telling ones drawn last."""
    order = sorted(range(len(dots)), key=lambda n: ("best" in dots[n].classes, bool(dots[n].classes)))
    numbered: list[int] = []
    for n in (each for each in reversed(order) if dots[each].classes or len(dots) < MANY):
        (x, y), taken = at[n], [at[other] for other in numbered]
        if all(abs(x - x2) >= NUMBER_WIDE or abs(y - y2) >= NUMBER_HIGH for x2, y2 in taken):
            numbered.append(n)
    radius = 4 if len(dots) >= MANY else 6
    return [_dot(dots[n], *at[n], scale, radius, has_number=n in numbered) for n in order]


def _dot(dot: Dot, x: float, y: float, scale: Scale, radius: int, *, has_number: bool) -> str:
    parts = [f'<g class="point {dot.classes}"><title>{escape(dot.title)}</title>']
    if dot.low is not None and dot.high is not None:
        low, high = 100 - scale.percent(dot.low), 100 - scale.percent(dot.high)
        parts.append(_line("span", x, low, x, high))
    parts.append(f'<circle cx="{x:g}%" cy="{y:g}%" r="{radius}"/>')
    if has_number:
        parts.append(f'<text x="{x:g}%" y="{y:g}%" dx="9" dy="-7">{dot.number}</text>')
    return "".join([*parts, "</g>"])


def _svg(classes: str, parts: Sequence[str]) -> str:
    return f'<svg class="{classes}" aria-hidden="true" focusable="false">{"".join(parts)}</svg>'
