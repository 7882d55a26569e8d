"""The JSON value that an answer is, and what checks it against a schema."""

import json
from functools import lru_cache
from typing import Any

from ftbuild.rows import NotJsonError, parse
from ftbuild.tools.schemas import Checker

NOTHING = object()


def read(text: str) -> Any:
    """Return the JSON value of a text, NOTHING where it is none."""
    try:
        return parse(text.encode("utf-8", "surrogatepass"))
    except NotJsonError:
        return NOTHING


@lru_cache(maxsize=256)
def checker(schema: str) -> Checker:
    """Return what checks values against a schema, given as a JSON text; made once."""
    return Checker(json.loads(schema))
