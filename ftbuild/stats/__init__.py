"""Intervals, paired comparison, power and the gate: numbers in, judgements out.

Pure. Knows nothing of scorers, arms or files. A metric of nothing has no value.
"""

from ftbuild.stats.agreement import Agreement, agreement
from ftbuild.stats.front import front
from ftbuild.stats.gate import Ending, Judgement, judge, overall
from ftbuild.stats.interval import Interval, interval
from ftbuild.stats.multiple import holm
from ftbuild.stats.paired import Difference, compare
from ftbuild.stats.seeds import Spread, spread
from ftbuild.stats.verdict import Verdict, verdict, verdicts

__all__ = [
    "Agreement",
    "Difference",
    "Ending",
    "Interval",
    "Judgement",
    "Spread",
    "Verdict",
    "agreement",
    "compare",
    "front",
    "holm",
    "interval",
    "judge",
    "overall",
    "spread",
    "verdict",
    "verdicts",
]
