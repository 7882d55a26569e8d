"""Whole words and phrases in running text: finding, replacing and taking out.

Owns where a word begins and ends. A word is never found inside R&D, 401(k), u.s., e-mail, a file
name, an address or a path. Knows nothing of styles.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

_BEFORE = r"(?<![\w&/\\@#$=~%'’])(?<!\w[-.(])"
_AFTER = r"(?![\w&/\\@#$=~%'’])(?![-.)(:]\w)"
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+|\S+@\w[\w-]*\.\S+", re.IGNORECASE)
_STOPS = ".?!…\n"
_QUOTES = "\"'“”‘’()[]"


@lru_cache(maxsize=256)
def _pattern(phrases: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(phrases, key=lambda phrase: (-len(phrase), phrase))
    spelled = (_spelled(phrase) for phrase in longest_first)
    return re.compile(f"{_BEFORE}(?:{'|'.join(spelled)}){_AFTER}", re.IGNORECASE)


def _spelled(phrase: str) -> str:
    """Return the phrase as a regular expression: any spaces, either apostrophe."""
    return r"\s+".join(re.sub("['’]", "['’]", re.escape(word)) for word in phrase.split())


def find(text: str, phrases: Iterable[str]) -> list[re.Match[str]]:
    """Return the matches of whole words or phrases in order, the longest first where several begin."""
    wanted = tuple(phrases)
    if not wanted:
        return []
    addresses = [match.span() for match in _ADDRESS.finditer(text)]
    return [
        match
        for match in _pattern(wanted).finditer(text)
        if not any(start <= match.start() < end for start, end in addresses)
    ]


def begins_sentence(text: str, at: int) -> bool:
    """Say whether a sentence begins at `at`: at the start, after a stop or on a new line."""
    before = text[:at].rstrip(" \t" + _QUOTES)
    return not before or before[-1] in _STOPS


def capitalised(text: str) -> str:
    """Return the text with its first letter large, the rest as it is."""
    return text[:1].upper() + text[1:]


def replace(text: str, forms: Mapping[str, str], allowed: Callable[[re.Match[str]], bool] = bool) -> str:
    """Return the text with each whole word or phrase of `forms` replaced, the longest first.

    A large first letter stays large where a sentence begins or only the first letter is large
    (Thx); a shouted word (ASAP) comes out small inside a sentence. "" takes the word out.
    """
    long_forms = {" ".join(short.casefold().replace("’", "'").split()): long for short, long in forms.items()}

    def long_form(match: re.Match[str]) -> str | None:
        return long_forms.get(" ".join(match.group().casefold().replace("’", "'").split()))

    while gone := next((m for m in find(text, forms) if long_form(m) == "" and allowed(m)), None):
        text = _without(text, gone.start(), gone.end())
    parts, done = [], 0
    for match in find(text, forms):
        long = long_form(match)
        if long and allowed(match):
            parts += [text[done : match.start()], _cased(long, match)]
            done = match.end()
    return "".join([*parts, text[done:]])


def _cased(long: str, match: re.Match[str]) -> str:
    word = match.group()
    large = word[:1].isupper()
    title = len(word) > 1 and not word[1:].isupper()
    return capitalised(long) if large and (title or begins_sentence(match.string, match.start())) else long


def _without(text: str, start: int, end: int) -> str:
    """Return the text without [start:end), spaces and commas around the gap tidied."""
    before, after = text[:start].rstrip(" \t"), text[end:].lstrip(" \t")
    if begins_sentence(text, start):
        rest = after.lstrip(" \t,;:.!?…")
        if text[start].isupper():
            rest = capitalised(rest)
        joint = " " if before and before[-1] not in '\n([“"' and rest and rest[0] not in "\n)" else ""
        return before + joint + rest
    if before.endswith("(") and after.startswith(")"):
        before, after = before[:-1].rstrip(" \t"), after[1:].lstrip(" \t")
    if not after or after[0] in _STOPS + ")":
        return before.rstrip(" \t,") + after
    if after[0] in ",;:":
        return before.removesuffix(",") + after
    return f"{before} {after}"
