"""From an import to the distribution that has to be installed: a chain, the first answer wins."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from envmagic.core.names import normalized
from envmagic.distributions.index import Index
from envmagic.distributions.known import KnownName, known
from envmagic.distributions.mistaken import meant_by

__all__ = ["Evidence", "Resolution", "Resolver", "is_provided", "is_standard"]

# Modules of Python 2 and of standard libraries before today's.
_FORMER = frozenset(
    """
    __builtin__ BaseHTTPServer ConfigParser Cookie cPickle cProfile cStringIO CGIHTTPServer
    commands cookielib copy_reg dbhash dircache dl dummy_thread dummy_threading exceptions
    fpformat future_builtins gdbm htmllib HTMLParser htmlentitydefs httplib ihooks imputil md5
    mhlib mimetools MimeWriter mimify multifile mutex new popen2 posixfile Queue repr rexec
    robotparser rfc822 sets sgmllib sha SimpleHTTPServer SimpleXMLRPCServer SocketServer sre
    statvfs StringIO stringold thread tkColorChooser tkCommonDialog tkFileDialog tkFont
    Tkinter tkMessageBox tkSimpleDialog ScrolledText Tix Tkconstants ttk Dialog FileDialog
    turtledemo urllib2 urlparse user UserDict UserList UserString whichdb xmlrpclib _winreg
    asynchat asyncore binhex distutils formatter imp macpath parser smtpd symbol aifc audioop
    cgi cgitb chunk crypt imghdr mailcap msilib nis nntplib ossaudiodev pipes sndhdr spwd
    sunau telnetlib uu xdrlib lib2to3 tomllib zoneinfo graphlib annotationlib compression
    pathlib _bootlocale asyncio typing dataclasses enum contextvars
    """.split()
)
# What a platform puts there and pip does not install.
_PROVIDED = frozenset(
    """
    google.colab kaggle_secrets kaggle_web_client kaggle_datasets dbutils dbruntime
    databricks.automl databricks.automl_runtime notebookutils mssparkutils awsglue awsglueml
    arcpy js pyodide pyodide_js pyodide_kernel piplite micropip project_lib nemesis_platform
    quantopian qgis pcbnew FreeCAD hou maya nuke unreal ROOT deepnote_toolkit datalore
    lets_plot_datalore _snowflake ibm_watson_studio_lib
    __main__ get_ipython _dh __builtins__ jupyterlite pip _pytest_ipython
    """.split()
)
# Never recorded: what the notebook runs on.
NEVER = frozenset({"pip", "envmagic", "ipykernel"})


class Evidence(str, Enum):
    """Where an answer comes from."""

    ENVIRONMENT = "environment"
    IMPORT_NAME = "import-name"
    INSTALL_LINE = "install-line"
    TABLE = "table"
    IDENTITY = "identity"
    USED_AS = "used-as"


@dataclass(frozen=True)
class Resolution:
    """The distribution for an import."""

    name: str
    """Normalised."""
    evidence: Evidence
    alternatives: tuple[str, ...] = ()
    """Others that hold the module too."""


def is_standard(top: str) -> bool:
    """Whether `top` is in the standard library of this or an earlier Python."""
    return top in sys.stdlib_module_names or top in _FORMER


def is_provided(dotted: str) -> bool:
    """Whether a platform (Colab, Databricks, Kaggle, …) provides `dotted`."""
    while dotted:
        if dotted in _PROVIDED:
            return True
        dotted = dotted.rpartition(".")[0]
    return False


class Resolver:
    """Answers for one notebook: its environment, its install lines, names the user supplied.

    `installs` are the distributions that it installs, `sources` those among them from a URL,
    `listed` those that its requirements file names already; `names` maps imports to distributions
    and comes before everything; `projects` are the modules of those that it installs from a path.
    `imported` are the dotted names that it imports: they tell what a name means that any project
    may have.
    """

    def __init__(
        self,
        index: Index | None,
        installs: Sequence[str] = (),
        sources: Sequence[str] = (),
        listed: Collection[str] = (),
        names: Mapping[str, str] | None = None,
        projects: Mapping[str, str] | None = None,
        imported: Iterable[str] = (),
    ) -> None:
        self._index = index
        self._installs = frozenset(installs)
        self._sources = frozenset(sources)
        self._listed = frozenset(listed)
        self._names = dict(names or {})
        self._projects = dict(projects or {})
        self._told = imported
        self._known = known()
        self._held: dict[str, Resolution | None] = {}

    @cached_property
    def _imported(self) -> set[str]:
        """What is imported, and what is above it; few notebooks import what it is asked for."""
        return {above for dotted in self._told for above in _and_above(dotted)}

    def is_namespace(self, dotted: str) -> bool:
        """Whether what is imported below `dotted` decides, as in `from google.cloud import x`."""
        if self._index is not None and self._index.is_shared(dotted):
            return True
        return self._known.is_namespace(dotted) or dotted in self._known.above

    def resolve(self, dotted: str) -> Resolution | None:
        """The distribution that holds the module `dotted`, or None when none is known."""
        if dotted not in self._held:
            self._held[dotted] = self._resolve(dotted)
        return self._held[dotted]

    def _resolve(self, dotted: str) -> Resolution | None:
        supplied = self._supplied(dotted)
        if supplied is not None:
            return Resolution(supplied, Evidence.TABLE)
        guess = self._known.distribution_of(dotted)
        if self._index is not None:
            found = self._installed(self._index, dotted, guess[0] if guess else None)
            if found is not None:
                return found
        if meant_by(dotted.partition(".")[0]) is not None:
            return None
        project = self._projects.get(dotted.partition(".")[0])
        if project is not None:
            return Resolution(project, Evidence.INSTALL_LINE)
        row = guess[0] if guess else None
        named = self._named(dotted, row)
        if named is not None:
            return named
        if guess is None or row is None or row.distribution is None:
            same = _same_name(dotted, self._listed)
            return Resolution(same, Evidence.INSTALL_LINE) if same else None
        usual = (row.distribution, *row.alternatives)
        top = dotted.partition(".")[0]
        meant = top not in self._known.general or self._known.is_meant(top, self._imported)
        if not meant and self._listed.isdisjoint(usual):
            same = _same_name(dotted, self._listed | self._installs)
            return Resolution(same, Evidence.INSTALL_LINE) if same else None
        best = next((name for name in usual if name in self._listed), row.distribution)
        return Resolution(best, Evidence(guess[1]), tuple(u for u in usual if u != best))

    def _supplied(self, dotted: str) -> str | None:
        while dotted:
            if dotted in self._names:
                return normalized(self._names[dotted])
            dotted = dotted.rpartition(".")[0]
        return None

    def _installed(self, index: Index, dotted: str, row: KnownName | None) -> Resolution | None:
        owners = [name for name in index.owners(dotted) if name not in NEVER]
        declared = index.declared_owner(dotted)
        if declared is not None:
            others = tuple(name for name in owners if name != declared)
            return Resolution(declared, Evidence.IMPORT_NAME, others)
        several = 2
        if not owners and not self._known.is_namespace(dotted):
            # a namespace by itself is that of the only distribution that has something below it
            owners, several = list(index.namespaces.get(dotted, ())), 1
        added = self._known.added(dotted)
        if not owners or (added is not None and index.lacks(added)):
            return None
        usual = [row.distribution, *row.alternatives] if row is not None else []
        usual += [normalized(dotted.partition(".")[0])]
        best = min(owners, key=lambda name: usual.index(name) if name in usual else len(usual))
        # many distributions leave a module of one name (tests, docs): no guess between them
        if len(owners) > several and best not in usual:
            return None
        if self._known.is_namespace(dotted) and len(owners) > 1:
            return None
        return Resolution(best, Evidence.ENVIRONMENT, tuple(o for o in owners if o != best))

    def _named(self, dotted: str, row: KnownName | None) -> Resolution | None:
        """What the notebook itself installs, where that agrees with the import."""
        if not self._installs:
            return None
        parts = dotted.split(".")
        for length in range(len(parts), 1, -1):  # new members of a family are not in any table
            whole = normalized("-".join(parts[:length]))
            if whole in self._installs and self.is_namespace(".".join(parts[: length - 1])):
                return Resolution(whole, Evidence.INSTALL_LINE)
        top = normalized(parts[0])
        usual = [row.distribution, *row.alternatives] if row is not None else []
        if top in self._sources:
            # a repository has the module's name more often than the distribution's
            best = usual[0] if usual and usual[0] and top not in usual else top
            return Resolution(best, Evidence.INSTALL_LINE)
        for name in usual:
            if name in self._installs:
                assert name is not None
                others = tuple(u for u in usual if u is not None and u != name)
                return Resolution(name, Evidence.INSTALL_LINE, others)
        if row is not None and row.distribution is not None:
            return None
        same = _same_name(dotted, self._installs)
        return Resolution(same, Evidence.INSTALL_LINE) if same else None


def _and_above(dotted: str) -> Iterator[str]:
    while dotted:
        yield dotted
        dotted = dotted.rpartition(".")[0]


def _same_name(dotted: str, names: frozenset[str]) -> str | None:
    """The one of `names` that is called like the module, as far up as possible."""
    parts = dotted.split(".")
    for length in range(len(parts) if names else 0, 0, -1):
        same = normalized("-".join(parts[:length]))
        for form in (same, f"python-{same}", f"py{same}", f"{same}-python", f"py-{same}"):
            if form in names:
                return form
    return None
