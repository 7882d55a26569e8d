"""Low-rank adapters on every linear layer: what a job trains and a fine-tuned model is.

Owns their start, their fused form for the forward pass and their files in PEFT's layout, so that
`PeftModel.from_pretrained` loads them too. Source: LoRA (Hu et al., 2021), PEFT 0.17 (2025).
"""

import json
import math
from pathlib import Path

import torch
from torch import Tensor

from ftbuild.embedded.llama import PIECES, Llama, LowRank
from ftbuild.embedded.state import whole


class Lora:
    """Adapters of one rank: per piece a matrix down (rank x in) and one up (out x rank), float32."""

    def __init__(self, pieces: dict[tuple[int, str], tuple[Tensor, Tensor]], rank: int, alpha: float) -> None:
        self.pieces = pieces  # layer, piece
        self.rank = rank
        self.alpha = alpha

    @classmethod
    def start(cls, llama: Llama, rank: int, alpha: float, seed: int) -> "Lora":
        """Return adapters that change nothing yet: down uniform as PEFT does, up zero; same seed, same numbers."""
        random = torch.Generator().manual_seed(seed)
        pieces = {}
        for layer in range(llama.shape.layers):
            for name, parts in PIECES.items():
                width = llama.fused[layer, name].shape[1]
                for part, rows in zip(parts, _rows(llama, name), strict=True):
                    bound = 1 / math.sqrt(width)
                    down = torch.empty(rank, width).uniform_(-bound, bound, generator=random)
                    pieces[layer, part] = (down.to(llama.device), torch.zeros(rows, rank, device=llama.device))
        return cls(pieces, rank, alpha)

    @classmethod
    def read(cls, folder: Path, device: str = "cpu") -> "Lora":
        """Return the adapters that `write` wrote."""
        from safetensors.torch import load_file

        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        tensors = load_file(folder / "adapter_model.safetensors", device)
        pieces = {}
        for name, down in tensors.items():
            if name.endswith(".lora_A.weight"):
                stem = name.removesuffix(".lora_A.weight")
                layer, part = stem.removeprefix("base_model.model.model.layers.").split(".", 1)
                pieces[int(layer), part] = (down, tensors[f"{stem}.lora_B.weight"])
        return cls(pieces, config["r"], config["lora_alpha"])

    def write(self, folder: Path, base: str) -> None:
        """Write the adapters into `folder`, which appears when it is whole."""
        from safetensors.torch import save_file

        tensors = {}
        for (layer, part), (down, up) in self.pieces.items():
            stem = f"base_model.model.model.layers.{layer}.{part}"
            tensors[f"{stem}.lora_A.weight"] = down.detach().contiguous()
            tensors[f"{stem}.lora_B.weight"] = up.detach().contiguous()
        config = {
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": base,
            "r": self.rank,
            "lora_alpha": self.alpha,
            "lora_dropout": 0.0,
            "bias": "none",
            "target_modules": sorted({part.split(".")[-1] for _, part in self.pieces}),
        }
        with whole(folder) as making:
            save_file(tensors, making / "adapter_model.safetensors", {"format": "pt"})
            (making / "adapter_config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")

    def parameters(self) -> list[Tensor]:
        """Return the matrices, to be trained."""
        return [matrix for piece in self.pieces.values() for matrix in piece]

    def fused(self, llama: Llama) -> LowRank:
        """Return the adapters as the forward pass takes them, scaled, differentiable."""
        low_rank = {}
        for (layer, name), weight in llama.fused.items():
            pieces = [self.pieces[layer, part] for part in PIECES[name]]
            down = torch.cat([down for down, _ in pieces]).to(weight.dtype)
            up: Tensor = torch.block_diag(*[up for _, up in pieces]) * (self.alpha / self.rank)  # type: ignore[no-untyped-call]
            low_rank[layer, name] = (down, up.to(weight.dtype))
        return low_rank


def _rows(llama: Llama, name: str) -> list[int]:
    shape, rows = llama.shape, llama.fused[0, name].shape[0]
    if name == "qkv":
        kv = shape.kv_heads * shape.head_width
        return [rows - 2 * kv, kv, kv]
    return [rows // len(PIECES[name])] * len(PIECES[name])
