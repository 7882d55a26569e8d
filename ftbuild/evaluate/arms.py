"""The arms that ask no model: what a tuned model has to beat.

Pure: the raw input in, an answer out.
"""

import re

from ftbuild.settings import Arm, Style
from ftbuild.style import expand, sentence_case
from ftbuild.style.check import EMOJI
from ftbuild.style.words import replace

_SHOUT = re.compile(r"[?!！‼⁉]*[!！‼⁉][?!！‼⁉]*")


def echo(raw: str) -> str:
    """Return the input as it came."""
    return raw


def rules(raw: str, style: Style, arm: Arm) -> str:
    """Return the input rewritten without a model, the arm's opening first.

    Short forms are written out, `arm.substitute` replaces whole words and phrases (longest first, ""
    takes one out), exclamation marks become stops, emoji go, sentence case comes last.
    """
    text = replace(expand(raw, style), arm.substitute)
    text = _SHOUT.sub(lambda match: "?" if "?" in match.group() else ".", EMOJI.sub(" ", text))
    text = re.sub(r"\s+(?=[.,?;:](?:\s|$))", "", text)
    text = re.sub(r"([.?])[.?]*(?=\s|$)", r"\1", text)
    return " ".join([*arm.opening.split(), *sentence_case(text).split()])
