"""``python -m rivalry``: the command line."""

import sys

from rivalry.cli import main

if __name__ == "__main__":
    sys.exit(main())
