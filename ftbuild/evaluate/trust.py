"""Whether a judge may decide anything: how well it agrees with labelled examples. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ftbuild.scorers.judge import better, letter
from ftbuild.stats import Agreement, agreement


@dataclass(frozen=True)
class Trust:
    """The agreement of a judge with labels, what it must reach, and how many replies were none of A, B and T."""

    found: Agreement
    at_least: float
    unread: int

    @property
    def admitted(self) -> bool:
        """Return whether it is good enough: by the lower bound of kappa."""
        return self.found.low is not None and self.found.low >= self.at_least

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, as it stands in results.json."""
        return {**asdict(self.found), "wanted": self.at_least, "unread": self.unread, "admitted": self.admitted}


def trust(lines: Sequence[Mapping[str, Any]], at_least: float) -> Trust:
    """Return how far a judge can be trusted, given its two replies to each labelled pair: `better, replies`."""
    found = agreement([each["better"] for each in lines], [better(each["replies"]) for each in lines])
    return Trust(found, at_least, sum(letter(reply) is None for each in lines for reply in each["replies"]))
