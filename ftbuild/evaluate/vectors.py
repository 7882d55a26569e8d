"""Vectors of texts, asked for once: batch by batch, each text kept by its digest, so that a killed run repeats few."""

import array
import base64
import sys
from collections.abc import Callable, Sequence
from typing import Any

from ftbuild.completion import Embedder
from ftbuild.digest import of_value
from ftbuild.errors import ProviderError
from ftbuild.evaluate.calls import Calls

BATCH = 32  # texts a request: few enough for a small machine


def vectors(
    texts: Sequence[str], embedder: Embedder, calls: Calls, model: str, show: Callable[[int, int], None]
) -> dict[str, list[float]]:
    """Return the vector of each text, by the text; `show` gets (known, all) as they come.

    Raises:
        ProviderError: a request failed, or vectors differ in length; what came before is kept.
    """
    names = {text: of_value(["vector.v1", model, text]) for text in dict.fromkeys(texts)}
    found = {text: _read(kept) for text, name in names.items() if (kept := calls.value(name)) is not None}
    show(len(found), len(names))
    missing = [text for text in names if text not in found]
    for batch in (missing[at : at + BATCH] for at in range(0, len(missing), BATCH)):
        for text, vector in zip(batch, embedder.embed(model, batch), strict=True):
            found[text] = _read(_written(vector))  # as it will be read another time
        calls.keep({names[text]: _written(found[text]) for text in batch})
        show(len(found), len(names))
    if len({len(each) for each in found.values()}) > 1:
        raise ProviderError(f"{model}: vectors of different lengths")
    return {text: found[text] for text in names}


def _written(vector: Sequence[float]) -> str:
    return base64.b64encode(_little(array.array("f", vector)).tobytes()).decode("ascii")


def _read(kept: Any) -> list[float]:
    numbers = array.array("f")
    numbers.frombytes(base64.b64decode(kept))
    return list(_little(numbers))


def _little(numbers: "array.array[float]") -> "array.array[float]":
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
