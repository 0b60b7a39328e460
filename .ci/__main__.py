"""Everything that must hold, on a clean clone of the committed state: `.ci/run`.

A section that fails does not stop the others: the end prints all of them, and the exit status is 1 if any
failed. Short sections come first. Every run takes all default tests, those of the slow and nightly tests that
fall to its share (of 16, by the number of commits), the nearest of those that the last change reaches, and
the sections of its share (of 8): sixteen successive runs hold everything.

Compiled programs and kernels, times of tests and stamps are kept in a folder outside the checkout
(RIVALRY_CHECK_CACHE, by default rivalry-check in the user's cache folder). Share 0 starts without compiled
programs. A section that has passed for the same content, libraries and interpreter is not repeated, nor is a
test: an interrupted run goes on where it was. With CI in the environment, or --all, everything is run.

    .ci/run --since REV     the short checks, and the tests near what changed since REV, for a few minutes
    .ci/run --share all     all slow and nightly tests, and the sections of all shares
    .ci/run --only types docs
"""

from __future__ import annotations

import argparse
import contextlib
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from check import SHARES, Check, Section, forget, git
from sections import QUICK, SECTIONS, TESTED, prepare, tests_near


@contextlib.contextmanager
def _work() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="rivalry-check-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Run all sections that the options choose."""
    parser = argparse.ArgumentParser(
        prog=".ci/run", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--all", action="store_true", help="repeat what has passed before")
    parser.add_argument("--cold", action="store_true", help="start with empty caches")
    parser.add_argument("--share", default="", help="0 to 7, or all; by default the number of commits mod 8")
    parser.add_argument("--since", default="", metavar="REV", help="only what a change can reach")
    parser.add_argument(
        "--only", nargs="+", metavar="SECTION", help=", ".join(part.name for part in SECTIONS)
    )
    options = parser.parse_args()
    if options.share not in ("", "all", *map(str, range(SHARES))):
        parser.error(f"--share {options.share}: must be 0 to {SHARES - 1}, or all")
    if options.since and not git("rev-parse", "--verify", f"{options.since}^{{commit}}"):
        parser.error(f"--since {options.since}: no such revision")
    unknown = set(options.only or ()) - {section.name for section in SECTIONS}
    if unknown:
        parser.error(f"--only: no section {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a shell starts it beside others
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with _work() as work:
        check = Check(options, work)
        sections = [section for section in SECTIONS if set(section.shares) & set(check.shares)]
        if options.since:
            sections = [*QUICK, Section("tests near the change", tests_near, TESTED)]
        if options.only:
            sections = [section for section in SECTIONS if section.name in options.only]
        print(f"{platform.python_implementation()} {platform.python_version()}, commit {check.commit}")
        if git("status", "--porcelain"):
            print("note: changes that are not committed are not looked at")
        forget(check.kept)
        try:
            check.run(Section("preparation", prepare, ()))
            if check.results["preparation"].outcome == "passed":
                check.run_beside([section for section in sections if section.beside])
                for section in sections:
                    if not section.beside:
                        check.run(section)
        except KeyboardInterrupt:
            check.interrupt()
        return check.end()


if __name__ == "__main__":
    sys.exit(main())
