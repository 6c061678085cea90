"""The verbs as one table: what parsing, help and completion all read.

Imports next to nothing: `envmagic --help` is to be quick.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "COMMON",
    "TERMINAL",
    "TERMINAL_VERBS",
    "VERBS",
    "Option",
    "Positional",
    "Verb",
    "options_of",
]


class Option(NamedTuple):
    """An option: its spellings, and what it takes (nothing without a `metavar`)."""

    flags: tuple[str, ...]
    help: str
    metavar: str = ""
    many: bool = False
    """Takes every word up to the next option, at least one."""
    words: tuple[str, ...] = ()
    """The only values it takes; see `choices`."""
    kind: str = ""
    """What its value is: `path`, `environment`, `kernel`, `backend`, `python`, `channel`, `package`
    (one that is installed) or nothing in particular."""
    in_terminal: bool = True
    """A terminal's help shows it; it is understood there in any case."""

    @property
    def choices(self) -> tuple[str, ...]:
        """The only values it takes; empty where there are others."""
        if self.kind != "backend":
            return self.words
        from envmagic.core.model import BackendName

        return tuple(name.value for name in BackendName)

    @property
    def key(self) -> str:
        """Its longest spelling, which names it in `Values`."""
        return max(self.flags, key=len)


class Positional(NamedTuple):
    """The words that belong to no option: how they are called and how many there may be."""

    metavar: str
    help: str
    least: int = 0
    most: int | None = None
    """None: any number."""
    kind: str = ""
    words: tuple[str, ...] = ()
    """The only ones there may be, where that is so."""

    @property
    def usage(self) -> str:
        shown = self.metavar + ("…" if self.most is None else "")
        return shown if self.least else f"[{shown}]"


class Verb(NamedTuple):
    """A verb, whole: what its words mean, which request they are, how its answer looks."""

    name: str
    asks: str
    """The function of `grammar.meaning` that makes its request, which names its operation."""
    shows: str
    """The module and function of `frontends.render` that say what became of it."""
    summary: str
    positional: Positional | None = None
    options: tuple[Option, ...] = ()
    examples: tuple[str, ...] = ()
    """Without the frontend's prefix."""
    notes: str = ""
    terminal: str = ""
    """The summary in a terminal, where it is another."""


_USE = Option(("--use",), "move the notebook there (the default)", in_terminal=False)
_NO_USE = Option(("--no-use",), "leave the notebook where it is", in_terminal=False)
_LEAVE = Option(
    ("--leave",), "leave plain values and environment variables where they are", in_terminal=False
)
_HERE = Option(("--here",), "also into what Jupyter itself runs in", in_terminal=False)
_FILE = Option(("-r", "--requirement"), "a requirements file", "FILE", kind="path")
_UPGRADE = Option(("-U", "--upgrade"), "take newer versions than those recorded or installed")
_TRUST = Option(("--trust",), "also from the package indexes that an uv.toml around it names")
_TARGET = Positional(
    "NAME|PATH", "a word with a separator or a leading '.' or '~' is a PATH", 1, 1, "environment"
)

CREATE_OPTIONS = (
    Option(("--with",), "requirements to install", "REQ", many=True),
    _FILE,
    Option(("--bare",), "do not install the requirements.txt beside the notebook"),
    Option(
        ("--python",),
        "a version (3.12), a specifier (>=3.11) or an interpreter",
        "V",
        kind="python",
    ),
    Option(("--backend",), "what makes it", "B", kind="backend"),
    Option(("--channel",), "conda channels", "C", many=True, kind="channel"),
    _UPGRADE,
    _TRUST,
    _USE,
    _NO_USE,
    _LEAVE,
)

EXPORT_FORMATS = (
    "pylock",
    "requirements",
    "pyproject",
    "pep723",
    "environment.yml",
    "docker",
    "binder",
)

VERBS = {
    verb.name: verb
    for verb in (
        Verb(
            "create",
            "create",
            "verbs.create",
            "make an environment, register it as a kernel, move the notebook to it",
            Positional("NAME|PATH", ".venv beside the notebook if not given", 0, 1, "environment"),
            CREATE_OPTIONS,
            ("create churn --python 3.12 --with pandas scikit-learn", "create"),
            "Without --with and -r it installs the requirements.txt beside the notebook, if any.",
            "make an environment and register it as a kernel",
        ),
        Verb(
            "attach",
            "attach",
            "verbs.create",
            "adopt an environment that exists; nothing is written into it, and it is never deleted",
            _TARGET,
            (_USE, _NO_USE, _LEAVE),
            ("attach ../venv", "attach base-ml"),
        ),
        Verb(
            "use",
            "use",
            "verbs.use",
            "move this notebook to an environment or kernel; plain values come along",
            Positional("NAME|PATH|KERNEL", "'python3' is the kernel it began on", 1, 1, "kernel"),
            (Option(("--drop",), "end the kernel left behind, with its variables"), _LEAVE),
            ("use churn", "use python3"),
            terminal="move a notebook to an environment or kernel: only in the notebook itself",
        ),
        Verb(
            "install",
            "install",
            "verbs.install",
            "install into the environment this notebook runs in, and record it",
            Positional("REQ", "requirements, quoted if they hold spaces"),
            (_FILE, _UPGRADE, _TRUST, _HERE),
            ("install pandas 'numpy>=2'", "install -r dev.txt"),
            terminal="install into the environment here, and record it",
        ),
        Verb(
            "uninstall",
            "uninstall",
            "verbs.install",
            "take packages out of the environment this notebook runs in, and of the record",
            Positional("PKG", "names of distributions", 1, kind="package"),
            (
                Option(("-y", "--yes"), "also what other packages there need"),
                Option(("--here",), "also out of what Jupyter itself runs in", in_terminal=False),
            ),
            ("uninstall pandas",),
            terminal="take packages out of the environment here, and of the record",
        ),
        Verb(
            "sync",
            "sync",
            "verbs.install",
            "install what the requirements beside the notebook ask for and the environment lacks",
            None,
            (
                Option(
                    ("--locked",), "what the lock beside it says, and fail where that is behind"
                ),
                Option(("--trust",), "also what comes from elsewhere than the package index"),
                _HERE,
            ),
            ("sync", "sync --locked"),
            "Versions are those of a pylock.toml beside it. Nothing is uninstalled and no file is"
            " changed.",
        ),
        Verb(
            "record",
            "record",
            "record.record",
            "write what the notebook imports to the requirements.txt beside it, or check it",
            Positional("[on|off] NOTEBOOK|DIR", "this notebook if not given", kind="record"),
            (
                Option(("--to",), "another file; '-' prints the lines", "FILE", kind="path"),
                Option(
                    ("--pin",),
                    "how versions are written",
                    "STYLE",
                    words=("exact", "compatible", "minimum", "none"),
                ),
                Option(
                    ("--env",),
                    "whose versions: an environment or 'none'",
                    "NAME|PREFIX",
                    kind="environment",
                ),
                Option(("--check",), "write nothing; exit 1 and show what differs"),
                Option(("--online",), "ask the package index about unknown import names"),
            ),
            ("record", "record on", "record --check"),
            "'on' keeps it true after every cell, 'off' stops that.",
        ),
        Verb(
            "list",
            "list_all",
            "overview.list_all",
            "all environments and kernels, and environments that can be attached",
            None,
            (
                Option(("--size",), "measure how much disk each one takes"),
                Option(("--all",), "each environment that other tools made, for any project"),
            ),
            ("list", "list --all"),
        ),
        Verb(
            "status",
            "status",
            "overview.status",
            "this notebook's environment, kernel and record",
            None,
            (),
            ("status",),
            terminal="the environment, kernel and record here, or of a notebook",
        ),
        Verb(
            "plan",
            "plan",
            "plan.plan",
            "which environment this notebook would run in by itself, and what says so",
            Positional("NOTEBOOK", "another notebook", 0, 1, "path"),
            (),
            ("plan",),
            "Nothing is made, installed or changed.",
            terminal="which environment a notebook would run in by itself, and what says so",
        ),
        Verb(
            "remove",
            "remove",
            "verbs.remove",
            "take away the kernel, and the environment if envmagic made it",
            _TARGET,
            (
                Option(("-y", "--yes"), "do it; without it the plan is shown"),
                Option(("-n", "--dry-run"), "show the plan, exit 0"),
            ),
            ("remove churn", "remove churn --yes"),
        ),
        Verb(
            "doctor",
            "doctor",
            "overview.doctor",
            "everything that is broken or about to be, each with its remedy",
            None,
            (
                Option(("--fix",), "mend what is ours"),
                Option(("--report",), "show the last error that was not foreseen, to be sent"),
            ),
            ("doctor", "doctor --fix"),
        ),
        Verb(
            "autoload",
            "autoload",
            "overview.autoload",
            "have IPython load envmagic at each start, so that %env needs no %load_ext",
            Positional("on|off", "without it, how it stands is said", 0, 1, words=("on", "off")),
            (),
            ("autoload on", "autoload"),
            "It writes one file into IPython's default profile, and 'off' takes that away.",
        ),
        Verb(
            "lock",
            "lock",
            "lock.lock",
            "write pylock.toml: what the record needs, all in the installed versions, with hashes",
            Positional("NOTEBOOK|DIR", "this notebook if not given", kind="path"),
            (
                Option(("--to",), "another file, pylock.NAME.toml", "FILE", kind="path"),
                Option(("--check",), "write nothing; exit 1 and show what differs"),
                Option(("--universal",), "for all platforms and Pythons, not only this one"),
            ),
            ("lock", "lock --check"),
        ),
        Verb(
            "history",
            "history",
            "history.history",
            "every change of the environment this notebook runs in, also by %pip and other tools",
            None,
            (Option(("--all",), "every one that is kept, not only the latest"),),
            ("history", "history --json"),
            terminal="every change of the environment here, also by other tools",
        ),
        Verb(
            "undo",
            "undo",
            "history.undo",
            "take the last change back, versions and all; it is itself undone by undo",
            Positional("N", "back to before change N of the history", 0, 1),
            (Option(("--here",), "also in what Jupyter itself runs in", in_terminal=False),),
            ("undo", "undo 12"),
            terminal="take the last change of the environment here back, versions and all",
        ),
        Verb(
            "restore",
            "restore",
            "restore.restore",
            "make the environment that the notebook had: as locked, as recorded, or as of a date",
            Positional(
                "[NOTEBOOK] NAME|PATH",
                "this notebook and the environment that it says, if not given",
                0,
                2,
                "environment",
            ),
            (
                Option(("--as-of",), "nothing that was uploaded after that day", "DATE"),
                Option(("--python",), "another Python than it had", "V", kind="python"),
                Option(("-n", "--dry-run"), "show the plan and change nothing"),
                _TRUST,
                _HERE,
            ),
            ("restore", "restore old.ipynb --as-of 2023-05-01"),
            "Of a lock every hash is checked. What cannot be had exactly is listed.",
            "make the environment that a notebook had: as locked, as recorded, or as of a date",
        ),
        Verb(
            "export",
            "export",
            "export.export",
            "the record, and its lock where there is one, as other tools read it",
            Positional("FORMAT", ", ".join(EXPORT_FORMATS), 1, 1, words=EXPORT_FORMATS),
            (
                Option(("--to",), "write this file, or directory, instead", "FILE", kind="path"),
                Option(("--hashes",), "requirements: with the hashes of the lock"),
                Option(("--group",), "pyproject: another dependency group than notebook", "NAME"),
                Option(("--cell",), "pep723: put the block into a new cell", in_terminal=False),
            ),
            ("export requirements", "export pyproject --to pyproject.toml", "export binder"),
            "What is one text is printed without --to. No file that a person wrote is overwritten.",
        ),
        Verb(
            "clone",
            "clone",
            "copies.clone",
            "make another environment with the very same in it, and a kernel of its own",
            Positional("FROM TO", "NAME or PATH of each", 2, 2, "environment"),
            (Option(("--use",), "move the notebook there", in_terminal=False),),
            ("clone churn churn2", "clone ../venv trial"),
            "No package is fetched or built again where it can be copied.",
        ),
        Verb(
            "rename",
            "rename",
            "copies.rename",
            "call an environment otherwise: its directory, kernel and history go along",
            Positional("OLD NEW", "NAME or PATH of each", 2, 2, "environment"),
            (),
            ("rename churn leavers",),
            "One in a directory of yours stays there and gets the NAME, or is moved to a PATH.",
        ),
        Verb(
            "upgrade",
            "upgrade",
            "upgrade.upgrade",
            "take the newest versions within what you wrote, and say why the rest stays",
            Positional("PKG", "only these, and what they need", kind="package"),
            (
                Option(("--python",), "make it anew on another Python", "V", kind="python"),
                Option(("-n", "--dry-run"), "show what would change, and change nothing"),
                Option(("--audit",), "look up known vulnerabilities of what is installed"),
                _TRUST,
                Option(("--here",), "also in what Jupyter itself runs in", in_terminal=False),
            ),
            ("upgrade --dry-run", "upgrade pandas", "upgrade --python 3.13"),
            "Your lines in requirements.txt and the body of %%env hold; undo takes it back.",
        ),
        Verb(
            "ship",
            "ship",
            "ship.ship",
            "give this notebook's environment to Dask, Ray or Spark, or to an image of it",
            Positional(
                "ENGINE [ADDRESS|DIR]",
                "dask, ray or spark; docker or binder, which build an image of DIR",
                1,
                2,
                kind="engine",
            ),
            (
                Option(
                    ("--check",), "send and write nothing; show what each has, exit 1 if it differs"
                ),
                Option(("--to",), "spark: where the archive is written", "FILE", kind="path"),
                Option(
                    ("--env-var", "--env"),
                    "environment variables that go along; no other does",
                    "KEY",
                    many=True,
                ),
                Option(("--index",), "the index that workers install from", "URL"),
            ),
            ("ship dask", "ship ray auto --env-var TOKEN", "ship docker image"),
        ),
    )
}

COMMON = (
    Option(("-h", "--help"), "show this"),
    Option(("--json",), "the answer as JSON"),
)
TERMINAL = (
    Option(("--notebook",), "which notebook is meant", "FILE", kind="path"),
    Option(
        ("--env",),
        "which environment is meant; .venv here if not given",
        "NAME|PREFIX",
        kind="environment",
    ),
)
# The verbs about "this notebook", which a terminal has to name. `record` has both as words of its
# own; `create` and `attach` need no environment.
TERMINAL_VERBS = {
    "create": ("--notebook",),
    "attach": ("--notebook",),
    "use": ("--notebook",),
    "install": ("--notebook", "--env"),
    "uninstall": ("--notebook", "--env"),
    "sync": ("--notebook", "--env"),
    "status": ("--notebook", "--env"),
    "lock": ("--env",),
    "history": ("--notebook", "--env"),
    "undo": ("--notebook", "--env"),
    "export": ("--notebook", "--env"),
    "upgrade": ("--notebook", "--env"),
    "ship": ("--notebook", "--env"),
}


def options_of(verb: Verb, *, terminal: bool) -> tuple[Option, ...]:
    """Every option that `verb` takes in a terminal or a notebook, its own first."""
    here = TERMINAL_VERBS.get(verb.name, ()) if terminal else ()
    added = [o for o in TERMINAL if o.key in here]
    taken = {flag for option in added for flag in option.flags}
    own = (o._replace(flags=tuple(f for f in o.flags if f not in taken)) for o in verb.options)
    return (*own, *added, *COMMON)
