"""Real shells in a terminal of their own: a half-typed line, a press of Tab, and what the line is then."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HANGS_SECONDS = 60  # a guard against a hang, not a limit
PROMPT = "ready> "
SHOW = b"\x18\x02"  # Ctrl-X Ctrl-B: the shell writes its line to the file $SEEN

# How each is started, without the files of its user, and what it does first: load our completion and bind SHOW.
SHELLS = {
    "bash": (("--noprofile", "--rcfile", ".setup", "-i"), ".setup"),
    "zsh": (("-d", "-i"), ".zshrc"),
    "fish": (("--no-config", "-C", "source .setup"), ".setup"),
}
SETUPS = {
    "bash": r"""
PS1='ready> '
eval "$(ftbuild completion bash)"
bind -x '"\C-x\C-b": printf "%s" "$READLINE_LINE" > "$SEEN.new"; mv "$SEEN.new" "$SEEN"'
""",
    "zsh": r"""
unsetopt prompt_sp
PS1='ready> '
autoload -U compinit; compinit -u -D
source <(ftbuild completion zsh)
show() { print -rn -- "$BUFFER" > "$SEEN.new"; mv "$SEEN.new" "$SEEN" }
zle -N show; bindkey '^X^B' show
""",
    "fish": r"""
function fish_prompt; echo -n 'ready> '; end
ftbuild completion fish | source
bind \cx\cb 'commandline > "$SEEN.new"; mv "$SEEN.new" "$SEEN"'
""",
}


@dataclass(frozen=True)
class Seen:
    """The line after Tab, and all that was drawn on the screen."""

    line: str
    screen: str


def environment(folder: Path) -> dict[str, str]:
    """Return an environment in which `ftbuild` is this one."""
    programs = folder / ".programs"
    programs.mkdir(exist_ok=True)
    program = programs / "ftbuild"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m ftbuild "$@"\n')
    program.chmod(0o755)
    return {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(folder),
        "ZDOTDIR": str(folder),
        "TERM": "xterm",
        "LANG": "C.UTF-8",
        "SEEN": str(folder / ".seen"),
    }


def tab(shell: str, folder: Path, text: str, times: int = 1) -> Seen:
    """Type `text` and press Tab in a fresh shell in `folder`."""
    arguments, setup = SHELLS[shell]
    (folder / setup).write_text(SETUPS[shell])
    seen = folder / ".seen"
    seen.unlink(missing_ok=True)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 100, 160, 0, 0))
    process = subprocess.Popen(
        # The shell takes the terminal for its own when it opens it as the leader of a session.
        ["sh", "-c", 'exec "$@" < "$TTY" > "$TTY" 2>&1', "sh", shell, *arguments],
        cwd=folder,
        env={**environment(folder), "TTY": os.ttyname(theirs)},
        start_new_session=True,
    )
    try:
        _read(ours, lambda said: PROMPT in said)
        os.write(ours, text.encode() + b"\t" * times + SHOW)
        screen = _read(ours, lambda _: seen.exists())
        return Seen(seen.read_text().removesuffix("\n"), screen)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


def _read(terminal: int, enough: Callable[[str], bool]) -> str:
    """Return what is written to the terminal until it is enough."""
    said, ends = "", time.monotonic() + HANGS_SECONDS
    while not enough(said):
        assert time.monotonic() < ends, f"the shell hangs after {said!r}"
        if select.select([terminal], [], [], 0.05)[0]:
            said += os.read(terminal, 65536).decode(errors="replace")
    return said
