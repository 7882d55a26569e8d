"""The sizes of a network, from its config.json: what our forward pass can compute, and what it cannot.

Needs no torch. Taken are Llamas, and what computes as they do; everything else is refused with the reason, for it
would be computed wrongly. Sources: transformers' LlamaConfig (5.23, where rotary settings are `rope_parameters`, and
4, where they are `rope_theta` and `rope_scaling`), the Llama 3.1 model card for scaled positions.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ARCHITECTURES = ("LlamaForCausalLM", "MistralForCausalLM")
SCALINGS = ("default", "llama3")


class UnknownShapeError(Exception):
    """A model that our forward pass cannot compute; the text says why."""


@dataclass(frozen=True)
class Scaling:
    """How Llama 3.1 and later stretch their positions over a longer context than they were first trained with."""

    factor: float
    low: float
    high: float
    context: int


@dataclass(frozen=True)
class Shape:
    """The sizes of a Llama."""

    vocab_size: int
    width: int
    layers: int
    heads: int
    kv_heads: int
    head_width: int
    context: int
    eps: float
    rope_theta: float
    scaling: Scaling | None = None

    @classmethod
    def read(cls, folder: Path) -> "Shape":
        """Return the sizes of the model in `folder`.

        Raises:
            UnknownShapeError: it is none that can be computed here.
        """
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        _refuse_others(config)
        heads = config["num_attention_heads"]
        rope = {"rope_theta": config.get("rope_theta", 10000.0), **(config.get("rope_scaling") or {})}
        rope |= config.get("rope_parameters") or {}
        return cls(
            vocab_size=config["vocab_size"],
            width=config["hidden_size"],
            layers=config["num_hidden_layers"],
            heads=heads,
            kv_heads=config.get("num_key_value_heads") or heads,
            head_width=config.get("head_dim") or config["hidden_size"] // heads,
            context=config["max_position_embeddings"],
            eps=config["rms_norm_eps"],
            rope_theta=rope["rope_theta"],
            scaling=_scaling(rope),
        )


def _refuse_others(config: Mapping[str, Any]) -> None:
    named = config.get("architectures") or ["no architecture"]
    if named[0] not in ARCHITECTURES:
        raise UnknownShapeError(f"{named[0]} is not computed here; {' and '.join(ARCHITECTURES)} are")
    for name, plain in (("hidden_act", "silu"), ("attention_bias", False), ("mlp_bias", False)):
        if config.get(name, plain) != plain:
            raise UnknownShapeError(f"{name} {config[name]!r} is not computed here, only {plain!r}")
    if config.get("sliding_window") and config["sliding_window"] < config["max_position_embeddings"]:
        raise UnknownShapeError("a sliding_window shorter than the context is not computed here")


def _scaling(rope: Mapping[str, Any]) -> Scaling | None:
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind not in SCALINGS:
        raise UnknownShapeError(f"rope_type {kind!r} is not computed here; {' and '.join(SCALINGS)} are")
    if kind == "default":
        return None
    return Scaling(
        rope["factor"], rope["low_freq_factor"], rope["high_freq_factor"], rope["original_max_position_embeddings"]
    )
