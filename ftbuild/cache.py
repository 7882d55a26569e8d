"""Where a user's cache is: what can be made again, and is shared by all projects of one user."""

from collections.abc import Mapping
from pathlib import Path


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Return the user's cache: $FTBUILD_CACHE, else $XDG_CACHE_HOME/ftbuild, else ~/.cache/ftbuild."""
    if own := environment.get("FTBUILD_CACHE"):
        return Path(own).expanduser().absolute()
    if shared := environment.get("XDG_CACHE_HOME"):
        return Path(shared).expanduser().absolute() / "ftbuild"
    return Path.home() / ".cache" / "ftbuild"
