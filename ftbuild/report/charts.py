"""Charts as inline SVG text: dots with intervals on one scale, loss by step.

Owns geometry. Every colour comes from the page's style sheet by class, so one drawing serves light, dark
and print. Dots and intervals are placed in percent and the loss chart keeps its strokes when stretched
(`non-scaling-stroke`), so both fit any width without small print; their labels are HTML.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_POINTS = 800


@dataclass(frozen=True)
class Scale:
    """A linear axis from `low` to `high`, both ends ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def percent(self, number: float) -> float:
        """Return where `number` lies, 0 to 100, cut at the ends."""
        return round(100 * (min(max(number, self.low), self.high) - self.low) / (self.high - self.low), 2)

    def labels(self) -> list[tuple[float, str]]:
        """Return place in percent and text of each tick."""
        return [(self.percent(tick), f"{tick:g}") for tick in self.ticks]


def scale_of(numbers: Sequence[float]) -> Scale:
    """Return the one axis for `numbers`: 0 to 1, further out in round steps where a number needs it."""
    if all(0 <= number <= 1 for number in numbers):
        return Scale(0, 1, (0, 0.25, 0.5, 0.75, 1))
    return nice_scale(min(0.0, *numbers), max(1.0, *numbers))


def nice_scale(low: float, high: float, ticks: int = 4) -> Scale:
    """Return an axis that covers `low` to `high` in about `ticks` round steps."""
    size = (high - low) / ticks or 1.0
    power = 10.0 ** math.floor(math.log10(size))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= size - 1e-12)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return Scale(first * step, last * step, tuple(round(n * step, 10) for n in range(first, last + 1)))


def dot(numbers: Mapping[str, Any], scale: Scale, arm: str) -> str:
    """Return the dot and interval of one arm as SVG; only the grid when there is no value."""
    parts = ['<svg class="dot" aria-hidden="true" focusable="false">']
    for place, _ in scale.labels():
        parts.append(f'<line class="grid" x1="{place}%" x2="{place}%" y1="0" y2="100%"/>')
    if numbers["low"] is not None and numbers["high"] is not None:
        start, end = scale.percent(numbers["low"]), scale.percent(numbers["high"])
        parts.append(f'<line class="span {arm}" x1="{start}%" x2="{end}%" y1="50%" y2="50%"/>')
    if numbers["mean"] is not None:
        parts.append(f'<circle class="{arm}" cx="{scale.percent(numbers["mean"])}%" cy="50%" r="6"/>')
    return "".join([*parts, "</svg>"])


@dataclass(frozen=True)
class LossChart:
    """A loss chart: `svg` without text, the places of its labels in percent from the left and the bottom."""

    svg: str
    x_labels: list[tuple[float, str]]
    y_labels: list[tuple[float, str]]


def loss(training: Mapping[str, Any]) -> LossChart | None:
    """Return training and validation loss by step, checkpoints marked; None when no step was recorded."""
    steps = training["steps"]
    train = [(s["step"], s["train_loss"]) for s in steps if s["train_loss"] is not None]
    valid = [(s["step"], s["valid_loss"]) for s in steps if s["valid_loss"] is not None]
    if not train and not valid:
        return None
    losses = [value for _, value in train + valid]
    last = max(step for step, _ in train + valid)
    x = Scale(0, last or 1, tuple(tick for tick in nice_scale(0, last or 1, 5).ticks if tick <= last))
    y = nice_scale(0, max(losses) or 1.0)
    parts = ['<svg class="loss" viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true" focusable="false">']
    parts += [f'<path class="grid" d="M0 {100 - place}H100"/>' for place, _ in y.labels()]
    for checkpoint in training["checkpoints"]:
        parts.append(f'<path class="checkpoint" d="M{x.percent(checkpoint["step"])} 0V100"/>')
    parts.append(_line("train", _thinned(train), x, y))
    parts.append(_line("valid", valid, x, y))
    parts += [f'<path class="valid point" d="M{x.percent(s)} {100 - y.percent(v)}h0"/>' for s, v in valid]
    return LossChart("".join([*parts, "</svg>"]), x.labels(), y.labels())


def _line(name: str, points: Sequence[tuple[float, float]], x: Scale, y: Scale) -> str:
    if len(points) < 2:
        return ""
    path = "L".join(f"{x.percent(step)} {round(100 - y.percent(value), 2)}" for step, value in points)
    return f'<path class="{name}" d="M{path}"/>'


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return every k-th point and the last one, so that a long job does not make a heavy page."""
    every = -(-len(points) // MOST_POINTS) or 1
    return [point for n, point in enumerate(points) if n % every == 0 or n == len(points) - 1]
