"""What a smoke run sets."""

from ftbuild.cli.options import Options
from ftbuild.composed import SMOKE


def smoke_overrides(options: Options) -> list[str]:
    """Return what a smoke run sets where the command line does not."""
    given = {override.partition("=")[0].lstrip("+") for override in options.overrides}
    return [override for override in SMOKE if override.partition("=")[0] not in given] if options.smoke else []
