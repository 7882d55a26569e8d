"""Where an example of a dataset comes from and what was done to it: one line of provenance.jsonl.

Owns the form of that line. Pure. The dataset knows nothing of the lines that a method makes of it; their digests are
added where they lie side by side.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from ftbuild.digest import of_bytes
from ftbuild.example import Origin, Split

if TYPE_CHECKING:
    from ftbuild.settings import Shares

# What a transform is called in provenance -> the keys of the config that ask for it.
ASKED_BY: Mapping[str, tuple[str, ...]] = {
    "system": ("style.system",),
    "expand": ("style.expand", "style.language"),
    "tools": ("tools",),
    "parallel_tool_calls": ("request.parallel_tool_calls",),
    "one_by_one": ("dataset.parallel_calls", "provider.parallel_tool_calls"),
    "tool_names": ("tools",),
    "strict_tools": ("request.strict_tools",),
    "grounded": ("retrieval.documents", "retrieval.n_passages", "retrieval.gold_in", "retrieval.without_gold"),
}
DRAWN_BY = ("dataset.split.validation", "dataset.split.test")
CONFIRM, SEED = "dataset.split.confirm", "dataset.split.seed"


class Done(NamedTuple):
    """What was done to an example: `transforms` in their order, `redacted` how often each rule took something out."""

    transforms: Sequence[str] = ()
    redacted: Mapping[str, int] = MappingProxyType({})


def entry(
    origin: Origin,
    done: Done,
    split: Split,
    shares: "Shares",
    licence: str,
    has_share: bool,
    consent: str | None = None,
) -> dict[str, Any]:
    """Return the line of provenance of an example, as a JSON value.

    `transforms` says what was done to it, in that order; `because` names for its place in the split and for each
    of them the keys of the config that asked for it.
    """
    source = f"dataset.sources.{origin.source}"
    transforms = [*(["redact"] if done.redacted else []), *done.transforms]
    because: dict[str, list[str]] = {"source": [source], "split": _split_keys(origin, shares, source)}
    if has_share and split == "train":
        because["mix"] = [f"{source}.share"]
    for each in transforms:
        because[each] = _asked_by(each, done, source)
    return {
        "id": origin.id,
        "split": split,
        "source": origin.source,
        "path": origin.path,
        "line": origin.line,
        "group": origin.group,
        "transforms": transforms,
        **({"redacted": dict(done.redacted)} if done.redacted else {}),
        "because": because,
        "licence": licence,
        **({"consent": consent} if consent is not None else {}),
    }


def _asked_by(transform: str, done: Done, source: str) -> list[str]:
    if transform == "redact":
        return [f"dataset.redact.{name}" for name in done.redacted]
    if transform == "tool_names" and "tools" not in done.transforms:
        return [source]  # its lines bring the tools
    return list(ASKED_BY[transform])


def _split_keys(origin: Origin, shares: "Shares", source: str) -> list[str]:
    if origin.only is not None:
        return [source]
    if shares.by == "time" and origin.time is not None:
        dates = ["validation_from", "test_from", *(["confirm_from"] if shares.confirm_from else [])]
        return ["dataset.split.by", *(f"dataset.split.{each}" for each in dates), f"{source}.time"]
    return [*DRAWN_BY, CONFIRM, SEED] if shares.confirm else [*DRAWN_BY, SEED]


def with_digests(entries: Iterable[Mapping[str, Any]], lines: Mapping[str, bytes]) -> Iterator[dict[str, Any]]:
    """Yield the provenance with its number in the split's file and the sha256 of that line, its line end left out.

    `lines` are the files by split; provenance lists the examples in their order.
    """
    numbered = {split: enumerate(content.split(b"\n"), 1) for split, content in lines.items()}
    for each in entries:
        number, line = next(numbered[each["split"]])
        yield {**each, "number": number, "digest": of_bytes(line)}


def with_digest(entry: bytes, number: int, line: bytes) -> bytes:
    """Return a line of provenance, as bytes, with the number and the sha256 of its training line."""
    return b'%s,"number":%d,"digest":"%s"}' % (entry[:-1], number, of_bytes(line).encode())
