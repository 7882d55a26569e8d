"""Translation by a glossary: a file that says what a text is in which language.

YAML or JSON: `text: {language: translation}`. A text is looked up without regard to case, width, spaces and the mark
at its end. What is not in the file is an error that the model is told, as of a real service.
"""

import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

END_MARKS = ".!?。！？…"


def make(content: bytes) -> Callable[[str, Mapping[str, Any]], Any]:
    """Return the tool: arguments `text` and `language` -> `{"language", "translation"}`.

    Raises:
        ValueError: the file is no glossary.
    """
    import yaml  # slow, and most configs have no glossary

    try:
        said = yaml.load(content.decode(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"no YAML ({' '.join(str(error).split())})") from error
    if not isinstance(said, dict) or not all(isinstance(each, dict) for each in said.values()):
        raise ValueError("a glossary maps each text to its translations, by language")
    known = {
        (folded(str(text)), str(language)): str(to) for text, each in said.items() for language, to in each.items()
    }

    def run(_name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        text, language = str(arguments.get("text", "")), str(arguments.get("language", ""))
        if (translation := known.get((folded(text), language))) is None:
            raise ValueError(f"no translation of {text!r} into {language!r} is known")
        return {"language": language, "translation": translation}

    return run


def folded(text: str) -> str:
    """Return a text without what two spellings of one may differ in."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).rstrip(END_MARKS)
