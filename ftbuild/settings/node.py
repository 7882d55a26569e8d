"""What every settings model shares: frozen, strict, no unknown keys, and a keyed form."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class Node(BaseModel):
    """One node of the config.

    `unkeyed` names the fields that change no result (names, descriptions, time-outs); all
    others enter the keys of the actions that read the node; of a `sparse` one only those that are set, so
    that a field added to ftbuild changes no key of configs without it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    unkeyed: ClassVar[frozenset[str]] = frozenset()
    sparse: ClassVar[bool] = False

    def keyed(self) -> dict[str, Any]:
        """Return the fields that change results, as JSON values."""
        keyed = {
            field.alias or name: _keyed(getattr(self, name))
            for name, field in type(self).model_fields.items()
            if name not in self.unkeyed
        }
        return {name: value for name, value in keyed.items() if not (self.sparse and value in (None, []))}


def without_nulls(value: object) -> object:
    """Return a map without its entries that are null: that is how a config takes an inherited entry out."""
    return {name: each for name, each in value.items() if each is not None} if isinstance(value, dict) else value


def _keyed(value: Any) -> Any:
    if isinstance(value, Node):
        return value.keyed()
    if isinstance(value, dict):
        return {name: _keyed(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return [_keyed(each) for each in value]
    return value
