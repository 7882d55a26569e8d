"""The text of --help."""

from collections.abc import Mapping
from pathlib import Path

from ftbuild.cli.layout import table
from ftbuild.cli.verbs import Verb
from ftbuild.trees import experiments, find_root

USES = [
    ("ftbuild +experiment=NAME", "build it: data, training, test, verdict"),
    ("ftbuild plan +experiment=NAME", "what that would do, and why; nothing is written"),
    ("ftbuild", "where every experiment stands"),
]
SETTINGS = [
    ("KEY=VALUE", "change one setting: method.hyperparameters.n_epochs=2"),
    ("GROUP=OPTION", "choose a file of conf/GROUP: model=tiny"),
    ("sweep=NAME", "build every point of a search space, conf/sweep/NAME.yaml"),
    ("~KEY", "take an entry out: ~dataset.sources.NAME"),
]
OPTIONS = [
    ("-m, --multirun", "build every combination: -m method.hyperparameters.n_epochs=1,2"),
    ("--smoke", "the whole path in a minute, with 20 examples and a tiny model; no verdict"),
    ("--cfg job", "print the composed config and do nothing else"),
    ("-j, --jobs N", "how many actions are computed at once; as many as there are cores"),
    (
        "--ray ADDRESS",
        "compute, and our own server train, on a cluster of Ray: HOST:PORT, auto (this machine's), local (start one)",
    ),
    ("--keep-going", "after a failure, go on with what does not depend on it"),
    ("--yes", "pay without being asked, where a build costs money; with gc: delete"),
    ("--max-cost USD", "refuse to build if it costs more than so many US dollars, or if nobody knows what it costs"),
    ("--locked", "refuse to build if data or settings differ from the experiment's lock file"),
    ("--from FILE", "with init: the file; its layout is recognised, and source and experiment are written for it"),
    ("--to FILE", "with fetch: the file, .jsonl; the same command again adds what is newer; with sample: a folder"),
    ("--model NAME", "with fetch: only the completions of this model; with chat: who answers, NAME,NAME for several"),
    ("--metadata K=V", "with fetch: only those with this in their metadata; may be repeated"),
    ("--limit N", "with fetch: the oldest N, no more; with sample: choose from N, drawn by the seed, 1000 if not said"),
    ("--base-url URL", "with fetch: the provider, https://api.openai.com/v1 if none is given"),
    ("--api-key-env NAME", "with fetch: the environment variable that holds the key, OPENAI_API_KEY if none is given"),
    (
        "-n, --count N",
        "with show: how many examples, 3 if none is given; --split NAME: of which split; with sample: 50",
    ),
    ("--by WAY", "with sample: disagreement of two arms (--arms ONE,OTHER), uncertainty of one, or random"),
    ("--form jsonl", "with sample: the review as JSON lines, in place of a table (csv)"),
    ("--method NAME", "with check: supervised, dpo or reinforcement; that of the first line if none is given"),
    ("--provider NAME", "with check: whose rules, openai if none is given; also azure, compatible, embedded"),
    ("--against FILE", "with check: a file that tests; what was made out of it is no training; may be repeated"),
    ("--fix", "with check: write what can be mended into FILE.fixed.jsonl, and list the changes"),
    (
        "--cases FILE",
        "with score: id, output and target a line, or a file of promptfoo or OpenAI's Evals; --out keeps values",
    ),
    ("--mode bfcl", "with score tool_calls: by the rules of the Berkeley Function Calling Leaderboard"),
    ("--adapter", "with export: the adapter alone, as PEFT has it, in place of merged weights"),
    ("--host ADDRESS", "with serve: where to listen, this machine alone (127.0.0.1) if none is given; --port N: where"),
    (
        "--format json",
        "for machines; check, build, score and compare have github and junit for CI, all but check md, plan mermaid",
    ),
    ("--out FILE", "with plan: keep it, for ftbuild build --plan FILE, which refuses when anything has changed"),
    ("--version, --help", "print and do nothing else"),
]


def text(folder: Path, verbs: Mapping[str, Verb], width: int) -> str:
    """Return the help, `width` columns wide: uses, verbs, settings, options, the experiments at hand."""
    known = list(experiments(find_root(folder)).items())
    parts = [
        ("", USES),
        ("Verbs (the first word)", [(f"{name} {verb.words}".strip(), verb.what) for name, verb in verbs.items()]),
        ("Settings (after the verb; Hydra's grammar)", SETTINGS),
        ("Options", OPTIONS),
        ("Experiments", known),
    ]
    said = [f"{title}\n{table(rows, width)}".strip("\n") for title, rows in parts if rows]
    return "\n\n".join(["ftbuild: a build system for fine-tuning language models", *said])
