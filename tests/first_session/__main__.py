"""Replay a newcomer's first session in an empty folder, and write down every command with its output.

    python -m tests.first_session                            with the rivalry of this Python
    python -m tests.first_session --transcript session.txt   commands, outputs, exit statuses and seconds

Exits with 1 where a command ends otherwise than expected, prints a traceback, or lacks the words it must say.
The commands of the README's quick start are not among them: .ci/run runs those.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.first_session.replay import replay
from tests.first_session.steps import files, session


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--transcript", type=Path, help="default: printed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text, faults = replay(session(), Path(folder), files())
    if options.transcript:
        options.transcript.write_text(text, encoding="utf-8")
    else:
        print(text)
    print("\n".join([*faults, text.splitlines()[-1]]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
