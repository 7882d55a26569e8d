"""`ftbuild completion bash|zsh|fish`: print a script; the script asks the same verb back at every press of a key.

It asks by the environment variable FTBUILD_COMPLETE, since no word of a half-typed line may be taken for an option of
ours: the word at the cursor first, then those between it and `ftbuild`, a line each.
"""

from ftbuild.cli.candidates import SHELLS, Candidate, candidates
from ftbuild.cli.options import SHORT, VALUED, Options
from ftbuild.cli.verbs import VERBS
from ftbuild.errors import ConfigError, ExitCode
from ftbuild.problem import Problem, nearest
from ftbuild.world import World

ASKED = "FTBUILD_COMPLETE"
OPEN = ("=", ".")  # a word that ends so goes on behind it

BASH = r"""# Completion of ftbuild in bash. In ~/.bashrc:   eval "$(ftbuild completion bash)"
_ftbuild() {
    local line=${COMP_LINE:0:COMP_POINT} word head asked
    local -a words
    read -ra words <<< "$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    local last=$((${#words[@]} - 1))
    COMPREPLY=()
    case ${words[last - 1]} in
        @FILES@) compopt -o default +o nospace 2> /dev/null; return ;;
    esac
    # Bash puts the answer in place of what follows the last of its word breaks, = and : among them.
    head=${words[last]}
    while [[ -n $head && $COMP_WORDBREAKS != *"${head: -1}"* ]]; do head=${head%?}; done
    asked=$(printf '%s\n' "${words[last]}" "${words[@]:1:last-1}")
    while IFS= read -r word; do
        COMPREPLY+=("${word#"$head"}")
    done < <(FTBUILD_COMPLETE=$asked "${1/#\~/$HOME}" completion bash 2> /dev/null)
}
complete -o nospace -F _ftbuild ftbuild
"""

ZSH = r"""#compdef ftbuild
# Completion of ftbuild in zsh. In ~/.zshrc, after compinit:   source <(ftbuild completion zsh)
_ftbuild() {
    local line
    local -a asked open closed
    case $words[CURRENT-1] in
        @FILES@) _files; return ;;
    esac
    asked=("$PREFIX" "${(@)words[2,CURRENT-1]}")
    for line in "${(@f)$(FTBUILD_COMPLETE="${(F)asked}" ${~words[1]} completion zsh 2> /dev/null)}"; do
        if [[ ${line%%:*} == *[=.] ]]; then open+=("$line"); elif [[ -n $line ]]; then closed+=("$line"); fi
    done
    _describe -t settings setting open -Q -S ''
    _describe -t words word closed -Q
}
if [[ $funcstack[1] == _ftbuild ]]; then _ftbuild "$@"; else compdef _ftbuild ftbuild; fi
"""

FISH = r"""# Completion of ftbuild in fish:   ftbuild completion fish > ~/.config/fish/completions/ftbuild.fish
function __ftbuild_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l asked (string join \n -- "$current" $before[2..] | string collect)
    set -l program (string replace -r '^~/' "$HOME/" -- $before[1])
    FTBUILD_COMPLETE="$asked" $program completion fish 2> /dev/null
end
complete -c ftbuild -f -a '(__ftbuild_complete)'
complete -c ftbuild -F -n '__fish_prev_arg_in @FILES@'
"""
SCRIPTS = {"bash": (BASH, "|"), "zsh": (ZSH, "|"), "fish": (FISH, " ")}


def completion(options: Options) -> int:
    """Print the script of a shell; when the script asks, print what can stand at the cursor, a line each.

    Raises:
        ConfigError: a shell that we have no script for, or none.
    """
    if len(options.words) != 1 or options.words[0] not in SCRIPTS:
        raise _refused(options.words)
    shell = options.words[0]
    asked = World.at(options.folder).environment.get(ASKED)
    if asked is None:
        print(script(shell), end="")
        return int(ExitCode.DONE)
    current, *before = asked.split("\n")
    for each in candidates(before, current, options.folder):
        print(line(shell, each))
    return int(ExitCode.DONE)


def script(shell: str) -> str:
    """Return the script of a shell; behind an option or a verb that takes a file the shell completes files."""
    text, between = SCRIPTS[shell]
    files = [name for name, value in VALUED.items() if value in ("FILE", "FOLDER")]
    files += [short for short, name in SHORT.items() if name in files]
    files += [name for name, verb in VERBS.items() if "FILE" in verb.words]
    return text.replace("@FILES@", between.join(files))


def line(shell: str, candidate: Candidate) -> str:
    """Return the candidate as the shell's script reads it: bash takes no text, and its space from us."""
    word, about = candidate.word, candidate.about
    if shell == "bash":
        return word if word.endswith(OPEN) else f"{word} "
    if shell == "zsh":
        escaped = word.replace("\\", "\\\\").replace(":", "\\:")
        return f"{escaped}:{about}" if about else escaped
    return f"{word}\t{about}"


def _refused(words: tuple[str, ...]) -> ConfigError:
    said = f", not {' '.join(words)!r}" if words else ""
    close = nearest(words[0], SHELLS) if words else None
    fix = f"ftbuild completion {close or SHELLS[0]}"
    return ConfigError(Problem(f"completion takes bash, zsh or fish{said}", "command line", fix=fix))
