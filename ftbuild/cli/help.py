"""The text of --help."""

from pathlib import Path

from ftbuild.cli.dispatch import VERBS
from ftbuild.compose import experiments, find_root


def text(folder: Path) -> str:
    """Return the help: verbs, options, the experiments at hand."""
    verbs = "\n".join(f"  {verb:10} {what}" for verb, what in VERBS.items())
    known = experiments(find_root(folder))
    width = max((len(name) for name in known), default=0)
    listed = "\n".join(f"  {name:{width}}  {what}" for name, what in known.items())
    return f"""ftbuild: a build system for fine-tuning language models

  ftbuild +experiment=NAME [key=value ...]     build it: data, training, test, verdict
  ftbuild                                      where every experiment stands

Verbs (the first word; the rest is Hydra's grammar)
{verbs}

Options
  -m, --multirun     run every combination: -m method.hyperparameters.n_epochs=1,2
  --smoke            the whole path in a minute with 20 examples and a tiny model; no verdict
  --cfg job          print the composed config and do nothing
  --format json      machine-readable plan
  --version, --help

Experiments
{listed}"""
