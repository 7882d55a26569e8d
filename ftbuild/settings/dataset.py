"""How sources become a dataset."""

from pydantic import Field, field_validator

from ftbuild.settings.node import Node
from ftbuild.settings.source import Source


class Shares(Node):
    """Share of the groups that go to validation and to test; the rest trains. `seed` draws them."""

    validation: float = Field(ge=0, lt=1)
    test: float = Field(ge=0, lt=1)
    seed: int


class Dataset(Node):
    """Sources by name, and the split. `limit` keeps that many examples of all, null keeps all."""

    sources: dict[str, Source]
    split: Shares
    limit: int | None = Field(default=None, ge=4)

    @field_validator("sources", mode="before")
    @classmethod
    def _null_takes_a_source_out(cls, value: object) -> object:
        if isinstance(value, dict):
            return {name: source for name, source in value.items() if source is not None}
        return value
