"""The shell: one small file per verb. The first word is the verb, the rest is Hydra's grammar.

Importing this package is cheap: Hydra, the SDK and everything heavy come with the verb that needs them.
"""

import sys


def main() -> None:
    """Run the console script."""
    from ftbuild.cli.dispatch import run

    sys.exit(run(sys.argv[1:]))
