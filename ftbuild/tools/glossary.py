"""Translation by a glossary: a file that says what a text is in which language.

YAML or JSON: `text: {language: translation}`. A text is looked up without regard to case, width, spaces and the mark
at its end. What is not in the file is an error that the model is told, as of a real service.
"""

import unicodedata
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ftbuild.errors import DataError
from ftbuild.problem import Problem

if TYPE_CHECKING:
    import yaml

TEXT_TAG = "tag:yaml.org,2002:str"
END_MARKS = ".!?。！？…"


def make(content: bytes) -> Callable[[str, Mapping[str, Any]], Any]:
    """Return the tool: arguments `text` and `language` -> `{"language", "translation"}`.

    Raises:
        ValueError: the file is no glossary.
        DataError: YAML does not read something in it as text; with the lines.
    """
    import yaml  # slow, and most configs have no glossary

    try:
        root = yaml.compose(content.decode(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"no YAML ({' '.join(str(error).split())})") from error
    if not isinstance(root, yaml.MappingNode) or not all(isinstance(each, yaml.MappingNode) for _, each in root.value):
        raise ValueError("a glossary maps each text to its translations, by language")
    said = [node for text, each in root.value for node in (text, *(part for pair in each.value for part in pair))]
    if odd := [_not_text(node) for node in said if node.tag != TEXT_TAG]:
        raise DataError(*odd)
    known = {(folded(text.value), name.value): to.value for text, each in root.value for name, to in each.value}

    def run(_name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        text, language = str(arguments.get("text", "")), str(arguments.get("language", ""))
        if (translation := known.get((folded(text), language))) is None:
            raise ValueError(f"no translation of {text!r} into {language!r} is known")
        return {"language": language, "translation": translation}

    return run


def _not_text(node: "yaml.Node") -> Problem:
    is_word = isinstance(node.value, str)
    what = f"{node.value or '(nothing)'} is not text to YAML" if is_word else "a list or a map where a text belongs"
    fix = "put it in quotes: YAML reads it as a truth value, a number, a date or nothing." if is_word else ""
    return Problem(what, line=node.start_mark.line + 1, fix=fix)


def folded(text: str) -> str:
    """Return a text without what two spellings of one may differ in."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).rstrip(END_MARKS)
