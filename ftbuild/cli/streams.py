"""What a command says is written to: streams that are closed, too narrow for a letter, full, or without a reader."""

import errno
import io
import os
import sys
from contextlib import suppress

from ftbuild.errors import FtbuildError
from ftbuild.problem import Problem

OUT = "standard output"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def prepare() -> None:
    """Make every stream one that can be written to: none fails for a letter, and a closed one leads nowhere.

    The number of a closed stream is taken, else it would become that of a file of ours, which would be written to.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            _lead_nowhere(number)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
        elif name == "stdout" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def end() -> None:
    """Lead standard output nowhere: what is still in its buffer would be written at exit, and complained about."""
    with suppress(OSError):
        _lead_nowhere(1)


def full(error: OSError) -> FtbuildError | None:
    """Return the error about a stream that takes no more, None where something else is the matter."""
    if error.errno not in NO_ROOM or error.filename is not None:
        return None
    said = (error.strerror or str(error)).lower()
    return FtbuildError(Problem(f"cannot be written: {said}", OUT, fix="free space there, then again."))


def _lead_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)
