"""The command ``rivalry-check FILE...``: status 0 if all are verified, 1 if one is not, 2 if damaged."""

import gzip
import json
import sys
import zlib
from hashlib import sha256

from rivalry_check import STEP, STEPS, Damaged, Refuted, finite, grammar, smooth

UNREAD = (
    OSError,
    EOFError,
    zlib.error,
    MemoryError,
    RecursionError,
    json.JSONDecodeError,
    UnicodeDecodeError,
)
BROKEN = (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError)
GAME = {"coordinates", "space", "parameters", "payoffs", "totals", "actions", "sets", "leaves"}
GAME |= {"rounds", "observes", "memory", "discount", "periods"}  # keys that say what the game is
SHOWN = 12  # equilibria in a line without --points


def check(path, factor=1, limit=SHOWN, steps=STEPS):
    """Proved claims of a file of JSON, packed by gzip or not, in words, with the digest of its game."""
    STEP.allow(factor * steps)
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    with (gzip.open if packed else open)(path, "rb") as file:
        return proved(grammar.load(file.read(factor * grammar.BYTES + 1), factor), limit)


def proved(document, limit=SHOWN):
    """Proved claims of a document in words, with the digest of its game."""
    if document["kind"] == "periods":  # payoffs are sums over them: an equilibrium is one of each
        games = document["periods"]
        if not games or any(game["space"]["player"] != games[0]["space"]["player"] for game in games):
            raise Damaged("periods must be games of the same players, with as many choices")
        statement = "; ".join(f"period {k}: {smooth.check(game, limit)}" for k, game in enumerate(games, 1))
    else:
        statement = {"smooth": smooth, "finite": finite, "policy": finite}[document["kind"]].check(
            document, limit
        )
    return f"{statement}; game {digest(document)}"


def digest(document):
    """Return the first digits of the SHA-256 of what a document says of its game, whatever it proves."""
    periods = {"periods": [digest(game) for game in document.get("periods", ())]}
    game = {name: value for name, value in (document | periods).items() if name in GAME}
    return sha256(json.dumps(game, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]


def main(words=None):
    """Print a line per file and return the status."""
    words, status = sys.argv[1:] if words is None else words, 0
    options = {word for word in words if word in ("--large", "--points")}
    paths = [word for word in words if word not in options]
    if not paths or {"-h", "--help"} & set(paths):
        print("usage: rivalry-check [--large] [--points] FILE...")
        return 0 if paths else 2
    factor = grammar.LARGER if "--large" in options else 1
    limit = None if "--points" in options else SHOWN
    for path in paths:
        try:
            line, result = f"verified: {check(path, factor, limit)}", 0
        except Refuted as error:
            line, result = f"not verified: {error}", 1
        except Damaged as error:
            line, result = f"damaged: {error}", 2
        except FileNotFoundError:
            line, result = "no such file", 2
        except UNREAD as error:
            line, result = f"damaged: not a readable file of JSON ({type(error).__name__})", 2
        except BROKEN as error:
            message = f"{type(error).__name__}: {str(error)[:80]!r}"
            line, result = f"damaged: an entry is not as specified ({message})", 2
        name = path if path.isprintable() else ascii(path)  # a name may hold a line of its own
        print(f"{name}: {line if line.isprintable() else ascii(line)}", flush=True)
        status = max(status, result)
    return status


if __name__ == "__main__":
    sys.exit(main())
