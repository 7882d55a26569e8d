"""A model taken away: plain transformers answer as our server does, with merged weights and with the adapter alone."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from embedded_fixture import SYSTEM, WORDS, Running, lines, running
from project_fixture import Project

torch = pytest.importorskip("torch")

from ftbuild.embedded.export import export  # noqa: E402
from ftbuild.embedded.state import State  # noqa: E402
from ftbuild.errors import ConfigError, StoreError  # noqa: E402

N_TOKENS = 12


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, str, list[str]]]:
    """A server, a model that it has trained, and what that answers."""
    folder = tmp_path_factory.mktemp("embedded")
    with running(folder / "state", folder / "cache") as server:
        hyperparameters = {"n_epochs": 20, "batch_size": 4, "learning_rate_multiplier": 10}
        method = {"type": "supervised", "supervised": {"hyperparameters": hyperparameters}}
        name = server.ended(server.job(lines(24), seed=1, method=method).id).fine_tuned_model
        assert name is not None
        yield server, name, [said(server, name, word) for word in WORDS]


def asked(word: str) -> list[Any]:
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": word}]


def said(server: Running, model: str, word: str) -> str:
    answer = server.client.chat.completions.create(
        model=model, messages=asked(word), temperature=0, max_tokens=N_TOKENS
    )
    return str(answer.choices[0].message.content)


def answers(model: Any, tokenizer: Any) -> list[str]:
    found = []
    for word in WORDS:
        given = tokenizer.apply_chat_template(asked(word), add_generation_prompt=True, return_tensors="pt")
        with torch.no_grad():
            ids = model.generate(**given, max_new_tokens=N_TOKENS, do_sample=False)
        found.append(tokenizer.decode(ids[0, given["input_ids"].shape[1] :], skip_special_tokens=True))
    return found


@pytest.mark.slow
def test_merged_weights_answer_the_same_in_plain_transformers(
    trained: tuple[Running, str, list[str]], tmp_path: Path
) -> None:
    transformers = pytest.importorskip("transformers")
    server, name, ours = trained
    export(State(server.state), name, tmp_path / "merged", adapter=False)
    assert sorted(path.name for path in (tmp_path / "merged").iterdir()) == [
        *("config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"),
    ]
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype="auto")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "merged")
    assert answers(model, tokenizer) == ours
    assert len(set(ours)) > 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")
def test_the_adapter_alone_answers_the_same_in_peft(trained: tuple[Running, str, list[str]], tmp_path: Path) -> None:
    peft, transformers = pytest.importorskip("peft"), pytest.importorskip("transformers")
    server, name, ours = trained
    state = State(server.state)
    export(state, name, tmp_path / "adapter", adapter=True)
    base = state.base("tiny")
    assert base is not None
    model = transformers.AutoModelForCausalLM.from_pretrained(base.folder, dtype=torch.float32)
    tokenizer = transformers.AutoTokenizer.from_pretrained(base.folder)
    assert answers(peft.PeftModel.from_pretrained(model, tmp_path / "adapter"), tokenizer) == ours


@pytest.mark.slow
def test_a_model_that_is_not_there_or_a_place_that_cannot_be_written_is_told(
    trained: tuple[Running, str, list[str]], tmp_path: Path
) -> None:
    server, name, _ = trained
    state = State(server.state)
    for other in ("tiny", "ft:tiny:ftbuild::nobody00"):
        with pytest.raises(ConfigError) as refused:
            export(state, other, tmp_path / "x", adapter=False)
        assert str(refused.value) == (
            f"{state.folder}: no fine-tuned model {other!r}\n    Fix: ftbuild runs lists the runs."
        )
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="the model cannot be written: Not a directory"):
        export(state, name, tmp_path / "file" / "x", adapter=True)


# --- by the command -----------------------------------------------------------------------------


@pytest.mark.slow
def test_the_model_of_a_run_is_exported(project: Project) -> None:
    refused = project.run("export", "latest", "away")
    assert (refused.code, refused.err) == (
        2,
        "command line: no run 'latest'\n    Fix: make one: ftbuild +experiment=NAME\n",
    )
    built = project.run("+experiment=tone_formal", "--smoke")
    assert built.code == 0, built.err
    told = project.run_json("outputs/smoke/runs/latest")
    run_id = Path(told["path"]).name
    done = project.run("export", run_id, "models/away")
    assert (done.code, done.out, done.err) == (0, "models/away\n", "")
    config = json.loads((project.folder / "models/away/config.json").read_text())
    assert (config["architectures"], config["dtype"]) == (["LlamaForCausalLM"], "float32")
    again = project.run("export", run_id, "models/away")
    assert (again.code, again.err) == (
        2,
        "models/away: it is there already\n    Fix: name a folder that is not there.\n",
    )
    adapter = project.run("export", run_id, "models/adapter", "--adapter")
    assert adapter.code == 0
    assert sorted(path.name for path in (project.folder / "models/adapter").iterdir()) == [
        *("adapter_config.json", "adapter_model.safetensors"),
    ]
    words = project.run("export", run_id)
    assert words.err == "command line: export takes a run and a folder\n    Fix: ftbuild export latest DIR\n"
