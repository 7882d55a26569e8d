"""What a tone is: writing short forms out, and rules a text can be checked against.

Pure: text and a `settings.Style` in, text or violations out. Knows nothing of examples or models.
"""

from ftbuild.style.check import RULES, Violation, violations
from ftbuild.style.expand import expand
from ftbuild.style.sentences import sentence_case, sentences

__all__ = ["RULES", "Violation", "expand", "sentence_case", "sentences", "violations"]
