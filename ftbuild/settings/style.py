"""What a style is: the system text, rules that can be counted, and words written out beforehand."""

from typing import ClassVar, Literal

from pydantic import model_validator

from ftbuild.settings.node import Node

Never = Literal["never"]
Always = Literal["always"]


class AtMost(Node):
    """An upper bound on a count."""

    at_most: int


class StyleRules(Node):
    """Rules a text can be checked against; a rule that is null is not checked.

    `slang: never` forbids the words of `Style.slang`, `banned` forbids phrases, `required` asks
    for at least one of its phrases. `desu_masu: always` asks for です or ます at the end of every Japanese sentence.
    """

    sparse: ClassVar[bool] = True
    contractions: Never | None = None
    slang: Never | None = None
    emoji: Never | None = None
    exclamation_marks: Never | None = None
    sentence_case: Always | None = None
    sentence_words: AtMost | None = None
    desu_masu: Always | None = None
    banned: tuple[str, ...] = ()
    required: tuple[str, ...] = ()


class Style(Node):
    """A way of writing. `system` goes first into every conversation that has no system text; "" puts none there.

    `expand` is written out in the user's message before any model sees it, in training and in
    use: short form -> long form, whole words, upper and lower case alike.
    """

    language: Literal["en", "ja"]
    system: str
    rules: StyleRules
    slang: tuple[str, ...] = ()
    expand: dict[str, str] = {}

    @model_validator(mode="after")
    def _slang_is_listed(self) -> "Style":
        if self.rules.slang and not self.slang:
            raise ValueError("rules.slang is never, but the list `slang` is empty")
        english = ("contractions", "sentence_case", "sentence_words", "slang")
        wrong = [rule for rule in english if getattr(self.rules, rule)] if self.language == "ja" else []
        wrong += ["desu_masu"] if self.rules.desu_masu and self.language != "ja" else []
        if wrong:
            raise ValueError(f"no rule of the language {self.language}: {', '.join(wrong)}")
        return self
