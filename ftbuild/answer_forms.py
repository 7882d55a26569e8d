"""The forms that the sources of a composition ask of their answers, their schemas held to what a provider takes."""

from collections.abc import Iterator, Mapping
from typing import Any

from ftbuild.chat import ResponseFormat
from ftbuild.composed import Composed
from ftbuild.errors import ConfigError
from ftbuild.problem import Problem
from ftbuild.tools import strict
from ftbuild.tools.names import LONGEST, OTHER
from ftbuild.tools.schemas import dangling, within, wrong_schema


def forms_of(composed: Composed) -> dict[str, ResponseFormat]:
    """Return the form of each source that asks for one, by the source's name.

    Raises:
        ConfigError: a schema is none, or not one that a fine-tuned model can be held to; all that is wrong at once.
    """
    settings = composed.settings
    if not settings.schemas:
        return {}
    problems = [problem for name, schema in settings.schemas.items() for problem in _problems(composed, name, schema)]
    if problems:
        raise ConfigError(*sorted(problems, key=lambda each: (each.path, each.line or 0)))
    named = {name: source.schema_name for name, source in settings.dataset.sources.items()}
    return {
        name: ResponseFormat(schema, dict(settings.schemas[schema]))
        for name, schema in named.items()
        if schema is not None
    }


def _problems(composed: Composed, name: str, schema: Mapping[str, Any]) -> Iterator[Problem]:
    for inner, what, fix in _found(name, schema):
        key = f"schemas.{within(name, inner)}"
        origin = composed.origins.of(key)
        yield Problem(f"{key}: {what}", origin.path if origin else "", origin.line if origin else None, fix=fix)


def _found(name: str, schema: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield what is wrong with a schema: the place inside it, what, and what to do; the strict subset last."""
    if OTHER.search(name) or len(name) > LONGEST:
        yield "", f"{name!r} is no name that a provider takes", f"up to {LONGEST} of a-z, A-Z, 0-9, _ and -."
    broken = [*wrong_schema(schema), *((at, f"leads nowhere: {target!r}") for at, target in dangling(schema))]
    for at, what in broken:
        yield at, what, ""
    if not broken:
        for at, what in strict.violations(schema):
            yield at, what, "a fine-tuned model is held to a subset of JSON Schema: take it out, or say it otherwise."
