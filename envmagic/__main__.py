"""`python -m envmagic`: the terminal's frontend."""

from envmagic.frontends.terminal.cli import run

if __name__ == "__main__":
    run()
