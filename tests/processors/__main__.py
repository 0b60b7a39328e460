"""Run the quick form of studies as older processors would, and compare claims and verdicts.

    python -m tests.processors                        every bundled study under every setting: hours
    python -m tests.processors --setting sse4 tour    one study, on the native instruction set and on SSE4.2
    python -m tests.processors --out processors.json  what was found, to compare later

Last digits may differ between processors; exit codes, statuses, claims and verdicts may not. Exits with 1
where one does.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from tests.processors.settings import SETTINGS, Outcome, differences, quick_run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("study", nargs="*", help="default: every bundled study without extra dependencies")
    parser.add_argument("--setting", action="append", choices=sorted(SETTINGS), help="default: all of them")
    parser.add_argument("--out", type=Path, help="write the outcomes to this JSON file")
    options = parser.parse_args()
    names = options.study or bundled()
    settings = dict.fromkeys(["native", *(options.setting or SETTINGS)])
    outcomes: dict[str, dict[str, Outcome]] = {}
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            for setting in settings:
                began = time.monotonic()
                outcome = quick_run(name, setting, Path(folder) / f"{name}-{setting}")
                outcomes.setdefault(name, {})[setting] = outcome
                different = differences(outcomes[name]["native"], outcome)
                failed += bool(different)
                word = "differs" if different else outcome["error"] or "same"
                print(f"{name:28} {setting:12} {time.monotonic() - began:6.1f} s  {word}", flush=True)
                for line in different:
                    print(f"    {line}", flush=True)
    if options.out:
        options.out.write_text(json.dumps(outcomes, indent=1), encoding="utf-8")
    return 1 if failed else 0


def bundled() -> list[str]:
    """Return the studies that need no library of an extra and are not made of others."""
    from rivalry.lab.study import load_study, studies

    return [name for name in sorted(studies()) if "_deep" not in name and not load_study(name).include]


if __name__ == "__main__":
    sys.exit(main())
