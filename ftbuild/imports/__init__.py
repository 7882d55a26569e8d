"""What other evaluation tools wrote down -> lines of ours: one module a layout.

Pure: gets values, returns lines and findings. Two things come out of such files: answers that a model gave, which
`ftbuild score` and `ftbuild compare` read, and questions with what is expected, out of which `ftbuild init` makes a
source. What has no equal here is named by a finding of the rule NOT_CARRIED, with its place; nothing else is dropped.
"""

from ftbuild.imports.answers import Recorded, recorded
from ftbuild.imports.expected import NOT_CARRIED, Expected
from ftbuild.imports.lines import Answer
from ftbuild.imports.questions import Question, Questions, of_recorded

__all__ = ["NOT_CARRIED", "Answer", "Expected", "Question", "Questions", "Recorded", "of_recorded", "recorded"]
