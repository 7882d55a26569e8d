"""A model that drafts training examples, for people to read before anything is learnt from them."""

from typing import Annotated

from pydantic import Field

from ftbuild.settings.node import Node
from ftbuild.settings.provider import Provider
from ftbuild.settings.training import Model


class Teacher(Node):
    """The model that `improve` asks for drafts; without a model there is none.

    It is asked for `n` drafts against each kind of miss, `at_once` in one request, at a `temperature`. `provider` is
    that of the experiment where it is not said. `licence` is that of what it writes, by the terms of who offers it.
    """

    model: Model | None = None
    provider: Provider | None = None
    n: Annotated[int, Field(gt=0)] = 40
    at_once: Annotated[int, Field(gt=0)] = 20
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.8
    licence: str = "unknown"
