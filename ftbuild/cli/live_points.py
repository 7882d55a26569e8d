"""The points of a sweep while they are built: a line for each that is at work or has failed, and how many are done."""

from collections.abc import Mapping, Sequence

from ftbuild.report.words import count

ROWS_AT_MOST = 8


class LivePoints:
    """What has become of the actions that belong to one point alone; `points` say for which one an action is, by id.

    Of a point that has no action of its own nothing is known, and nothing said.
    """

    def __init__(self, names: Sequence[str], points: Mapping[str, str]) -> None:
        self._left = {name: {each for each, whose in points.items() if whose == name} for name in names}
        self._left = {name: left for name, left in self._left.items() if left}
        self._points = points
        self._failed: dict[str, str] = {}

    def done(self, action: str) -> None:
        """An action has its record."""
        self._left.get(self._points.get(action, ""), set()).discard(action)

    def failed(self, action: str, label: str) -> None:
        """An action has failed, and with it its point."""
        if (name := self._points.get(action, "")) in self._left:
            self._failed.setdefault(name, label)

    def lines(self, running: Mapping[str, str], rows: int) -> list[str]:
        """Return the lines, at most `rows` of points; `running` are what the actions under way say, by id."""
        at_work: dict[str, str] = {}
        for action, text in running.items():
            if (name := self._points.get(action, "")) in self._left:
                at_work.setdefault(name, text)
        failed = {name: f"{label} failed" for name, label in self._failed.items() if name not in at_work}
        shown = [*at_work.items(), *failed.items()][: max(min(rows, ROWS_AT_MOST), 0)]
        widest = max((len(name) for name, _ in shown), default=0)
        done = sum(not left and name not in self._failed for name, left in self._left.items())
        said = [
            f"{done} done",
            *([f"{len(self._failed)} failed"] if self._failed else []),
            *([f"{len(at_work)} under way"] if at_work else []),
        ]
        n = len(self._left)
        return [*(f"  {name:{widest}}  {text}" for name, text in shown), f"  {count(n, 'point')}: {', '.join(said)}"]
