"""Typed, frozen settings: one model per group of conf/.

Owns what a valid config is. Knows nothing of Hydra, of files or of lines: the composer says
where a value came from.
"""

from typing import ClassVar

from pydantic import Field

from ftbuild.settings.dataset import Dataset, Redact, Shares
from ftbuild.settings.evaluation import ASKED, Arm, Evaluation, Request
from ftbuild.settings.faults import Faults
from ftbuild.settings.goal import Condition, Goal
from ftbuild.settings.graders import Grader, ModelGrader, MultiGrader, PythonGrader, StringCheck, TextSimilarity
from ftbuild.settings.judge import Judge
from ftbuild.settings.node import Node
from ftbuild.settings.provider import Budget, Deployment, Ends, Limits, Prices, Provider, Spelling, SuffixRule, Tunable
from ftbuild.settings.retrieval import Retrieval
from ftbuild.settings.round import Round
from ftbuild.settings.schema import JsonSchema, Schemas
from ftbuild.settings.source import Source
from ftbuild.settings.style import Style, StyleRules
from ftbuild.settings.sweep import Draw, Random, Sweep
from ftbuild.settings.teacher import Teacher
from ftbuild.settings.tools import Argument, Tool, Tools
from ftbuild.settings.tracker import Tracker
from ftbuild.settings.training import Hyperparameters, Method, Model, Package, RandomWeights


class Settings(Node):
    """Everything a build is asked to do. `seed` is for training and sampling; the split has its own."""

    unkeyed: ClassVar[frozenset[str]] = frozenset({"tracker", "budget", "sweep", "teacher"})
    seed: int = Field(ge=0, le=2147483647)
    goal: Goal
    dataset: Dataset
    style: Style
    tools: Tools = {}
    schemas: Schemas = {}
    retrieval: Retrieval = Retrieval()
    request: Request
    model: Model
    method: Method
    provider: Provider
    evaluation: Evaluation
    judge: Judge = Judge()
    teacher: Teacher = Teacher()
    tracker: Tracker
    budget: Budget = Budget()
    sweep: Sweep = Sweep()
    round: Round | None = None

    @property
    def sources(self) -> dict[str, Source]:
        """Return the sources that a dataset is made of, by name: those of examples, and the documents of retrieval."""
        found = self.dataset.of_examples
        return {name: each for name, each in self.dataset.sources.items() if name in {*found, self.retrieval.documents}}

    @property
    def of_judge(self) -> "Settings":
        """Return the settings with the judge's provider and model in place of those that are tuned and tested."""
        judge = self.judge
        return self.model_copy(update={"provider": judge.provider or self.provider, "model": judge.model or self.model})

    @property
    def embedder(self) -> str | None:
        """Return the model of the provider that gives vectors: the one named, or the base model where that is our own.

        None where none is known to, or its weights are drawn at random and it would really be asked.
        """
        is_drawn = self.model.random is not None and not self.provider.makes_up
        return self.retrieval.model or (self.model.id if self.model.is_here and not is_drawn else None)

    @property
    def arms(self) -> dict[str, Arm]:
        """Return the arms that are compared, by name: where nothing is tuned, those that need no training."""
        trains = self.method.type != "none"
        return {name: arm for name, arm in self.evaluation.arms.items() if trains or arm.kind != "tuned"}

    @property
    def sampling_seed(self) -> int:
        """Return the seed of the requests: where nothing is drawn, one for all, so that a model is asked once for all
        seeds of a sweep.
        """
        return self.seed if self.request.temperature > 0 else 0

    @property
    def calls_one_by_one(self) -> bool:
        """Return whether calls that are made at once follow one another instead."""
        return self.dataset.parallel_calls == "one_by_one" or self.provider.parallel_tool_calls is False

    @property
    def rehearses(self) -> bool:
        """Return whether an arm's answers or the judge's are made up, so that no number says anything of a model."""
        asked = [arm.provider or self.provider for arm in self.arms.values() if arm.kind in ASKED]
        judge = [self.of_judge.provider] if "judge" in self.evaluation.scorers else []
        return any(each.makes_up for each in (*asked, *judge))

    @property
    def judged_arm(self) -> str:
        """Return the arm that the others are compared with: where it is not trained, the one it would be against."""
        return self.goal.arm if self.goal.arm in self.arms else self.goal.against


__all__ = [
    "Argument",
    "Arm",
    "Budget",
    "Condition",
    "Dataset",
    "Deployment",
    "Draw",
    "Ends",
    "Evaluation",
    "Faults",
    "Goal",
    "Grader",
    "Hyperparameters",
    "JsonSchema",
    "Judge",
    "Limits",
    "Method",
    "Model",
    "ModelGrader",
    "MultiGrader",
    "Node",
    "Package",
    "Prices",
    "Provider",
    "PythonGrader",
    "Random",
    "RandomWeights",
    "Redact",
    "Request",
    "Retrieval",
    "Round",
    "Schemas",
    "Settings",
    "Shares",
    "Source",
    "Spelling",
    "StringCheck",
    "Style",
    "StyleRules",
    "SuffixRule",
    "Sweep",
    "Teacher",
    "TextSimilarity",
    "Tool",
    "Tools",
    "Tracker",
    "Tunable",
]
