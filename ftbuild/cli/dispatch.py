"""Find the verb, run it, turn errors into text and an exit code. The only place that catches everything."""

import shlex
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ftbuild.cli import streams
from ftbuild.cli.verbs import VERBS
from ftbuild.errors import ConfigError, ExitCode, FtbuildError
from ftbuild.problem import Problem, nearest, render


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; a reader that has gone away is no error."""
    streams.prepare()
    try:
        code = _guarded(list(arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        streams.end()
        code = int(ExitCode.DONE)
    except OSError as error:
        full = streams.full(error)
        if full is None:
            raise
        streams.end()
        _say(render(full.problems))
        code = int(full.exit_code)
    return code


def _guarded(arguments: list[str]) -> int:
    try:
        return _run(arguments)
    except FtbuildError as error:
        _say(render(error.problems))
        return int(error.exit_code)
    except KeyboardInterrupt:
        _say("interrupted; the same command goes on from here")
        return int(ExitCode.INTERRUPTED)
    except Exception as error:
        if isinstance(error, BrokenPipeError) or (isinstance(error, OSError) and streams.full(error)):
            raise
        _say(traceback.format_exc() + "This is a bug in ftbuild, not in your config.")
        return int(ExitCode.BUG)


def _say(text: str) -> None:
    with suppress(OSError):  # nobody reads it, or there is no room for it
        print(text, file=sys.stderr)


def _run(arguments: list[str]) -> int:
    if not arguments:
        from ftbuild.cli.overview import overview

        return overview(Path.cwd())
    from ftbuild.cli.options import parse

    verb = arguments[0] if arguments[0] in VERBS else "build"
    options = parse(verb, arguments[1:] if arguments[0] in VERBS else arguments)
    if options.help:
        from ftbuild.cli.help import text
        from ftbuild.cli.layout import columns

        print(text(Path.cwd(), VERBS, columns()))
        return int(ExitCode.DONE)
    if options.version:
        from ftbuild import __version__

        print(f"ftbuild {__version__}")
        return int(ExitCode.DONE)
    if options.words and not VERBS[verb].words:
        raise _stray(options.words[0], arguments)
    return VERBS["build" if options.cfg else verb].load()(options)


def _stray(word: str, arguments: list[str]) -> ConfigError:
    """Return the error about a word that is no override, with the command that was probably meant."""
    from ftbuild.trees import experiments, find_root

    others = [each for each in arguments if each != word]
    means = {verb: [verb, *others] for verb in VERBS} | {"help": ["--help"], "version": ["--version"]}
    for name in experiments(find_root(Path.cwd())):
        means.setdefault(name, [f"+experiment={name}" if each == word else each for each in arguments])
    close = nearest(word, means)
    what = "stands behind other words" if word in VERBS else "is neither a verb nor an override"
    there = f"the verbs are {', '.join(VERBS)}; an override is written key=value."
    fix = f"ftbuild {shlex.join(means[close])}" if close else there
    return ConfigError(Problem(f"{word!r} {what}", "command line", fix=fix))
