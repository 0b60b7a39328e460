"""Scripts that complete commands, options and names in bash, zsh and fish.

A script holds all words, since a process that looks them up takes longer than one waits for a key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from shlex import quote
from typing import Any, NamedTuple

from rivalry.cli.values import OptionError
from rivalry.games import GAMES
from rivalry.lab.study import studies
from rivalry.methods import METHODS
from rivalry.plots import PLOTS
from rivalry.schema.registry import near

NAMES: dict[str, Callable[[], Iterable[str]]] = {
    "STUDY": studies,
    "GAME": lambda: GAMES,
    "FAMILY": lambda: GAMES,
    "METHOD": lambda: METHODS,
    "PLOT": lambda: PLOTS,
}
"""Names that a metavar stands for."""
BASH = """_rivalry() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" command="${{COMP_WORDS[1]}}"
  local words="" options="" files="" place=rest
  if ((COMP_CWORD == 2)); then place=first; fi
  if ((COMP_CWORD == 1)); then command="" before=""; fi
  case "$command" in
    {options}
  esac
  case "$command $before" in
    {values}
    *) case "$command $place" in
    {places}
    esac ;;
  esac
  if [[ $word == -* ]]; then words=$options files=""; fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  if [[ $files == *RUN* ]]; then COMPREPLY+=($(compgen -d -- "$word")); fi
  if [[ $files == *STUDY* ]]; then COMPREPLY+=($(compgen -f -X '!*.toml' -- "$word")); fi
}}
complete -o filenames -o default -F _rivalry rivalry
"""
ZSH = "autoload -Uz compinit bashcompinit\ncompinit\nbashcompinit\n"
FISH = """function __rivalry_at
  set -l tokens (commandline -opc)
  test "$tokens[2]" = $argv[1]; and test (count $tokens) -ge $argv[2]; and test (count $tokens) -le $argv[3]
end
complete -c rivalry -f
"""
FISH_FILES = {
    "RUN": "(__fish_complete_directories)",
    "STUDY": "(__fish_complete_path (commandline -ct) | string match -r '.*(?:[.]toml|/)')",
}
LAST = 99  # place of a word on the command line after which none is completed


class CommandWords(NamedTuple):
    """Metavars of a command's first argument and of its further ones, and its options."""

    help: str
    first: list[str]
    rest: list[str]
    options: dict[str, Option]


class Option(NamedTuple):
    """Help of an option, and the metavar of its value; None of a flag."""

    help: str
    metavar: str | None


def script(shell: str, group: Any) -> str:
    """Return the script of a shell for the commands of a group. Raises `OptionError`."""
    commands = {name: _places(command) for name, command in group.commands.items()}
    if shell not in WRITERS:
        raise OptionError(f"completion {shell}: {near(shell, WRITERS)}")
    return WRITERS[shell](commands)


def _places(command: Any) -> CommandWords:
    arguments = [row for row in command.params if row.param_type_name == "argument"]
    parts = [_parts(row.metavar) for row in arguments]
    if any(row.nargs == -1 for row in arguments):  # the last one repeats
        parts = [*parts[:1], parts[-1]]
    options = {"--help": Option("Show the options of the command.", None)}
    for row in command.params:
        if row.param_type_name == "option":
            metavar = None if row.is_flag else row.metavar
            options[row.opts[0]] = Option(row.help or "", metavar)
    first, rest = [*chain(*parts[:1])], [*chain(*parts[1:])]
    return CommandWords((command.help or "").partition("\n")[0], first, rest, options)


def _parts(metavar: str) -> list[str]:
    """Return the alternatives of a metavar.

    >>> _parts("[FAMILY|WORD]"), _parts("[FAMILY]..."), _parts("local|ray")
    (['FAMILY', 'WORD'], ['FAMILY'], ['local', 'ray'])
    """
    return metavar.strip("[].").split("|")


def _words(parts: Iterable[str]) -> list[str]:
    """Return the words that may be written for the parts of a metavar: those in small letters, and names."""
    words = list[str]()
    for part in parts:
        words += NAMES[part]() if part in NAMES else [part] * part.islower()
    return sorted(words)


def _bash(commands: dict[str, CommandWords]) -> str:
    options, values = list[str](), list[str]()
    places = [f'" rest") words={quote(" ".join(commands))} ;;']
    for name, command in commands.items():
        options.append(f"{name}) options={quote(' '.join(command.options))} ;;")
        for option, (_, metavar) in command.options.items():
            if metavar is not None:
                words = " ".join(_words(_parts(metavar)))
                values.append(f'"{name} {option}") words={quote(words)} ;;')
        for place, parts in (("first", command.first), ("rest", command.rest)):
            if parts:
                words = f"words={quote(' '.join(_words(parts)))} files={quote(' '.join(parts))}"
                places.append(f'"{name} {place}") {words} ;;')
    between = "\n    "
    return BASH.format(
        options=between.join(options), values=between.join(values), places=f"{between}  ".join(places)
    )


def _zsh(commands: dict[str, CommandWords]) -> str:
    return ZSH + _bash(commands)


def _fish(commands: dict[str, CommandWords]) -> str:
    lines = []
    for name, command in commands.items():
        lines.append(f"complete -c rivalry -n __fish_use_subcommand -a {name} -d {_fish_quote(command.help)}")
        start = f"complete -c rivalry -n '__rivalry_at {name}"
        for option, (help, metavar) in command.options.items():
            allowed = " ".join(_words(_parts(metavar or "")))
            value = f" -x -a {_fish_quote(allowed)}" if allowed else " -r -F" * (metavar is not None)
            lines.append(f"{start} 2 {LAST}' -l {option[2:]} -d {_fish_quote(help)}{value}")
        for parts, ends in ((command.first, "2 2"), (command.rest, f"3 {LAST}")):
            files = [FISH_FILES[part] for part in parts if part in FISH_FILES]
            words = " ".join([*_words(parts), *files])
            lines += [f"{start} {ends}' -a {_fish_quote(words)}"] * bool(words)
    return FISH + "\n".join([*lines, ""])


def _fish_quote(text: str) -> str:
    r"""Return a text as one word of fish.

    >>> print(_fish_quote("a run's folder"))
    'a run\'s folder'
    """
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


WRITERS = {"bash": _bash, "zsh": _zsh, "fish": _fish}
