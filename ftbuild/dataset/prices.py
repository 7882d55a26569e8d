"""What training costs where, as the profiles of providers last saw it: facts with their date and source.

What is said here is no offer: a provider's page may say otherwise by now. What a profile does not say is unknown,
which is not nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ftbuild.settings import Provider


@dataclass(frozen=True)
class Price:
    """The price of a million tokens trained on, for one pass; None is unknown, 0 is nothing."""

    provider: str
    model: str
    usd_per_million: float | None
    as_of: str = ""
    source: str = ""


def of_profiles(profiles: Mapping[str, Provider], method: str) -> list[Price]:
    """Return what each provider that trains with the method takes for it, in the order given; a rehearsal is none."""
    found = []
    for name, each in profiles.items():
        if each.engine == "scripted" or method not in each.methods:
            continue
        if each.kind == "embedded" or each.free:
            found.append(Price(name, "any", 0))
            continue
        known = [
            Price(name, model.id, model.usd_training, each.prices.as_of, each.prices.source)
            for model in (each.models or {}).values()
            if each.prices is not None and model.usd_training is not None
            if method in (model.methods or ()) and method in each.prices.methods
        ]
        found += known or [Price(name, "any", None)]
    return found


def epoch_usd(usd_per_million: float, n_tokens: int) -> float:
    """Return what one pass over `n_tokens` costs; validation is free (OpenAI fine-tuning guide, 2026-11)."""
    return n_tokens * usd_per_million / 1e6
