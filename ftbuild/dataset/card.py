"""The dataset card: what is in a built dataset, for people who find the folder."""

from collections.abc import Mapping

from ftbuild.settings import Source


def write(digest: str, counts: Mapping[str, int], sources: Mapping[str, Source]) -> str:
    """Return the card as Markdown; the same dataset gives the same text."""
    rows = "\n".join(
        f"| {name} | {source.path} | {source.only or 'split by group'} | {source.licence} | {source.origin} |"
        for name, source in sorted(sources.items())
    )
    numbers = "\n".join(f"| {split} | {n:,} |" for split, n in counts.items())
    return f"""# Dataset {digest[:12]}

| split | examples |
|---|---|
{numbers}

| source | file | split | licence | origin |
|---|---|---|---|---|
{rows}

Each line of the split files is what a provider takes, and nothing else; `provenance.jsonl` says for
every example, in the same order, where it came from. Digest: `{digest}`.
"""
