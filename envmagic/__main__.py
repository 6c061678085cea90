"""`python -m envmagic`: the terminal's door."""

import sys

from envmagic.cli import main

if __name__ == "__main__":
    sys.exit(main())
