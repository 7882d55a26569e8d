"""A dataset as `datasets` saves it to disk: a folder of Arrow files with dataset_info.json and state.json.

`state.json` names the files in their order; what else lies in the folder is nobody's. A row counts as the line of its
number in its file. A label of a ClassLabel is its name. Read by pyarrow alone (the extra `huggingface`).
Source: huggingface/datasets, `Dataset.save_to_disk` of the package datasets 5.2.0 (2026-11).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ftbuild.errors import ConfigError
from ftbuild.problem import Problem
from ftbuild.rows import Row
from ftbuild.settings import Source
from ftbuild.sources import columns

STATE, SPLITS = "state.json", "dataset_dict.json"
Contents = Sequence[tuple[str, bytes]]


def shards(files: Contents, source: Source) -> Contents | Problem:
    """Return the Arrow files of a saved dataset in their order, or why it is none."""
    there = {name.rpartition("/")[2]: (name, content) for name, content in files}
    if STATE not in there:
        if SPLITS in there:
            named = _json(there[SPLITS][1])
            listed = named.get("splits") if isinstance(named, Mapping) else None
            splits = [str(each) for each in listed] if isinstance(listed, list) else []
            what = f"a dataset of several splits: {', '.join(splits)}"
            return Problem(what, source.path, fix=f"path: {source.path.rstrip('/')}/SPLIT", rule="not-a-dataset")
        fix = "name the folder that save_to_disk wrote."
        return Problem(f"no {STATE} in the folder", source.path, fix=fix, rule="not-a-dataset")
    state = _json(there[STATE][1])
    listed = state.get("_data_files") if isinstance(state, Mapping) else None
    names = (
        [str(each.get("filename")) for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []
    )
    if not names:
        return Problem("names no files", there[STATE][0], fix="save the dataset again.", rule="not-a-dataset")
    if missing := [name for name in names if name not in there]:
        what = f"{missing[0]} is not in the folder, and {STATE} names it"
        return Problem(what, source.path, fix="copy the folder again, whole.", rule="not-a-dataset")
    return [there[name] for name in names]


def rows(content: bytes, source: Source) -> Iterator[Row]:
    """Yield the rows of one of the Arrow files."""
    pyarrow, ipc = _pyarrow(source)
    try:
        reader = ipc.open_stream(pyarrow.BufferReader(content))
        names = list(reader.schema.names)
        labels = _labels(reader.schema.metadata)
        yield from columns.read(_records(reader, names, labels), names, source)
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        said = str(error).split("\n")[0]
        fix = "copy the file again, whole."
        yield Row(0, b"", problems=(Problem(f"cannot be read: {said}", fix=fix, rule="not-arrow"),))


def _records(reader: Any, names: Sequence[str], labels: Mapping[str, Sequence[str]]) -> Iterator[Sequence[Any]]:
    for batch in reader:
        batch.validate(full=True)  # damaged offsets would end the process, not raise
        for record in batch.to_pylist(maps_as_pydicts="lossy"):
            yield [_named(record[name], labels.get(name)) for name in names]


def _named(value: Any, labels: Sequence[str] | None) -> Any:
    if labels is None or not isinstance(value, int):
        return value
    return labels[value] if 0 <= value < len(labels) else None


def _labels(metadata: Mapping[bytes, bytes] | None) -> dict[str, Sequence[str]]:
    """Return the names of the labels by column."""
    told = _json((metadata or {}).get(b"huggingface", b"{}"))
    info = told.get("info") if isinstance(told, Mapping) else None
    features = info.get("features") if isinstance(info, Mapping) else None
    return {
        name: each["names"]
        for name, each in (features.items() if isinstance(features, Mapping) else ())
        if isinstance(each, Mapping) and each.get("_type") == "ClassLabel" and isinstance(each.get("names"), list)
    }


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _pyarrow(source: Source) -> tuple[Any, Any]:
    """Return the package and its part that reads files.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import pyarrow
        from pyarrow import ipc
    except ImportError:
        what = "a source of the kind huggingface is read by pyarrow, which is not installed"
        raise ConfigError(Problem(what, source.path, fix="pip install 'ftbuild[huggingface]'")) from None
    return pyarrow, ipc
