"""Plant each fault in a copy of the tree and report those that no test notices.

``python -m tests.faults`` plants all, ``python -m tests.faults 3 7`` the fourth and the eighth.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.faults import faults


def main(numbers: list[int]) -> int:
    survivors = 0
    for number, fault in enumerate(faults()):
        if numbers and number not in numbers:
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                word = "SURVIVES" if fault.survives(Path(folder)) else "noticed"
            except subprocess.TimeoutExpired:  # a loop that no longer ends is noticed too
                word = "noticed, by time"
        survivors += word == "SURVIVES"
        print(f"{number:3d} {word:16s} {fault.file}: {fault.put.splitlines()[0]}", flush=True)
    print(f"{survivors} planted faults survive")
    return int(survivors > 0)


sys.exit(main([int(word) for word in sys.argv[1:]]))
