"""Who we are to Weights & Biases: online with a key, or offline; and the environment of a process that writes runs.

Knows nothing of the wandb package but whether it is there, and where it looks for a key: in the
environment, and in the file that `wandb login` writes (wandb 0.31, `sdk/lib/wbauth`).
"""

import netrc
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

INSTALL = "pip install 'ftbuild[wandb]'"
API_KEY_ENV = "WANDB_API_KEY"
BASE_URL = "https://api.wandb.ai"


@dataclass(frozen=True)
class Account:
    """`mode` is how runs are written, `why` says why not online; `api_key` is None where wandb finds it by itself."""

    mode: Literal["online", "offline", "disabled"]
    base_url: str
    api_key: str | None = None
    why: str = ""

    def environment(self, folder: Path, given: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a process that writes runs into `folder` and nothing anywhere else.

        Its WANDB_ variables are ours, so that no id or name of another run enters; the rest (proxies,
        certificates) is as `given`.
        """
        beside = folder / "wandb" / ".state"
        ours = {f"WANDB_{name}_DIR": str(beside / name.lower()) for name in ("DATA", "CACHE", "CONFIG")}
        ours |= {"WANDB_ERROR_REPORTING": "false", "WANDB_BASE_URL": self.base_url}
        ours |= {API_KEY_ENV: self.api_key} if self.api_key else {}
        return {**{name: value for name, value in given.items() if not name.startswith("WANDB_")}, **ours}


def installed() -> bool:
    """Return whether the wandb package is there; it is not loaded.

    The folder `wandb` that it leaves wherever it runs has no origin, and is not it.
    """
    found = find_spec("wandb")
    return found is not None and found.origin is not None


def account(
    environment: Mapping[str, str],
    mode: Literal["auto", "online", "offline"] = "auto",
    api_key_env: str = API_KEY_ENV,
    base_url: str | None = None,
) -> Account:
    """Return the account; with `auto`, WANDB_MODE is heard, and without a key it is offline."""
    url = (base_url or environment.get("WANDB_BASE_URL") or BASE_URL).rstrip("/")
    said = environment.get("WANDB_MODE", "")
    if mode == "offline":
        return Account("offline", url, why="tracker.mode is offline")
    if mode == "auto" and said in ("offline", "disabled"):
        return Account("offline" if said == "offline" else "disabled", url, why=f"WANDB_MODE is {said}")
    key = environment.get(api_key_env, "").strip()
    if key or _logged_in(environment, url):
        return Account("online", url, key or None)
    return Account("offline", url, why=f"{api_key_env} holds no key")


def _logged_in(environment: Mapping[str, str], base_url: str) -> bool:
    """Return whether `wandb login` has left a key for this server."""
    path = environment.get("NETRC") or str(Path(environment.get("HOME", "~")).expanduser() / ".netrc")
    try:
        found = netrc.netrc(path).authenticators(urlsplit(base_url).netloc)
    except (OSError, netrc.NetrcParseError):
        return False
    return bool(found and found[2])
