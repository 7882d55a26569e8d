"""Write short forms and contractions out, the same before training and in use.

Owns what an English contraction stands for; the short forms come from the style. The result is
what a model sees, so it is deterministic and idempotent, and a form with two readings stays.
"""

import re

from ftbuild.settings import Style
from ftbuild.style.words import begins_sentence, capitalised, replace

_NOT = re.compile(
    r"\b(?P<verb>do|does|did|is|are|was|were|have|has|had|ca|wo|sha|could|should|would|might|must|need)n['’]t\b"
    r"(?:(?P<space>\s+)(?P<who>i|you|u|he|she|it|we|they)\b(?!\s+(?:guys|all|both|two)\b))?",
    re.IGNORECASE,
)
_IRREGULAR = {"ca": "can", "wo": "will", "sha": "shall"}
_ASKING = re.compile(r"\b(?:why|what|when|where|who|which|how)\s+$", re.IGNORECASE)
_AFTER_APOSTROPHE = {"re": "are", "ll": "will", "ve": "have", "m": "am"}
_TAIL = re.compile(r"(?<=[^\W\d_])['’](re|ll|ve|m)\b", re.IGNORECASE)
_WOULD = re.compile(
    r"\b(i|you|u|he|she|it|we|they|that|who|there)['’]d(?=\s+(?:also\s+|really\s+|still\s+|even\s+|rather\b|not\s+)?"
    r"(?:like|love|prefer|rather|be|appreciate|hate|have|go|do|say|drop|need|want|suggest|recommend|expect|take|give)\b)",
    re.IGNORECASE,
)
_HAD = re.compile(r"\b(i|you|u|he|she|it|we|they)['’]d(?=\s+(?:better|been)\b)", re.IGNORECASE)
_IS = re.compile(
    r"\b(it|that|what|there|here|he|she|who|where|how|when|why|let)['’]s\b"
    r"(?P<has>(?=\s+(?:been|got|had|become|happened)\b))?",
    re.IGNORECASE,
)
_GOTTA = re.compile(r"(?:['’](?P<verb>ve|s)|(?<=\bit)s|(?<=\bhe)s|(?<=\bshe)s)\s+gotta\b", re.IGNORECASE)
_SMALL_I = re.compile(r"\bi(?=['’](?:m|ll|ve|d)\b)")

_LABEL = re.compile(
    r"(?:\b(?:room|gate|bay|seat|column|row|cell|building|block|lot|level|type|option|plan|section|vitamin)|#)\s*$",
    re.IGNORECASE,
)
_CLAUSE_STARTS = re.compile(r"(?:[,;:–-]|\b(?:so|and|then|ok|okay|hey|hi|yeah|yes|guys|all|anyway))\s+$", re.IGNORECASE)
_COUNT = re.compile(r"(?:\d|\b(?:an|half|per|each|every|one|another|a))\s*$", re.IGNORECASE)
_BY_A_DATE = re.compile(
    r"\b(?:in|since|until|till|til|by|of|from|to|before|after|last|next|this|late|early)\s+$", re.IGNORECASE
)

AT_MOST = 4  # rounds of writing out; a style whose forms lead to each other in a ring ends there


def expand(text: str, style: Style) -> str:
    """Return the text with the short forms of `style.expand` and contractions written out.

    A short form is found as a whole word in any case; its first letter stays large as `replace`
    says. A text of nothing but words to take out stays as it is, and so does all text where the style has no short
    forms: it says nothing of how a message is written out.
    """
    if not style.expand:
        return text
    out = text
    for _ in range(AT_MOST):  # a word written out can show what its neighbour means: b4 jan, i'd gotta
        before = out
        out = replace(_contractions(out), style.expand, lambda match: not _means_something_else(match))
        if out == before:
            break
    return out if out.strip() or not text.strip() else text


def _means_something_else(match: re.Match[str]) -> bool:
    """Say whether a short form is something else here: HR the department, Jan the colleague, room B4."""
    word, before, after = match.group(), match.string[: match.start()], match.string[match.end() :]
    if len(word) <= 2 and _LABEL.search(before):
        return True
    readings = {
        "hr": bool(_COUNT.search(before)),
        "im": word != "IM",
        "lets": begins_sentence(match.string, match.start()) or bool(_CLAUSE_STARTS.search(before)),
        "jan": bool(_BY_A_DATE.search(before) or re.match(r"\.?\s+(?:the\s+)?\d", after)),
    }
    is_in_ampersand = before.rstrip().endswith("&") or after.lstrip().startswith("&")
    return is_in_ampersand or not readings.get(word.casefold(), True)


def _contractions(text: str) -> str:
    text = _SMALL_I.sub("I", text)
    text = _GOTTA.sub(lambda match: " have to" if match["verb"] in ("ve", "VE") else " has to", text)
    text = _NOT.sub(_not, text)
    text = _TAIL.sub(lambda match: " " + _shouted(_AFTER_APOSTROPHE[match[1].lower()], match[1]), text)
    text = _HAD.sub(r"\1 had", text)
    text = _WOULD.sub(r"\1 would", text)
    return _IS.sub(_is, text)


def _not(match: re.Match[str]) -> str:
    verb = match["verb"]
    full = _IRREGULAR.get(verb.lower(), verb)
    full = _shouted(capitalised(full) if verb[0].isupper() else full, verb)
    negation = _shouted("not", verb)
    together = full + negation if verb.lower() == "ca" else f"{full} {negation}"
    if not match["who"]:
        return together
    if begins_sentence(match.string, match.start()) or _ASKING.search(match.string[: match.start()]):
        return f"{full}{match['space']}{match['who']} {negation}"
    return f"{together}{match['space']}{match['who']}"


def _is(match: re.Match[str]) -> str:
    verb = "us" if match[1].lower() == "let" else "has" if match["has"] is not None else "is"
    return f"{match[1]} {_shouted(verb, match[1])}"


def _shouted(word: str, model: str) -> str:
    return word.upper() if model.isupper() else word
