"""What a rehearsal is: the requests are real, losses and answers made up. Knows a provider as plain values alone."""

from collections.abc import Mapping
from typing import Any


def makes_up(provider: Mapping[str, Any] | None) -> bool:
    """Return whether a provider with these settings makes everything up."""
    return provider is not None and (provider.get("rehearsed") is True or provider.get("engine") == "scripted")
