"""Base models out of packages: what is fetched is checked, converted, and kept once."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from embedded_fixture import TINY, environment

from ftbuild import digest
from ftbuild.embedded.weights import prepare
from ftbuild.errors import ProviderError, StoreError

gguf = pytest.importorskip("gguf")


def package_of(model: Path, wheels: Path) -> dict[str, str]:
    """Write the tiny model as a GGUF file in a wheel, as llama.cpp would, and return its pins."""
    import torch
    from safetensors.torch import load_file

    config = json.loads((model / "config.json").read_text())
    described = json.loads((model / "tokenizer_config.json").read_text())
    vocabulary = json.loads((model / "tokenizer.json").read_text())["model"]["vocab"]
    wheels.mkdir(parents=True)
    writer = gguf.GGUFWriter(wheels / "tiny.gguf", "llama")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token.startswith("<|") else 1 for token in tokens])
    writer.add_chat_template(described["chat_template"])
    names = {
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
        "mlp.down_proj": "ffn_down",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "model.embed_tokens": "token_embd",
        "model.norm": "output_norm",
        "model.layers.": "blk.",
    }
    for name, tensor in load_file(model / "model.safetensors").items():
        values = tensor.to(torch.float32)
        if "q_proj" in name or "k_proj" in name:
            shape = (config["num_attention_heads"], 2, -1, values.shape[1])
            values = values.reshape(shape).swapaxes(1, 2).reshape(values.shape)
        stem = name
        for ours, theirs in names.items():
            stem = stem.replace(ours, theirs)
        writer.add_tensor(stem, values.contiguous().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    wheel = wheels / "tiny_weights-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(wheels / "tiny.gguf", "tiny_weights/tiny.gguf")
    pins = {"sha256": digest.of_file(wheel), "file_sha256": digest.of_file(wheels / "tiny.gguf")}
    return {"name": "tiny-weights", "version": "1.0", "file": "tiny_weights/tiny.gguf", **pins}


def test_a_wheel_put_into_the_cache_becomes_the_model_it_was_made_of(tmp_path: Path) -> None:
    original = prepare(TINY, tmp_path, print).folder
    package = package_of(original, tmp_path / "wheels")
    told: list[str] = []
    base = prepare({"id": "tiny", "package": package, "random": None}, tmp_path, told.append)
    assert told == ["tiny: converting the weights, once (about 10 seconds)"]
    for name in ("config.json", "model.safetensors", "tokenizer_config.json"):
        assert (base.folder / name).read_bytes() == (original / name).read_bytes()
    from tokenizers import Tokenizer

    assert Tokenizer.from_file(str(base.folder / "tokenizer.json")).encode("a 12<|im_end|>é").tokens == [
        *("a", "Ġ", "1", "2", "<|im_end|>", "Ã", "©")
    ]
    told.clear()
    assert prepare({"id": "tiny", "package": package, "random": None}, tmp_path, told.append) == base
    assert told == []
    assert (tmp_path / "wheels" / "tiny_weights-1.0-py3-none-any.whl").exists()


def test_a_wheel_that_is_not_the_pinned_one_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "wheels" / "tiny_weights-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    wheel.write_bytes(b"x")
    package = {"name": "tiny-weights", "version": "1.0", "sha256": "0" * 64, "file": "x", "file_sha256": "0" * 64}
    with pytest.raises(ProviderError) as refused:
        prepare({"id": "tiny", "package": package, "random": None}, tmp_path, print)
    assert str(refused.value) == (
        f"{wheel}: sha256 is {digest.of_bytes(b'x')}, not the pinned {'0' * 64}\n"
        "    A different file would be a different base model.\n"
        "    Fix: remove it; on a machine with a network run\n"
        "        python -m pip download --no-deps tiny-weights==1.0\n"
        f"    and put the wheel into {tmp_path / 'wheels'}"
    )
    assert [path.name for path in (tmp_path / "models").iterdir() if not path.name.startswith(".")] == []


def test_without_a_network_the_command_to_run_is_said(tmp_path: Path) -> None:
    package = {"name": "tiny-weights", "version": "1.0", "sha256": "0" * 64, "file": "x", "file_sha256": "0" * 64}
    command = [sys.executable, "-m", "ftbuild.embedded", "prepare", "--state", str(tmp_path / "state")]
    ended = subprocess.run(
        [*command, "--model", json.dumps({"id": "tiny", "package": package})],
        env=environment(tmp_path) | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""},
        capture_output=True,
        check=False,
        text=True,
    )
    assert (ended.returncode, ended.stdout) == (4, "")
    said = ended.stderr.splitlines()
    assert said[0] == "tiny-weights 1.0: fetching the wheel, once (93 MB for the shipped model)"
    assert said[-4:] == [
        "tiny-weights 1.0 could not be fetched: pip ended with 1",
        "    Fix: on a machine with a network run",
        "        python -m pip download --no-deps tiny-weights==1.0",
        f"    and put the wheel into {tmp_path / 'wheels'}",
    ]


def test_a_model_that_is_there_is_found_without_torch(tmp_path: Path) -> None:
    prepare(TINY, tmp_path, print)
    code = (
        "import sys; from ftbuild.embedded.__main__ import main; main(sys.argv[1:]); "
        "print([name for name in ('torch', 'transformers', 'numpy', 'tokenizers') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, "prepare", "--state", str(tmp_path / "state"), "--model", json.dumps(TINY)]
    ended = subprocess.run(command, env=environment(tmp_path), capture_output=True, check=True, text=True)
    first, second = ended.stdout.splitlines()
    base = prepare(TINY, tmp_path, print)
    assert json.loads(first) == {"model": "tiny", "folder": str(base.folder), "digest": base.digest}
    assert json.loads((tmp_path / "state" / "bases" / "tiny.json").read_text()) == {
        "folder": str(base.folder),
        "digest": base.digest,
    }
    assert second == "[]"


def test_two_that_prepare_at_once_make_the_model_once(tmp_path: Path) -> None:
    original = prepare(TINY, tmp_path / "first", print).folder
    package = package_of(original, tmp_path / "wheels")
    command = [sys.executable, "-m", "ftbuild.embedded", "prepare", "--state", str(tmp_path / "state")]
    command += ["--model", json.dumps({"id": "tiny", "package": package})]
    both = [
        subprocess.Popen(command, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    (one, said), (two, also_said) = (process.communicate() for process in both)
    assert one == two
    assert json.loads(one)["model"] == "tiny"
    assert said + also_said == "tiny: converting the weights, once (about 10 seconds)\n"


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError) as caught:
        prepare(TINY, tmp_path / "file" / "cache", print)
    assert str(caught.value) == (
        f"{tmp_path}/file/cache: tiny cannot be kept: Not a directory\n"
        "    Fix: FTBUILD_CACHE=FOLDER names another folder for what is kept between projects."
    )
