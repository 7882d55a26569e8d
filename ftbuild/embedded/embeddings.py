"""Embeddings on the wire: requests checked and turned into values, vectors turned into bodies.

Owns OpenAI's shapes and error texts of this route. Knows nothing of sockets or tensors.
Source: OpenAI API reference, embeddings (2026-11).
"""

import array
import base64
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ftbuild.embedded.state import Record
from ftbuild.embedded.wire import ApiError, given_in, required, typed

INPUTS_AT_MOST = 2048
KNOWN = {"model", "input", "encoding_format", "dimensions", "user"}


@dataclass(frozen=True)
class EmbeddingRequest:
    """Vectors as asked for: an input is a text or its token ids."""

    model: str
    inputs: Sequence[str | list[int]]
    in_base64: bool


@dataclass(frozen=True)
class Embedded:
    """The vectors of a request's inputs, each of length 1, and how many tokens were read."""

    vectors: Sequence[Sequence[float]]
    n_tokens: int


def embedding_request(body: Any) -> EmbeddingRequest:
    """Return the checked request of POST /embeddings.

    Raises:
        ApiError: something is missing, out of range, unknown or not supported here.
    """
    given = given_in(body, KNOWN)
    if "dimensions" in given:
        message = "This model does not support specifying dimensions."
        raise ApiError(message, param="dimensions", code="unsupported_parameter")
    encoding = typed(given, "encoding_format", str) or "float"
    if encoding not in ("float", "base64"):
        message = f"Invalid value for 'encoding_format': {encoding!r}. Supported values are: 'float' and 'base64'."
        raise ApiError(message, param="encoding_format", code="invalid_value")
    return EmbeddingRequest(required(given, "model"), _inputs(given.get("input")), encoding == "base64")


def _inputs(value: Any) -> list[str | list[int]]:
    listed = value if isinstance(value, list) and not _are_tokens(value) else [value]
    if len(listed) > INPUTS_AT_MOST:
        message = f"'input' has {len(listed)} entries, but at most {INPUTS_AT_MOST} are allowed."
        raise ApiError(message, param="input", code="array_above_max_length")
    if not listed or not all((isinstance(each, str) and each) or _are_tokens(each) for each in listed):
        message = "'input' must be a text, token ids, or a list of either; none of them may be empty."
        raise ApiError(message, param="input", code="invalid_value")
    return listed


def _are_tokens(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(type(each) is int for each in value)


def embeddings(request: EmbeddingRequest, found: Embedded) -> Record:
    """Return the body with the vectors, in base64 as little-endian float32."""
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _in_base64(each) if request.in_base64 else list(each)}
            for index, each in enumerate(found.vectors)
        ],
        "model": request.model,
        "usage": {"prompt_tokens": found.n_tokens, "total_tokens": found.n_tokens},
    }


def _in_base64(vector: Sequence[float]) -> str:
    numbers = array.array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return base64.b64encode(numbers.tobytes()).decode("ascii")
