"""Lines that fit the terminal: text wrapped beside what stands left of it. Nothing is ever cut off."""

import shutil
import textwrap
from collections.abc import Iterable
from unicodedata import east_asian_width

NARROWEST_TEXT = 24
NARROWEST_LABEL = 13


def columns() -> int:
    """Return the width of the terminal; 100 where there is none and COLUMNS says nothing."""
    return shutil.get_terminal_size((100, 24)).columns


def label_width(labels: Iterable[str]) -> int:
    """Return how wide the column is that holds the labels of actions."""
    return max((NARROWEST_LABEL, *map(len, labels)))


def width_of(text: str) -> int:
    """Return how many columns a text takes on a terminal: letters of Chinese, Japanese and Korean take two."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def hang(left: str, text: str, width: int, *, break_long_words: bool = False) -> str:
    """Return `text` beside `left`, wrapped at `width`, its further lines indented to its first.

    A word that is wider stays whole unless told otherwise: paths and commands are copied.
    """
    inner = max(width - len(left), NARROWEST_TEXT)
    wrapped = textwrap.wrap(text, inner, break_long_words=break_long_words, break_on_hyphens=False)
    return "\n".join(
        (left if number == 0 else " " * len(left)) + line for number, line in enumerate(wrapped or [""])
    ).rstrip()


def table(rows: list[tuple[str, str]], width: int) -> str:
    """Return rows of a word and its text, the texts under each other."""
    widest = max((len(word) for word, _ in rows), default=0)
    return "\n".join(hang(f"  {word:{widest}}   ", text, width) for word, text in rows)
