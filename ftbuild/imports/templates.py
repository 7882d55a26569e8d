"""Templates as promptfoo and OpenAI's Evals have them: `{{name}}` and `{{item.name}}`, and no code.

Filters, conditions and loops of Nunjucks are programs; a text with one in it is refused, never half filled in.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

SLOT = re.compile(r"\{\{-?\s*([^{}]*?)\s*-?\}\}")
NAME = re.compile(r"\w+(?:\.\w+)*")


def filled(template: str, values: Mapping[str, Any]) -> str:
    """Return a text with its slots filled in; what is no text goes in as JSON.

    Raises:
        ValueError: a slot is more than a name, or there is no such value.
    """
    if "{%" in template or "{#" in template:
        raise ValueError("a template with code in it ({% %})")
    return SLOT.sub(lambda found: _said(found.group(1), values), template)


def filled_in(value: Any, values: Mapping[str, Any]) -> Any:
    """Return a JSON value with the slots of all its texts filled in.

    Raises:
        ValueError: as `filled` does.
    """
    if isinstance(value, str):
        return filled(value, values)
    if isinstance(value, Mapping):
        return {name: filled_in(each, values) for name, each in value.items()}
    return [filled_in(each, values) for each in value] if isinstance(value, list) else value


def _said(name: str, values: Mapping[str, Any]) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(f"a template with more than a name in it ({{{{{name}}}}})")
    found: Any = values
    for part in name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            raise ValueError(f"a template with {{{{{name}}}}}, which is not given")
        found = found[part]
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
