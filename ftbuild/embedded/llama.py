"""The network: a Llama's forward pass, with or without low-rank adapters.

Owns the arithmetic. Knows nothing of text, jobs or requests. Rows of a batch are padded on the
right and need no padding mask: a token sees only what stands before it. Numbers equal those of
transformers' LlamaForCausalLM.
Sources: LLaMA (Touvron et al., 2023), RoFormer (Su et al., 2021), grouped queries (Ainslie et al., 2023).
"""

import json
import math
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ftbuild.embedded.shape import Shape

PIECES = {  # our fused matrices, and the pieces that transformers and PEFT know by name
    "qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "o": ("self_attn.o_proj",),
    "gate_up": ("mlp.gate_proj", "mlp.up_proj"),
    "down": ("mlp.down_proj",),
}
FEW_SCORES = 2**22  # in one layer
KeyValues = list[tuple[Tensor, Tensor]]  # per layer; rows x key heads x tokens x head width
Remember = Callable[[int, Tensor, Tensor], tuple[Tensor, Tensor]]  # layer, new keys, new values -> all of them
LowRank = Mapping[tuple[int, str], tuple[Tensor, Tensor]]  # layer, fused matrix -> down and (scaled) up


@dataclass(frozen=True)
class View:
    """What one pass looks at besides the tokens themselves."""

    cos: Tensor
    sin: Tensor
    mask: Tensor
    remember: Remember
    lora: LowRank | None


class Weights:
    """The tensors of a folder, in one file or in several."""

    def __init__(self, folder: Path) -> None:
        index = folder / "model.safetensors.index.json"
        self._folder = folder
        self._file_of: dict[str, str] = json.loads(index.read_bytes())["weight_map"] if index.is_file() else {}
        self._open = ExitStack()
        self._files: dict[str, Any] = {}

    def __enter__(self) -> "Weights":
        if not self._file_of:
            self._file_of = dict.fromkeys(self._file("model.safetensors").keys(), "model.safetensors")
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    @property
    def names(self) -> Collection[str]:
        """Return the names of all tensors."""
        return self._file_of.keys()

    def tensor(self, name: str) -> Tensor:
        """Read one."""
        found: Tensor = self._file(self._file_of[name]).get_tensor(name)
        return found

    def _file(self, name: str) -> Any:
        from safetensors import safe_open

        if name not in self._files:
            self._files[name] = self._open.enter_context(safe_open(self._folder / name, framework="pt"))
        return self._files[name]


def turns(shape: Shape) -> Tensor:
    """Return the angle by which each pair of a head's numbers is turned a position."""
    found = shape.rope_theta ** (-torch.arange(0, shape.head_width, 2, dtype=torch.float32) / shape.head_width)
    if (by := shape.scaling) is None:
        return found
    waves = by.context * found / (2 * math.pi)  # in the first context
    smooth = ((waves - by.low) / (by.high - by.low)).clamp(0, 1)
    return found / by.factor * (1 - smooth) + found * smooth


class Llama:
    """A base model in memory, all of it frozen."""

    def __init__(self, folder: Path, dtype: torch.dtype, device: str = "cpu") -> None:
        """Read the folder's weights, turned into `dtype`; what is handed to us must be on the same device."""
        self.shape = shape = Shape.read(folder)
        self.dtype, self.device = dtype, device
        # Rows of a matrix product; None is all of them. A large product may be rounded otherwise than a small one, so
        # that an answer in bfloat16 would depend on how much was read with it; a third of the speed of reading.
        self.rows_at_once: int | None = None
        self.fused: dict[tuple[int, str], Tensor] = {}
        self.norms: dict[tuple[int, str], Tensor] = {}
        with Weights(folder) as weights:

            def read(name: str) -> Tensor:
                return weights.tensor(f"{name}.weight").to(device, dtype)

            self.embed, self.norm = read("model.embed_tokens"), read("model.norm")
            self.head = read("lm_head") if "lm_head.weight" in weights.names else self.embed
            for layer in range(shape.layers):
                at = f"model.layers.{layer}"
                for name, pieces in PIECES.items():
                    self.fused[layer, name] = torch.cat([read(f"{at}.{piece}") for piece in pieces])
                for name in ("input_layernorm", "post_attention_layernorm"):
                    self.norms[layer, name] = read(f"{at}.{name}")
        angles = torch.outer(torch.arange(shape.context, dtype=torch.float32), turns(shape)).repeat(1, 2)
        self.cos, self.sin = angles.cos().to(device, dtype), angles.sin().to(device, dtype)

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
        allowed = torch.ones(tokens, before + tokens, dtype=torch.bool, device=self.device).tril(before)
        mask = torch.zeros(tokens, before + tokens, dtype=self.dtype, device=self.device)
        mask = mask.masked_fill_(~allowed, float("-inf"))
        return mask.repeat(self.shape.heads // self.shape.kv_heads, 1)


def _attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """Return what the queries see; written out where gradients are wanted and the scores are few.

    So a training step on a CPU takes a fifth less time than with torch's fused kernel, whose backward pass
    is slow for short texts; long ones need the memory that the kernel saves.
    """
    if q.is_cuda or not torch.is_grad_enabled() or q.shape[0] * q.shape[1] * q.shape[2] * k.shape[2] > FEW_SCORES:
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

    positions = torch.arange(before, before + ids.shape[1], device=llama.device)
    hidden = llama.forward(ids, positions, llama.causal_mask(ids.shape[1], before), remember, lora)
    return hidden, new


def fast_device() -> str:
    """Return where training is fast: on the first GPU that torch sees, else on the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def fast_dtype(folder: Path, device: str = "cpu") -> torch.dtype:
    """Return bfloat16 where this machine multiplies it at least 1.5 times as fast as float32.

    Takes about 0.2 s; a GPU is believed what it says. Small models stay in float32: nothing is gained, and near ties
    would be decided by rounding.
    """
    shape = Shape.read(folder)
    if shape.width < 256:
        return torch.float32
    if device == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
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
