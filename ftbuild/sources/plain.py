"""Lines of OpenAI's own layout that are plain, which is beyond doubt sound: what they say is kept as it stands.

All others are taken apart by the reader of their layout, which would keep the same. Decides what is plain and nothing
else: the rules, the fields and the forms are those that the reader has.
"""

from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import groupby

from ftbuild.example import known, messages_told, tools_told
from ftbuild.rows import SPACE, in_parts, reread
from ftbuild.rules.lines import SUPERVISED_KEYS
from ftbuild.rules.sound import is_sound
from ftbuild.settings import Source
from ftbuild.sources import Piece
from ftbuild.sources.conversations import PACK, digest, origin, unread


def runs(piece: Piece, name: str, source: Source) -> Iterator[Sequence[bytes] | Piece]:
    """Yield a piece of a source in runs: the lines that are kept of those that are plain, and all else as it is.

    `name` is the source's name in the config.
    """
    if source.kind != "chat_jsonl" or source.keep or not piece.first:
        yield piece
        return
    source = source.model_copy(update={"path": piece.path})
    lines = BytesIO(piece.content).readlines()
    told = [kept(content, number, name, source) for number, content in enumerate(lines, piece.first)]
    at = 0
    for is_plain, run in groupby(told, lambda each: each is not None):
        those = list(run)
        if is_plain:
            yield [line for line in those if line is not None]
        else:
            yield Piece(piece.path, b"".join(lines[at : at + len(those)]), piece.first + at)
        at += len(those)


def kept(content: bytes, number: int, name: str, source: Source) -> bytes | None:
    """Return the JSON line that is kept of the example in line `number` of a file; None says nothing.

    `name` is the source's name in the config, and its path that of the file.
    """
    value = in_parts(content.strip(SPACE))
    if not isinstance(value, dict):
        return None
    line = {key: value[key] for key in SUPERVISED_KEYS if key in value}
    if not is_sound(line, PACK) or unread(value, source):
        return None
    original = digest(line)
    beside = origin(value, number, original, line["messages"], name, source, sound=True).to_json()
    line["messages"] = messages_told(line["messages"])
    if "tools" in line:
        line["tools"] = tools_told(line["tools"])
    return reread({"id": original[:16], "original": original, **line, **beside, "known": [*known(line)]}) + b"\n"
