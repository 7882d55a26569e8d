"""Where metrics go besides the run's folder, and who sends them there."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from ftbuild.settings.node import Node

TAGS_AT_MOST = 40  # of the 50 that a run may have, some are given by itself
Tag = Annotated[str, Field(min_length=1, max_length=64)]


class Tracker(Node):
    """Where metrics go. Both kinds write outputs/runs/<run>/metrics.jsonl; `wandb` sends a run to Weights & Biases too.

    It comes from us (`client`), its curves while the job trains; from the `provider`, or from both. `auto`
    is online where a key is found: in the variable `api_key_env`, or where `wandb login` has put it. Without
    `examples` only numbers are sent. `timeout_seconds` bounds the sign-in, and again the end of the upload.
    """

    sparse: ClassVar[bool] = True
    kind: Literal["local", "wandb"]
    side: Literal["provider", "client", "both"] = Field(default="client", alias="from")  # a word of Python's own
    project: str = Field(default="ftbuild", pattern=r"^[^/\\#?%:]{1,128}$")
    entity: str | None = Field(default=None, min_length=1)
    tags: list[Tag] = Field(default=[], max_length=TAGS_AT_MOST)
    mode: Literal["auto", "online", "offline"] = "auto"
    api_key_env: str = "WANDB_API_KEY"
    base_url: str | None = None
    examples: bool = True
    timeout_seconds: float = Field(default=30, gt=0, le=600)

    @model_validator(mode="after")
    def _holds_no_secret(self) -> "Tracker":
        if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", self.api_key_env):  # it may be the key, so it is not repeated
            raise ValueError("api_key_env is the name of an environment variable, in capitals; the key stays there")
        if self.base_url is not None and not re.fullmatch(r"https?://[^@?#\s]+", self.base_url):
            raise ValueError("base_url is an address of http or https, without a password or a query")
        return self

    @model_validator(mode="after")
    def _says_nothing_in_vain(self) -> "Tracker":
        if self.kind == "local" and (said := sorted(self.model_fields_set - {"kind"})):
            raise ValueError(f"the kind local has no {'from' if said[0] == 'side' else said[0]}: tracker=wandb has one")
        if self.mode != "auto" and self.side == "provider":
            raise ValueError(f"mode {self.mode} is for runs of ours: with from=provider the provider decides")
        return self

    @property
    def at_provider(self) -> bool:
        """Return whether the provider is asked to write a run."""
        return self.kind == "wandb" and self.side != "client"

    @property
    def here(self) -> bool:
        """Return whether we write a run when the build is done."""
        return self.kind == "wandb" and self.side != "provider"
