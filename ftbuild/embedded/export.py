"""A fine-tuned model as a folder for others: what plain transformers load, or the adapter alone, as PEFT has it.

Owns the merge on disk. Weights are merged in float32 and rounded once, to the dtype that the job computed in, so that
the exported model answers as ours does.
"""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from ftbuild.embedded.llama import Weights
from ftbuild.embedded.lora import Lora
from ftbuild.embedded.state import State, whole
from ftbuild.errors import ConfigError, StoreError
from ftbuild.problem import Problem

CONFIG = "config.json"
TEXT = ("generation_config.json", "tokenizer.json", "tokenizer_config.json")


def export(state: State, name: str, into: Path, *, adapter: bool) -> None:
    """Write a fine-tuned model into a folder that is not there yet, which appears when it is whole.

    Raises:
        ConfigError: there is no such model.
        StoreError: the folder cannot be written.
    """
    base, adapters = state.model(name) or (None, None)
    tuned = state.tuned_model(name)
    if base is None or adapters is None or tuned is None:
        fix = "ftbuild runs lists the runs."
        raise ConfigError(Problem(f"no fine-tuned model {name!r}", str(state.folder), fix=fix))
    try:
        with whole(into) as making:
            if adapter:
                for path in adapters.iterdir():
                    shutil.copyfile(path, making / path.name)
            else:
                _merge(base.folder, Lora.read(adapters), tuned[0].get("_dtype", "bfloat16"), making)
    except OSError as error:
        raise StoreError(Problem(f"the model cannot be written: {error.strerror}", str(into))) from error


def _merge(base: Path, lora: Lora, named: str, making: Path) -> None:
    """Write all weights in one file, the adapters added in, and what else belongs to a model."""
    for each in TEXT:
        if (base / each).is_file():
            shutil.copyfile(base / each, making / each)
    config = json.loads((base / CONFIG).read_text(encoding="utf-8"))
    config.pop("torch_dtype", None)  # as older ones say it
    (making / CONFIG).write_text(json.dumps({**config, "dtype": named}, indent=1) + "\n", encoding="utf-8")
    dtype: torch.dtype = getattr(torch, named)
    tensors: dict[str, Tensor] = {}
    with Weights(base) as weights:
        for name in weights.names:
            tensor = weights.tensor(name)
            if (piece := lora.pieces.get(_piece(name))) is not None:
                down, up = piece
                tensor = tensor.to(dtype).float() + up @ down * (lora.alpha / lora.rank)
            tensors[name] = tensor.to(dtype).contiguous()
    save_file(tensors, making / "model.safetensors", {"format": "pt"})


def _piece(name: str) -> tuple[int, str]:
    """Return the layer and the part that a tensor is of, (-1, ...) for one that is of no layer."""
    head, _, rest = name.removesuffix(".weight").removeprefix("model.layers.").partition(".")
    return (int(head), rest) if head.isdigit() else (-1, head)
