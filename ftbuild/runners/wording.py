"""How a provider wants a job worded: its names for hyperparameters, its suffix, what it takes besides the protocol.

Pure: a profile and the settings of an action in, parts of a request out.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from ftbuild.settings import Provider

AUTO = "auto"
OWN_NAME = "ftbuild"


def learning(settings: Mapping[str, Any], provider: Provider) -> dict[str, Any]:
    """Return how the method learns, as the provider spells it: hyperparameters, and grader and form where it has any.

    The form of answers is where OpenAI's guide to reinforcement has it (2026-11); the SDK's types do not name it.
    """
    method = settings["method"]
    said = hyperparameters(method["hyperparameters"], provider)
    learning: dict[str, Any] = {"hyperparameters": said}
    learning |= {"grader": method["grader"]} if "grader" in method else {}
    form = settings.get("response_format")
    return learning | ({"response_format": json.loads(form)} if form is not None else {})


def hyperparameters(asked: Mapping[str, Any], provider: Provider) -> dict[str, Any]:
    """Return hyperparameters in the provider's words; what has no word of its own keeps ours."""
    said = {}
    for name, value in asked.items():
        spelling = provider.hyperparameters.get(name)
        if value == AUTO and provider.omits_auto:
            continue
        times = spelling.times if spelling and value != AUTO else None
        said[spelling.name if spelling else name] = value if times is None else value * times
    return said | provider.extra_hyperparameters


def unsayable(asked: Mapping[str, Any], provider: Provider) -> list[str]:
    """Return the hyperparameters whose numbers cannot be turned into what the provider wants."""
    return [
        name
        for name, value in asked.items()
        if (spelling := provider.hyperparameters.get(name)) and value != AUTO
        if spelling.absolute and spelling.times is None
    ]


def suffix(experiment: str, provider: Provider) -> str:
    """Return what names the model: the experiment, in the letters that the provider allows; never nothing."""
    rule = provider.suffix
    lower = experiment if re.fullmatch(f"[{rule.letters}]", "A") else experiment.lower()
    joint = "-" if re.fullmatch(f"[{rule.letters}]", "-") else ""
    for name in (lower, OWN_NAME):
        if said := re.sub(f"[^{rule.letters}]+", joint, name).strip("-")[: rule.characters].strip("-"):
            return said
    return rule.letters[0]
