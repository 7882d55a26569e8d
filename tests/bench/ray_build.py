"""One dataset of chat examples with tools, built by processes and by tasks of a Ray started here: the same bytes.

python -m tests.bench.ray_build [--n N] [--jobs 2]

The digests are the point. Time and memory say what Ray takes where it is not needed, on one machine: what it is for,
several machines, is not measured here. The CPU of its processes cannot be seen from outside, and is not told.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.data_compiler import compiled, write
from tests.bench.tool import adopt_orphans


def main(arguments: Sequence[str] | None = None) -> int:
    """Build twice, print, and return 1 where the bytes differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=200_000)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args(arguments)
    adopt_orphans()
    with TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, asked.n)
        own, own_mb, digests = compiled(folder, asked.jobs)
        ray, ray_mb, others = compiled(folder, asked.jobs, "--ray", "local")
    print(f"{asked.n:,} examples, {asked.jobs} at once: {len(digests)} files")
    print(f"processes  {own.wall:.0f} s, {own_mb:.0f} MB")
    print(f"Ray        {ray.wall / own.wall:.2f} x the time, {ray_mb:.0f} MB")
    for each in sorted(digests.keys() | others.keys()):
        same = "the same" if digests.get(each) == others.get(each) else "OTHER BYTES"
        print(f"{same}  {digests.get(each, 'none')[:12]}  {each}")
    return int(digests != others)


if __name__ == "__main__":
    sys.exit(main())
