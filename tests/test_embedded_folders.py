"""Base models in folders as transformers saves them: computed as transformers does, or refused with the reason."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from embedded_fixture import TINY

torch = pytest.importorskip("torch")

from ftbuild.embedded.llama import Llama, encode  # noqa: E402
from ftbuild.embedded.template import Template  # noqa: E402
from ftbuild.embedded.weights import prepare  # noqa: E402
from ftbuild.errors import ConfigError  # noqa: E402

SIZES = {
    "vocab_size": 259,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}
LLAMA_3 = {
    "rope_type": "llama3",
    "rope_theta": 500.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
MADE: dict[str, tuple[str, dict[str, Any], str]] = {
    "grouped heads, a head of its own": ("Llama", {"tie_word_embeddings": False}, "5GB"),
    "in several files, tied": ("Llama", {"tie_word_embeddings": True}, "20KB"),
    "scaled positions": ("Llama", {"rope_parameters": LLAMA_3}, "5GB"),
    "heads wider than their share": ("Llama", {"head_dim": 16}, "5GB"),
    "Mistral without a window": ("Mistral", {"sliding_window": None}, "5GB"),
}


def model(folder: Path) -> dict[str, Any]:
    return {"id": "mine", "folder": str(folder), "package": None, "random": None}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(TINY, tmp_path_factory.mktemp("cache"), print).folder


@pytest.mark.slow
@pytest.mark.parametrize("name", MADE)
def test_the_numbers_are_those_of_transformers(name: str, tiny: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    family, settings, shard = MADE[name]
    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(**{**SIZES, **settings})
    theirs = getattr(transformers, f"{family}ForCausalLM")(config)
    theirs.save_pretrained(tmp_path / "saved", max_shard_size=shard)
    transformers.AutoTokenizer.from_pretrained(tiny).save_pretrained(tmp_path / "saved")
    assert (len(list((tmp_path / "saved").glob("*.safetensors"))) > 1) == (shard == "20KB")
    base = prepare(model(tmp_path / "saved"), tmp_path / "cache", print)
    llama, template = Llama(base.folder, torch.float32), Template(base.folder)
    messages = [{"role": "user", "content": "Grüße, 42! " * 10}]
    ids = template.prompt(messages)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "saved")
    assert tokenizer.apply_chat_template(messages, add_generation_prompt=True)["input_ids"] == ids
    assert template.context == 256
    with torch.no_grad():
        expected = theirs.float().eval()(torch.tensor([ids])).logits
        torch.testing.assert_close(llama.logits(encode(llama, torch.tensor([ids]))[0]), expected, rtol=1e-4, atol=1e-4)


def changed(tiny: Path, into: Path, name: str, change: Callable[[dict[str, Any]], object]) -> Path:
    shutil.copytree(tiny, into)
    value = json.loads((into / name).read_text())
    change(value)
    (into / name).write_text(json.dumps(value))
    return into


def test_tokens_told_in_full_and_a_template_in_a_file_of_its_own_are_read(tiny: Path, tmp_path: Path) -> None:
    def change(described: dict[str, Any]) -> None:
        described["eos_token"] = {"content": described["eos_token"], "lstrip": False}
        described["model_max_length"] = 10**30
        del described["chat_template"]

    saved = changed(tiny, tmp_path / "saved", "tokenizer_config.json", change)
    turn = "{{ message.role }}: {{ message.content }}{{ eos_token }}"
    own = "{{ bos_token }}{% for message in messages %}" + turn + "{% endfor %}"
    (saved / "chat_template.jinja").write_text(own + "{% if add_generation_prompt %}assistant: {% endif %}")
    template = Template(prepare(model(saved), tmp_path / "cache", print).folder)
    asked = [{"role": "user", "content": "x"}]
    assert template.render(asked, answer_next=True) == "<|im_start|>user: x<|im_end|>assistant: "
    assert template.context == 8192


def test_another_file_of_weights_is_another_model_and_the_same_one_is_made_once(tiny: Path, tmp_path: Path) -> None:
    saved = shutil.copytree(tiny, tmp_path / "saved")
    first = prepare(model(saved), tmp_path / "cache", print)
    assert prepare(model(saved), tmp_path / "cache", print) == first
    assert (first.folder / "model.safetensors").resolve() == saved / "model.safetensors"  # not copied
    (saved / "model.safetensors").write_bytes((saved / "model.safetensors").read_bytes())
    assert prepare(model(saved), tmp_path / "cache", print).folder != first.folder


REFUSED: dict[str, tuple[str, Callable[[dict[str, Any]], object], str]] = {
    "another architecture": (
        "config.json",
        lambda config: config.update(architectures=["Qwen3ForCausalLM"]),
        "Qwen3ForCausalLM is not computed here; LlamaForCausalLM and MistralForCausalLM are",
    ),
    "biases": (
        "config.json",
        lambda config: config.update(attention_bias=True),
        "attention_bias True is not computed here, only False",
    ),
    "another activation": (
        "config.json",
        lambda config: config.update(hidden_act="gelu"),
        "hidden_act 'gelu' is not computed here, only 'silu'",
    ),
    "a window": (
        "config.json",
        lambda config: config.update(sliding_window=128),
        "a sliding_window shorter than the context is not computed here",
    ),
    "other positions": (
        "config.json",
        lambda config: config.update(rope_scaling={"type": "dynamic", "factor": 2.0}),
        "rope_type 'dynamic' is not computed here; default and llama3 are",
    ),
    "no chat": (
        "tokenizer_config.json",
        lambda described: described.pop("chat_template"),
        "it has no chat template: it was not made to chat",
    ),
    "no end": (
        "tokenizer_config.json",
        lambda described: described.pop("eos_token"),
        "its tokenizer has no eos_token, which ends an answer",
    ),
    "a template that says no": (
        "tokenizer_config.json",
        lambda described: described.update(chat_template="{{ raise_exception('no') }}"),
        "the chat template of the model refuses these messages: no",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_be_computed_wrongly_is_refused(name: str, tiny: Path, tmp_path: Path) -> None:
    file, change, what = REFUSED[name]
    saved = changed(tiny, tmp_path / "saved", file, change)
    with pytest.raises(ConfigError) as refused:
        prepare(model(saved), tmp_path / "cache", print)
    assert str(refused.value).splitlines()[0] == f"{saved}: {what}"
    assert not list((tmp_path / "cache" / "models").glob("[!.]*"))


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_a_folder_that_is_no_model_says_what_is_missing(tiny: Path, tmp_path: Path, missing: str) -> None:
    saved = shutil.copytree(tiny, tmp_path / "saved")
    (saved / missing).unlink()
    with pytest.raises(ConfigError, match=f"no {missing}: this is no model with a fast tokenizer"):
        prepare(model(saved), tmp_path / "cache", print)
    with pytest.raises(ConfigError, match=r"no \*\.safetensors"):
        prepare(model(_without_weights(tiny, tmp_path / "bare")), tmp_path / "cache", print)


def test_a_model_to_be_tuned_on_is_made_ready_under_the_name_of_its_base(tiny: Path, tmp_path: Path) -> None:
    tuned = {**model(tiny), "id": "ft:mine:ftbuild:one:abcdefgh"}
    assert prepare(tuned, tmp_path, print) == prepare(model(tiny), tmp_path, print)


def _without_weights(tiny: Path, into: Path) -> Path:
    shutil.copytree(tiny, into)
    (into / "model.safetensors").unlink()
    return into
