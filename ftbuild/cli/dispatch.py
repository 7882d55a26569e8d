"""Find the verb, run it, turn errors into text and an exit code. The only place that catches everything."""

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from ftbuild.errors import ExitCode, FtbuildError
from ftbuild.problem import Problem, nearest, render

VERBS = {
    "build": "build everything an experiment asks for (no verb means build)",
    "plan": "say what a build would do, and why",
    "jobs": "list the jobs of this project",
    "retry": "launch a job that ended badly once more",
    "cancel": "stop a job",
}


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    try:
        return _run(list(arguments))
    except FtbuildError as error:
        print(render(error.problems), file=sys.stderr)
        return int(error.exit_code)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        return int(ExitCode.DONE)
    except Exception:
        traceback.print_exc()
        print("This is a bug in ftbuild, not in your config.", file=sys.stderr)
        return int(ExitCode.BUG)


def _run(arguments: list[str]) -> int:
    from ftbuild.cli.options import parse

    if not arguments:
        from ftbuild.cli.overview import overview

        return overview(Path.cwd())
    verb = arguments[0] if arguments[0] in VERBS else "build"
    rest = arguments[1:] if arguments[0] in VERBS else arguments
    if verb == "build" and rest and _is_word(rest[0]):
        raise _unknown_verb(rest[0])
    options = parse(verb, rest)
    if options.help:
        from ftbuild.cli.help import text

        print(text(Path.cwd()))
        return int(ExitCode.DONE)
    if options.version:
        from ftbuild import __version__

        print(f"ftbuild {__version__}")
        return int(ExitCode.DONE)
    if verb == "plan":
        from ftbuild.cli.plan import plan

        return plan(options)
    if verb in ("jobs", "retry", "cancel"):
        from ftbuild.cli import jobs

        return {"jobs": jobs.jobs, "retry": jobs.retry, "cancel": jobs.cancel}[verb](options)
    from ftbuild.cli.build import build

    return build(options)


def _is_word(text: str) -> bool:
    return "=" not in text and not text.startswith(("-", "~", "+"))


def _unknown_verb(word: str) -> FtbuildError:
    from ftbuild.errors import ConfigError

    close = nearest(word, VERBS)
    return ConfigError(
        Problem(
            f"{word!r} is neither a verb nor an override",
            "command line",
            fix=f"ftbuild {close}" if close else f"the verbs are {', '.join(VERBS)}; an override is written key=value.",
        )
    )
