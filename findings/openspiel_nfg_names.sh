#!/usr/bin/env bash
# OpenSpiel does not read the .nfg files that Gambit writes.
#
# Gambit names the strategies in a file in strategic form. Guess: OpenSpiel's load_nfg_game, which loads "a gambit
# normal form game", reads it. It reads only files with the numbers of strategies, and without a comment: the same
# game with names, and the one with an empty comment, are errors.
#
# Seen on 2026-11-28 with open_spiel 2.0.2: "numbers: read", "names: SpielError", "numbers and a comment: SpielError".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet open_spiel==2.0.2
"$folder/env/bin/python" - <<'P'
from importlib.metadata import version

import pyspiel

HEAD = 'NFG 1 R "stag hunt" { "first" "second" }'
PAYS = "4 4\n3 0\n0 3\n3 3\n"
FILES = {
    "numbers": f"{HEAD}\n{{ 2 2 }}\n\n{PAYS}",
    "names": f'{HEAD}\n{{ {{ "stag" "hare" }} {{ "stag" "hare" }} }}\n\n{PAYS}',
    "numbers and a comment": f'{HEAD}\n{{ 2 2 }}\n""\n\n{PAYS}',
}
print("open_spiel", version("open_spiel"))
seen = {}
for name, text in FILES.items():
    try:
        pyspiel.load_nfg_game(text)
        seen[name] = "read"
    except pyspiel.SpielError as error:
        seen[name] = type(error).__name__
    print(f"{name}: {seen[name]}")
assert list(seen.values()) == ["read", "SpielError", "SpielError"], "the behaviour has changed"
P
