"""Base models that lie on this disk, as transformers saves them: looked at, and made readable for us.

Owns what is asked of such a folder. What is made of it holds a tokenizer and a template in one form, and links to the
weights, which stay where they are. Needs no torch.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from ftbuild import digest
from ftbuild.embedded.shape import Shape, UnknownShapeError
from ftbuild.embedded.template import Template, UnwritableError
from ftbuild.errors import ConfigError
from ftbuild.problem import Problem

INDEX = "model.safetensors.index.json"
TRIAL = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]


def fingerprint(folder: Path) -> dict[str, Any]:
    """Return what tells one model from another: its settings, and the names, sizes and times of its weights.

    Raises:
        ConfigError: there is no such model.
    """
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        if not (folder / name).is_file():
            raise _refused(folder, f"no {name}: this is no model with a fast tokenizer, as transformers saves it")
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise _refused(folder, "no *.safetensors", "load it in transformers and save_pretrained.")
    sizes = [[path.name, path.stat().st_size, str(path.stat().st_mtime_ns)] for path in weights]
    return {"config": digest.of_file(folder / "config.json"), "weights": sizes}


def fill(making: Path, folder: Path) -> None:
    """Make the model of a folder readable for us.

    Raises:
        ConfigError: its network or its chat template is none that we can compute or read.
    """
    try:
        shape = Shape.read(folder)
    except UnknownShapeError as error:
        raise _refused(folder, str(error)) from error
    for path in [*folder.glob("*.safetensors"), *folder.glob(INDEX)]:
        (making / path.name).symlink_to(path.absolute())
    for name in ("config.json", "tokenizer.json"):
        shutil.copyfile(folder / name, making / name)
    described = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    tokens = {name: _text(described.get(name)) for name in ("bos_token", "eos_token", "pad_token", "unk_token")}
    if tokens["eos_token"] is None:
        raise _refused(folder, "its tokenizer has no eos_token, which ends an answer")
    given = "".join(f"{{%- set {name} = {json.dumps(text)} -%}}" for name, text in tokens.items() if text is not None)
    described |= {name: text for name, text in tokens.items() if text is not None}
    described["model_max_length"] = min(shape.context, described.get("model_max_length") or shape.context)
    described["chat_template"] = given + _template(folder, described)
    (making / "tokenizer_config.json").write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
    try:
        Template(making).lesson(TRIAL)
    except UnwritableError as error:
        raise _refused(folder, str(error)) from error
    except Exception as error:  # whatever a foreign template does
        raise _refused(folder, f"its chat template cannot be used: {type(error).__name__}: {error}") from error


def _template(folder: Path, described: dict[str, Any]) -> str:
    if (folder / "chat_template.jinja").is_file():
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")
    found = described.get("chat_template")
    if isinstance(found, list):  # several, by name
        found = next((each["template"] for each in found if each["name"] == "default"), None)
    if not isinstance(found, str):
        raise _refused(folder, "it has no chat template: it was not made to chat", "the same model made to chat.")
    return found


def _text(token: Any) -> str | None:
    found: str | None = token["content"] if isinstance(token, dict) else token
    return found


def _refused(folder: Path, what: str, fix: str = "") -> ConfigError:
    return ConfigError(Problem(what, str(folder), fix=fix or "another model: model=smollm2, or the folder of a Llama."))
