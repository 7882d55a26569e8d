"""The network: a Llama's forward pass on a CPU, with or without low-rank adapters.

Owns the arithmetic. Knows nothing of text, jobs or requests. Rows of a batch are padded on the
right and need no padding mask: a token sees only what stands before it. Numbers equal those of
transformers' LlamaForCausalLM.
Sources: LLaMA (Touvron et al., 2023), RoFormer (Su et al., 2021), grouped queries (Ainslie et al., 2023).
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

PIECES = {  # our fused matrices, and the pieces that transformers and PEFT know by name
    "qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "o": ("self_attn.o_proj",),
    "gate_up": ("mlp.gate_proj", "mlp.up_proj"),
    "down": ("mlp.down_proj",),
}
FEW_SCORES = 2**20  # in one layer
KeyValues = list[tuple[Tensor, Tensor]]  # per layer; rows x key heads x tokens x head width
Remember = Callable[[int, Tensor, Tensor], tuple[Tensor, Tensor]]  # layer, new keys, new values -> all of them
LowRank = Mapping[tuple[int, str], tuple[Tensor, Tensor]]  # layer, fused matrix -> down and (scaled) up


@dataclass(frozen=True)
class Shape:
    """The sizes of a Llama, from its config.json."""

    vocab_size: int
    width: int
    layers: int
    heads: int
    kv_heads: int
    head_width: int
    context: int
    eps: float
    rope_theta: float

    @classmethod
    def read(cls, folder: Path) -> "Shape":
        """Return the sizes of the model in `folder`."""
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return cls(
            vocab_size=config["vocab_size"],
            width=config["hidden_size"],
            layers=config["num_hidden_layers"],
            heads=config["num_attention_heads"],
            kv_heads=config["num_key_value_heads"],
            head_width=config["head_dim"],
            context=config["max_position_embeddings"],
            eps=config["rms_norm_eps"],
            rope_theta=config["rope_theta"],
        )


@dataclass(frozen=True)
class View:
    """What one pass looks at besides the tokens themselves."""

    cos: Tensor
    sin: Tensor
    mask: Tensor
    remember: Remember
    lora: LowRank | None


class Llama:
    """A base model in memory, all of it frozen."""

    def __init__(self, folder: Path, dtype: torch.dtype) -> None:
        """Read the folder's weights, turned into `dtype`."""
        from safetensors import safe_open

        self.shape = shape = Shape.read(folder)
        self.dtype = dtype
        # Rows of a matrix product; None is all of them. A large product may be rounded otherwise than a small one, so
        # that an answer in bfloat16 would depend on how much was read with it; a third of the speed of reading.
        self.rows_at_once: int | None = None
        self.fused: dict[tuple[int, str], Tensor] = {}
        self.norms: dict[tuple[int, str], Tensor] = {}
        with safe_open(folder / "model.safetensors", framework="pt") as file:

            def read(name: str) -> Tensor:
                tensor: Tensor = file.get_tensor(f"{name}.weight")
                return tensor.to(dtype)

            self.embed, self.norm = read("model.embed_tokens"), read("model.norm")
            self.head = read("lm_head") if "lm_head.weight" in file.keys() else self.embed  # noqa: SIM118
            for layer in range(shape.layers):
                at = f"model.layers.{layer}"
                for name, pieces in PIECES.items():
                    self.fused[layer, name] = torch.cat([read(f"{at}.{piece}") for piece in pieces])
                for name in ("input_layernorm", "post_attention_layernorm"):
                    self.norms[layer, name] = read(f"{at}.{name}")
        turns = shape.rope_theta ** (-torch.arange(0, shape.head_width, 2, dtype=torch.float32) / shape.head_width)
        angles = torch.outer(torch.arange(shape.context, dtype=torch.float32), turns).repeat(1, 2)
        self.cos, self.sin = angles.cos().to(dtype), angles.sin().to(dtype)

    def forward(
        self, ids: Tensor, positions: Tensor, mask: Tensor, remember: Remember, lora: LowRank | None = None
    ) -> Tensor:
        """Return the last hidden states (rows x tokens x width) of `ids` (rows x tokens).

        `positions` is tokens, or rows x tokens; `mask` is added to the attention scores and comes
        from `causal_mask` or has its form; `remember` takes a layer's new keys and values and
        returns all that the queries see.
        """
        x = functional.embedding(ids, self.embed)
        view = View(self.cos[positions].unsqueeze(-2), self.sin[positions].unsqueeze(-2), mask, remember, lora)
        for layer in range(self.shape.layers):
            x = x + self._attend(layer, self._normed(x, layer, "input_layernorm"), view)
            gate, up = self._linear(self._normed(x, layer, "post_attention_layernorm"), layer, "gate_up", lora).chunk(
                2, dim=-1
            )
            x = x + self._linear(functional.silu(gate) * up, layer, "down", lora)
        return functional.rms_norm(x, (self.shape.width,), self.norm, self.shape.eps)

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the scores of every token of the vocabulary."""
        return functional.linear(hidden, self.head)

    def merge(self, lora: LowRank) -> None:
        """Add the adapters into the weights, for good."""
        for at, (down, up) in lora.items():
            self.fused[at] = (self.fused[at].float() + up.float() @ down.float()).to(self.dtype)

    def _normed(self, x: Tensor, layer: int, name: str) -> Tensor:
        return functional.rms_norm(x, (self.shape.width,), self.norms[layer, name], self.shape.eps)

    def _linear(self, x: Tensor, layer: int, name: str, lora: LowRank | None) -> Tensor:
        y = self._product(x, self.fused[layer, name])
        if lora is None:
            return y
        down, up = lora[layer, name]
        return y + functional.linear(functional.linear(x, down), up)

    def _product(self, x: Tensor, weight: Tensor) -> Tensor:
        rows = x.shape[:-1].numel()
        if self.rows_at_once is None or rows <= self.rows_at_once:
            return functional.linear(x, weight)
        pieces = torch.split(x.reshape(rows, -1), self.rows_at_once)
        return torch.cat([functional.linear(piece, weight) for piece in pieces]).view(*x.shape[:-1], -1)

    def _attend(self, layer: int, x: Tensor, view: View) -> Tensor:
        shape = self.shape
        rows, tokens, _ = x.shape
        turned = shape.heads + shape.kv_heads
        qkv = self._linear(x, layer, "qkv", view.lora).view(rows, tokens, -1, shape.head_width)
        qk = _rotated(qkv[:, :, :turned], view.cos, view.sin)
        q, k = qk[:, :, : shape.heads], qk[:, :, shape.heads :]
        k, v = view.remember(layer, k.transpose(1, 2), qkv[:, :, turned:].transpose(1, 2))
        # Queries that share a key head stand below each other, so keys are never copied.
        group = shape.heads // shape.kv_heads
        q = q.view(rows, tokens, shape.kv_heads, group, -1).permute(0, 2, 3, 1, 4)
        q = q.reshape(rows, shape.kv_heads, group * tokens, -1)
        seen = _attention(q, k, v, view.mask)
        seen = seen.view(rows, shape.kv_heads, group, tokens, -1).permute(0, 3, 1, 2, 4).reshape(rows, tokens, -1)
        return self._linear(seen, layer, "o", view.lora)

    def causal_mask(self, tokens: int, before: int) -> Tensor:
        """Return what `tokens` new ones see of themselves and of `before` earlier ones: all not later."""
        allowed = torch.ones(tokens, before + tokens, dtype=torch.bool).tril(before)
        mask = torch.zeros(tokens, before + tokens, dtype=self.dtype).masked_fill_(~allowed, float("-inf"))
        return mask.repeat(self.shape.heads // self.shape.kv_heads, 1)


def _attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """Return what the queries see; written out where gradients are wanted and the scores are few.

    So a training step takes a fifth less time than with torch's fused kernel, whose backward pass
    is slow for short texts; long ones need the memory that the kernel saves.
    """
    if not torch.is_grad_enabled() or q.shape[0] * q.shape[1] * q.shape[2] * k.shape[2] > FEW_SCORES:
        return functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(2, 3) + mask
    return torch.softmax(scores, dim=-1) @ v


def _rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    one, two = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-two, one), dim=-1) * sin


def encode(
    llama: Llama, ids: Tensor, past: KeyValues | None = None, lora: LowRank | None = None
) -> tuple[Tensor, KeyValues]:
    """Return hidden states and keys and values of `ids`, which follow the one row of `past` in every row."""
    before = past[0][0].shape[2] if past else 0
    new: KeyValues = []

    def remember(layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        new.append((k, v))
        if not past:
            return k, v
        old_k, old_v = (old.expand(len(ids), -1, -1, -1) for old in past[layer])
        return torch.cat((old_k, k), dim=2), torch.cat((old_v, v), dim=2)

    positions = torch.arange(before, before + ids.shape[1])
    hidden = llama.forward(ids, positions, llama.causal_mask(ids.shape[1], before), remember, lora)
    return hidden, new


def fast_dtype(folder: Path) -> torch.dtype:
    """Return bfloat16 where this machine multiplies it at least 1.5 times as fast as float32.

    Takes about 0.2 s. Small models stay in float32: nothing is gained, and near ties would be decided by rounding.
    """
    shape = Shape.read(folder)
    if shape.width < 256:
        return torch.float32
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        x, w = torch.ones(256, shape.width, dtype=dtype), torch.ones(4 * shape.width, shape.width, dtype=dtype)
        functional.linear(x, w)
        best = float("inf")
        for _ in range(5):
            start = time.perf_counter()
            functional.linear(x, w)
            best = min(best, time.perf_counter() - start)
        seconds[dtype] = best
    return torch.bfloat16 if 1.5 * seconds[torch.bfloat16] < seconds[torch.float32] else torch.float32
