"""`python -m envmagic`: the terminal's frontend."""

import sys

# `python -m` puts the working directory first, where files may be called like any module
if __name__ == "__main__" and not getattr(sys.flags, "safe_path", False):
    del sys.path[0]

from envmagic.frontends.terminal.cli import run

if __name__ == "__main__":
    run()
