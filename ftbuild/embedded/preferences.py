"""Preference lines: checked by the rules of the dataset compiler, turned into pairs of lessons.

Knows nothing of jobs or tensors. Of each answer only its own tokens count, never those of earlier answers: one turn is
preferred to another. Source: OpenAI direct preference optimization guide (2026-11).
"""

from dataclasses import dataclass

from ftbuild.embedded.engine import Reader
from ftbuild.embedded.lessons import InvalidFileError, checked, lesson_of
from ftbuild.embedded.template import Lesson

OUTPUTS = ("preferred_output", "non_preferred_output")


@dataclass(frozen=True)
class Pair:
    """Two answers to one conversation, each with all that stands before it; only the answers are `learnt`."""

    preferred: Lesson
    rejected: Lesson

    @property
    def n_tokens(self) -> int:
        """Return how many tokens both have."""
        return self.preferred.n_tokens + self.rejected.n_tokens


def read_pairs(content: bytes, reader: Reader, kind: str = "training") -> tuple[list[Pair], int]:
    """Return the pairs of a training or validation file in its order, and how many were cut at the context's end.

    Raises:
        InvalidFileError: the first line that cannot be learnt from, or too few lines.
    """
    pairs, cut = [], 0
    for number, line in checked(content, "dpo", kind):
        asked = line["input"]
        before = [{**message, "weight": 0} for message in asked["messages"]]
        lessons = [lesson_of([*before, *line[output]], asked, reader, f"Example {number}") for output in OUTPUTS]
        cut += any(lesson.n_tokens > reader.context for lesson in lessons)
        preferred, rejected = (lesson.cut(reader.context) for lesson in lessons)
        if not (any(preferred.learnt[1:]) and any(rejected.learnt[1:])):
            raise InvalidFileError(f"Example {number} has an answer that does not fit into the model's context.")
        pairs.append(Pair(preferred, rejected))
    return pairs, cut
