"""What a composition takes from outside the config trees and the command line: variables, and what may be another the
next time.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

FIXED = r"\$\{\s*(oc\.env|oc\.select|oc\.dict\.keys|oc\.dict\.values)\s*:|\$\{[^${}:]*\}"


@dataclass
class Outside:
    """What a composition takes from outside the trees and the command line.

    The names of the variables it asks `environment` for are noted in `asked`; `changing` is set by
    anything that may be another the next time, with nothing changed: the clock, chance, a plug-in.
    """

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    asked: set[str] = field(default_factory=set)
    changing: bool = False

    def variable(self, name: str, *default: str | None) -> str | None:
        """Return a variable of the environment, as OmegaConf's oc.env does.

        Raises:
            KeyError: it is not set, and there is no default.
        """
        self.asked.add(name)
        if name not in self.environment and not default:
            raise KeyError(f"Environment variable '{name}' not found")
        value = self.environment.get(name, *default)
        self.note(str(value))
        return None if value is None else str(value)

    def note(self, text: str) -> None:
        """Note whether a text interpolates what may change."""
        self.changing = self.changing or "${" in re.sub(FIXED, "", text)
