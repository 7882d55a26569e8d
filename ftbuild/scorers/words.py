"""The words of a text, without case and width; of scripts that put no spaces between words, the characters.

Pure. Punctuation is no word. The scripts: Han, kana, Thai, Lao, Burmese, Khmer.
"""

import re
import unicodedata
from collections.abc import Iterable

from ftbuild.style import japanese
from ftbuild.style.words import find

UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff々〆\u3041-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_WORD = re.compile(f"[{UNSPACED}]|[^\\W_{UNSPACED}]+")
_UNSPACED = re.compile(f"[{UNSPACED}]")


def folded(text: str) -> str:
    """Return the text in one form of Unicode (NFKC), every run of spaces as one, none at its ends."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def words(text: str) -> list[str]:
    """Return the words in their order."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def is_unspaced(text: str) -> bool:
    """Return whether a text has a character of a script without spaces."""
    return bool(_UNSPACED.search(text))


def occurring(text: str, phrases: Iterable[str]) -> list[str]:
    """Return those of the phrases that occur: whole and in any case, of scripts without spaces anywhere."""
    return [each for each in phrases if (japanese.find if is_unspaced(each) else find)(text, [each])]
