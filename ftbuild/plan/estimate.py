"""What an action costs, and what several cost together. None is unknown, which is not nothing."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """The tokens and US dollars of an action; `estimated` where they are no exact count."""

    n_tokens: int | None
    cost_usd: float | None
    estimated: bool = False

    def dollars(self) -> str:
        """Return the cost in words."""
        if self.cost_usd is None:
            return "cost unknown"
        if 0 < self.cost_usd < 0.01:
            return "under $0.01"
        return f"{'about ' if self.estimated else ''}${self.cost_usd:,.2f}"


NOTHING = Estimate(None, 0)


def total(estimates: Iterable[Estimate]) -> Estimate:
    """Return the sum; what is unknown of one is unknown of all."""
    listed = [each for each in estimates if each != NOTHING]
    tokens = [each.n_tokens for each in listed if each.n_tokens is not None]
    costs = [each.cost_usd for each in listed if each.cost_usd is not None]
    n_tokens = sum(tokens) if listed and len(tokens) == len(listed) else None
    cost_usd = round(sum(costs), 6) if len(costs) == len(listed) else None
    return Estimate(n_tokens, cost_usd, any(each.estimated for each in listed))
