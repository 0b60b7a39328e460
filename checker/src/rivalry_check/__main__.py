"""The command ``rivalry-check FILE...``: status 0 if all are verified, 1 if one is not, 2 if damaged."""

import gzip
import json
import sys
import zlib

from rivalry_check import Damaged, Refuted, finite, smooth

LARGEST = 2**29  # bytes of a file, once it is unpacked
UNREAD = (OSError, EOFError, zlib.error, MemoryError, RecursionError)
BROKEN = (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError)


def check(path):
    """Return what a file of JSON, packed by gzip or not, proves in words."""
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    with (gzip.open if packed else open)(path, "rb") as file:
        text = file.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise Damaged(f"larger than {LARGEST} bytes")
    document = json.loads(text)
    if not isinstance(document, dict) or document.get("format") != "rivalry-proof":
        raise Damaged("not a proof file: its format must be 'rivalry-proof'")
    if document.get("version") != 2:
        raise Damaged(f"version {str(document.get('version'))[:20]}; this program reads version 2")
    if document["kind"] == "periods":  # payoffs are sums over them: an equilibrium is one of each
        each = [smooth.check(one) for one in document["periods"]]
        if not each:
            raise Damaged("no periods")
        if len(set(each)) == 1:
            return f"each of {len(each)} periods: {each[0]}"
        return "; ".join(f"period {k}: {found}" for k, found in enumerate(each, 1))
    return {"smooth": smooth, "finite": finite, "policy": finite}[document["kind"]].check(document)


def main(paths=None):
    """Print a line per file and return the status."""
    status = 0
    paths = sys.argv[1:] if paths is None else paths
    if not paths:
        print("usage: rivalry-check FILE...")
        return 2
    for path in paths:
        try:
            line, found = f"verified: {check(path)}", 0
        except Refuted as error:
            line, found = f"not verified: {error}", 1
        except Damaged as error:
            line, found = f"damaged: {error}", 2
        except UNREAD as error:
            line, found = f"damaged: not a readable file of JSON ({type(error).__name__})", 2
        except BROKEN as error:
            line, found = (
                f"damaged: an entry is not as specified ({type(error).__name__}: {str(error)[:80]!r})",
                2,
            )
        print(f"{path}: {line}", flush=True)
        status = max(status, found)
    return status


if __name__ == "__main__":
    sys.exit(main())
