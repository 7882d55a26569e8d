"""How sources become a dataset."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from ftbuild.settings.node import Node, without_nulls
from ftbuild.settings.source import Source


class Shares(Node):
    """Share of the groups that go to validation and to test; the rest trains. `seed` draws them."""

    validation: float = Field(ge=0, lt=1)
    test: float = Field(ge=0, lt=1)
    seed: int


class Dataset(Node):
    """Sources by name, and the split. `limit` keeps that many examples of all, null keeps all.

    `deduplicate` says which examples are one: `exact` those that say the same, `near` also those that differ
    in case, width, spaces or punctuation alone. `parallel_calls` leaves several calls at once as they are (`keep`), or
    makes one follow the other (`one_by_one`), as it does unasked where a provider takes no parallel calls.
    """

    sources: Annotated[dict[str, Source], BeforeValidator(without_nulls)]
    split: Shares
    limit: int | None = Field(default=None, ge=4)
    deduplicate: Literal["exact", "near"] = "exact"
    parallel_calls: Literal["keep", "one_by_one"] = "keep"
