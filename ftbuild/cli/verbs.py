"""The verbs: what each does, where it lives, and which of our own options it takes.

A verb's module is imported when the verb runs, so a command pays only for what it uses.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

ALWAYS = ("--help", "--version")
COMPOSED = ("--multirun", "--smoke")
PAYING = ("--yes", "--max-cost")


@dataclass(frozen=True)
class Verb:
    """`place` is module:function; `options` are the long names it takes; `formats` what --format may say.

    `words` says what words without `=` mean to it, "" that it takes none.
    """

    what: str
    place: str
    options: tuple[str, ...] = ()
    formats: tuple[str, ...] = ("text",)
    words: str = ""

    def load(self) -> Callable[..., int]:
        """Return the function that runs it, given the options."""
        module, _, name = self.place.partition(":")
        found: Callable[..., int] = getattr(import_module(f"ftbuild.cli.{module}"), name)
        return found


VERBS = {
    "build": Verb(
        "build everything an experiment asks for (no verb means build)",
        "build:build",
        (*COMPOSED, "--cfg", "--jobs", "--ray", "--keep-going", "--locked", "--plan", "--format", *PAYING),
        ("text", "github", "junit", "md"),
    ),
    "dataset": Verb(
        "build the data and no more", "dataset:dataset", (*COMPOSED, "--cfg", "--jobs", "--ray", "--keep-going")
    ),
    "train": Verb(
        "build up to the model: data, base model, job",
        "stages:train",
        (*COMPOSED, "--cfg", "--jobs", "--ray", "--keep-going", *PAYING),
    ),
    "evaluate": Verb(
        "build up to the verdict, and no run or report",
        "stages:evaluate",
        (*COMPOSED, "--cfg", "--jobs", "--ray", "--keep-going", *PAYING),
    ),
    "report": Verb(
        "draw the report of what is built anew; no model is asked, nothing is launched",
        "stages:report",
        ("--smoke", "--cfg", "--jobs", "--format"),
        ("text", "github", "junit", "md"),
    ),
    "plan": Verb(
        "say what a build would do, and why",
        "plan:plan",
        (*COMPOSED, "--cfg", "--format", "--out"),
        ("text", "json", "mermaid"),
    ),
    "why": Verb(
        "say exactly what differs from the last time", "why:why", (*COMPOSED, "--format"), ("text", "json"), "[ACTION]"
    ),
    "show": Verb(
        "show examples as the model sees them",
        "show:show",
        ("--smoke", "--split", "--count", "--format"),
        ("text", "json"),
    ),
    "diff": Verb(
        "compare two runs: config, data, metrics", "diff:diff", ("--format",), ("text", "json", "md"), "RUN RUN"
    ),
    "runs": Verb(
        "list the runs and how they ended", "runs:runs", ("--format", "--sort", "--experiment"), ("text", "json", "md")
    ),
    "check": Verb(
        "lint training files, ours or anyone's",
        "check:check",
        ("--method", "--provider", "--against", "--fix", "--format"),
        ("text", "json", "github", "junit"),
        "FILE...",
    ),
    "score": Verb(
        "score recorded answers, of anyone",
        "score:score",
        ("--cases", "--options", "--mode", "--out", "--format"),
        ("text", "json", "github", "junit", "md"),
        "SCORER",
    ),
    "compare": Verb(
        "compare two files of scores on the same examples; 0 whatever comes of it",
        "compare:compared",
        ("--format",),
        ("text", "json", "github", "junit", "md"),
        "BASE OTHER",
    ),
    "jobs": Verb("list the jobs of this project", "jobs:jobs", ("--format",), ("text", "json")),
    "watch": Verb("follow a job to its end, from any terminal", "watch:watch", words="JOB"),
    "cancel": Verb("stop a job for good", "steer:cancel", words="JOB"),
    "pause": Verb("let a job stand still, where the provider can", "steer:pause", words="JOB"),
    "resume": Verb("let a paused job go on", "steer:resume", words="JOB"),
    "retry": Verb("launch a job that ended badly once more", "retry:retry", PAYING, words="JOB"),
    "adopt": Verb(
        "take a job that is at the provider as the job of an experiment",
        "adopt:adopt",
        ("--smoke",),
        words="JOB +experiment=NAME",
    ),
    "blame": Verb(
        "say where an example came from, and what learnt from it",
        "blame:blame",
        ("--smoke", "--format"),
        ("text", "json"),
        "DIGEST|FILE:LINE",
    ),
    "retract": Verb(
        "say what must be made anew if a source or a line is withdrawn",
        "retract:retract",
        ("--smoke", "--format"),
        ("text", "json"),
        "SOURCE|PATH:LINE",
    ),
    "verify": Verb(
        "check the store, and export where its results come from",
        "verify:verify",
        ("--smoke", "--full", "--attest", "--format"),
        ("text", "json"),
    ),
    "gc": Verb(
        "say what could be deleted from the store; --yes deletes it",
        "gc:gc",
        ("--smoke", "--yes", "--keep-days", "--format"),
        ("text", "json"),
    ),
    "improve": Verb(
        "say what a run got wrong and why, and propose what the next one could learn",
        "improve:improve",
        ("--format", *PAYING),
        ("text", "json"),
        "[RUN]",
    ),
    "sample": Verb(
        "choose logged answers that are worth a look, and write a file for a person to fill in",
        "sample:sample",
        ("--by", "--arms", "--count", "--limit", "--form", "--to", "--smoke", "--jobs", *PAYING),
        words="SOURCE",
    ),
    "accept": Verb(
        "make the entries of a proposal that you want into sources and the next experiment",
        "accept:accept",
        ("--as", *PAYING),
        words="PROPOSAL [ENTRY ...]",
    ),
    "promote": Verb(
        "write a point of a sweep as an experiment of your own: best, a run, or the point's name",
        "promote:promote",
        words="POINT NAME",
    ),
    "export": Verb(
        "write a model that was trained here as a folder for transformers, or for PEFT",
        "export:export",
        ("--adapter",),
        words="RUN DIR",
    ),
    "chat": Verb(
        "talk to the model of a run and its base model, side by side",
        "chat:chat",
        ("--model", "--format"),
        ("text", "json"),
        "RUN",
    ),
    "serve": Verb(
        "run this project's own server until Ctrl-C, with a page of jobs, models and a chat",
        "serve:serve",
        ("--smoke", "--host", "--port", "--ray"),
    ),
    "init": Verb("begin with a file of your own", "init:init", ("--from",), words="NAME"),
    "fetch": Verb(
        "download what a provider stored, for a source to read; no build goes to the network for data",
        "fetch:fetch",
        ("--to", "--model", "--metadata", "--limit", "--base-url", "--api-key-env", "--format"),
        ("text", "json"),
        "stored_completions",
    ),
    "doctor": Verb(
        "say what is here and what is missing: versions, keys, providers and their end dates",
        "doctor:doctor",
        ("--format",),
        ("text", "json"),
        "[PROVIDER ...]",
    ),
    "schema": Verb("write JSON Schemas for editors", "schema:schema", ("--out",)),
    "completion": Verb("print the completion of bash, zsh or fish", "completion:completion", words="SHELL"),
}
