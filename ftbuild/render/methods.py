"""The line that each method makes of a conversation."""

from collections.abc import Callable, Mapping
from typing import Any

from ftbuild.render import dpo, reinforcement, supervised

VALUES: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "supervised": supervised.value,
    "dpo": dpo.value,
    "reinforcement": reinforcement.value,
}
LINES: Mapping[str, Callable[[Mapping[str, Any]], bytes]] = {
    "supervised": supervised.line,
    "dpo": dpo.line,
    "reinforcement": reinforcement.line,
}
