"""What training costs, as last seen: facts with their date and source.

What stands here is no offer: a provider's page may say otherwise by now. What does not stand here is unknown, which
is not nothing. A list of facts, to move into the providers' profiles when there are any.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Price:
    """The price of a million tokens trained on, for one pass; `encoding` is what the provider counts them in."""

    provider: str
    model: str
    method: str
    usd_per_million: float
    encoding: str
    as_of: str
    source: str


_OPENAI = ("o200k_base", "2025-11", "OpenAI pricing page, standard tier")
PRICES = (
    Price("openai", "gpt-4.1", "supervised", 25.00, *_OPENAI),
    Price("openai", "gpt-4.1-mini", "supervised", 5.00, *_OPENAI),
    Price("openai", "gpt-4.1-nano", "supervised", 1.50, *_OPENAI),
    Price("openai", "gpt-4o", "supervised", 25.00, *_OPENAI),
    Price("openai", "gpt-4o-mini", "supervised", 3.00, *_OPENAI),
)
FREE = ("embedded",)  # trains on the machine it runs on
PROVIDERS = ("embedded", "openai", "azure", "compatible")


def of(provider: str, method: str) -> list[Price]:
    """Return the known prices of a provider for a method; none is "unknown"."""
    return [each for each in PRICES if (each.provider, each.method) == (provider, method)]


def epoch_usd(price: Price, n_tokens: int) -> float:
    """Return what one pass over `n_tokens` costs; validation is free (OpenAI fine-tuning guide, 2026-11)."""
    return n_tokens * price.usd_per_million / 1e6
