"""The outside, passed in: clock, environment, folders.

Owns the only reading of the clock and of the environment. Tests pass a World of their own.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class World:
    """What a run sees of the machine it runs on.

    `root` is the project's folder, `outputs` where runs and the store live, `built` where
    datasets are written. `now` gives seconds since 1970 (UTC), `sleep` waits seconds.
    """

    root: Path
    outputs: Path
    built: Path
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    @classmethod
    def at(cls, root: Path) -> "World":
        """Return the real world of the project at `root`."""
        return cls(root=root, outputs=root / "outputs", built=root / "datasets" / "built")

    @property
    def proposals(self) -> Path:
        """Return the folder of what the next rounds could learn: text for git, a folder each; beside what is built."""
        return self.built.parent / "proposals"

    @property
    def store(self) -> Path:
        """Return the folder of the store: in outputs/, or where FTBUILD_STORE says, for one that checkouts share."""
        named = self.environment.get("FTBUILD_STORE")
        return Path(named) / self.outputs.relative_to(self.root) if named else self.outputs / ".ftbuild"
