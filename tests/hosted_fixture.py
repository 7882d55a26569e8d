"""A provider of our own making: one file of conf/provider, and a project that asks it."""

from typing import Any

import yaml

KEY = "sk-elsewhere-0123456789abcdef"
PROFILE: dict[str, Any] = {
    "kind": "hosted",
    "name": "elsewhere",
    "base_url": "http://127.0.0.1:9/v1",
    "api_key_env": "ELSEWHERE_KEY",
    "methods": ["supervised"],
    "models": {
        "tiny": {"id": "tiny", "methods": ["supervised"], "usd_training": 5.0, "usd_input": 0.8, "usd_output": 3.2}
    },
    "prices": {"as_of": "2026-11", "source": "their page", "encoding": "o200k_base"},
    "settle_seconds": 0.0,
    "poll_seconds": 0.05,
}
AT_ELSEWHERE = ("+experiment=tone_formal", "--smoke", "provider=elsewhere", "model=hosted", "model.id=tiny")


def profile(**changed: Any) -> str:
    """Return the text of the file."""
    command = "ftbuild +experiment=tone_formal provider=elsewhere model=hosted model.id=tiny"
    return f"# Our own gateway.   {command}\n" + yaml.safe_dump(PROFILE | changed, sort_keys=False)
