"""The profiles of providers, read off the config trees as they stand there: for doctor, cards and ways out.

A profile is a file of conf/provider. Read without Hydra: of a defaults list only files of the same group count, and
of what is interpolated only variables of the environment with a default.
"""

import json
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ftbuild.settings import Provider
from ftbuild.trees import group_options, trees

VARIABLE = re.compile(r"\$\{oc\.env:(\w+),(\w*)\}")


def profiles(root: Path, environment: Mapping[str, str]) -> dict[str, Provider]:
    """Return the profiles by name, those of the project in front of ours; one that is not valid is left out."""
    found = {}
    for name in group_options(root, "provider"):
        try:
            text = VARIABLE.sub(lambda it: environment.get(it[1], it[2]), json.dumps(_merged(root, name, ())))
            found[name] = Provider.model_validate_json(text)
        except (ValidationError, yaml.YAMLError, OSError):
            continue  # whoever chooses it is told what is wrong with it
    return found


def _merged(root: Path, name: str, below: tuple[str, ...]) -> dict[str, Any]:
    """Return what a file says, on top of the files of its defaults list."""
    path = next((tree / "provider" / f"{name}.yaml" for tree in _holding(root, name)), None)
    if path is None or name in below:
        return {}
    said = _plain(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    value: dict[str, Any] = {}
    for each in said.pop("defaults", []):
        if isinstance(each, str) and each != "_self_":
            value = _over(value, _merged(root, each.rpartition("/")[2], (*below, name)))
    return _over(value, said)


def _holding(root: Path, name: str) -> list[Path]:
    return [tree for tree in trees(root) if (tree / "provider" / f"{name}.yaml").is_file()]


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    both = {**below, **above}
    nested = {name for name in below if isinstance(below[name], dict) and isinstance(above.get(name), dict)}
    return both | {name: _over(below[name], above[name]) for name in nested}


def _plain(value: Any) -> Any:
    """Return a YAML value as Hydra would have it: a date is text."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, date) else value
