"""What an import or a string needs besides the distribution of the module: extras and plug-ins.

The extras are those that the distributions' metadata has (`Provides-Extra` of dask 2026.8,
fsspec 2026.9, lxml 6.1, pyspark 4.3, ray 2.60, tensorflow-probability 0.25, nilearn 0.14, pandas
3.1 and xarray 2026.9, whose extras also name the engines); the rest is what the modules import
themselves, and what the error names that one gets without it (geemap 0.37, bokeh 3.9, keras 3.15,
rdkit 2026.9, hvplot 0.12, matplotlib's and SQLAlchemy's own tables of backends and dialects).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

__all__ = ["PARTED", "Part", "parts_of", "plugin"]


class Part(NamedTuple):
    """What is needed: the first of `choices` (requirements), unless another of them is there."""

    choices: tuple[str, ...]
    unless: tuple[str, ...] = ()
    """Distributions that have it too."""
    is_open: bool = False
    """Any of the choices would do, and nothing says which is meant."""


def _part(words: str, *unless: str) -> Part:
    """`a|b`: either; `a?b`: either, and it is open which."""
    is_open = "?" in words
    return Part(tuple(words.split("?" if is_open else "|")), unless, is_open)


_QT = "pyqt6?pyside6?pyqt5?pyside2"
_QT5 = "pyqt5?pyside2"
_IMPORTS = {
    "IPython.parallel": _part("ipyparallel"),
    "bokeh.sampledata": _part("bokeh-sampledata"),
    "dask.array": _part("dask[array]"),
    "dask.dataframe": _part("dask[dataframe]"),
    "dask.distributed": _part("dask[distributed]"),
    "fastapi.testclient": _part("httpx"),
    "fsspec.implementations.http": _part("fsspec[http]"),
    "geemap.deck": _part("pydeck"),
    "geemap.kepler": _part("keplergl"),
    "hvplot.dask": _part("dask[dataframe]"),
    "hvplot.duckdb": _part("duckdb"),
    "hvplot.ibis": _part("ibis-framework"),
    "hvplot.intake": _part("intake"),
    "hvplot.networkx": _part("networkx"),
    "hvplot.polars": _part("polars"),
    "hvplot.streamz": _part("streamz"),
    "hvplot.xarray": _part("xarray"),
    "keras": _part("tensorflow?jax?torch", "tensorflow-cpu", "tensorflow-gpu", "tensorflow-macos"),
    "lxml.html.clean": _part("lxml[html-clean]", "lxml-html-clean"),
    "matplotlib.backends.backend_qt5agg": _part(_QT5),
    "matplotlib.backends.backend_qtagg": _part(_QT),
    "nilearn.plotting": _part("matplotlib"),
    "nilearn.reporting": _part("matplotlib"),
    "plotly.express": _part("plotly[express]", "numpy", "pandas"),
    "pyspark.ml": _part("pyspark[ml]", "numpy", "pandas"),
    "pyspark.mllib": _part("pyspark[mllib]", "numpy", "pandas"),
    "pyspark.pandas": _part("pyspark[pandas-on-spark]"),
    "ray.data": _part("ray[data]"),
    "ray.rllib": _part("ray[rllib]"),
    "ray.serve": _part("ray[serve]"),
    "ray.train": _part("ray[train]"),
    "ray.tune": _part("ray[tune]"),
    "rdkit.Chem.Draw.IPythonConsole": _part("ipython"),
    "starlette.testclient": _part("httpx"),
    "tensorflow_probability": _part("tensorflow-probability[tf]"),
    "tensorflow_probability.substrates.jax": _part("tensorflow-probability[jax]"),
    "torch.utils.tensorboard": _part("tensorboard"),
}
PARTED = frozenset(module.partition(".")[0] for module in _IMPORTS)
"""The packages of which some modules need more than what holds them."""

_STRINGS = {
    "matplotlib": {
        "widget": "ipympl",
        "ipympl": "ipympl",
        "module://ipympl.backend_nbagg": "ipympl",
        **dict.fromkeys(("qt", "qtagg", "qtcairo", "qt6", "qt6agg"), _QT),
        **dict.fromkeys(("qt5", "qt5agg", "qt5cairo"), _QT5),
        **dict.fromkeys(("wx", "wxagg", "wxcairo"), "wxpython"),
        **dict.fromkeys(("gtk3", "gtk3agg", "gtk3cairo", "gtk4", "gtk4agg"), "pygobject"),
    },
    "plotting": {
        "altair": "altair-pandas",
        "altair_pandas": "altair-pandas",
        "bokeh": "pandas-bokeh",
        "holoviews": "hvplot",
        "hvplot": "hvplot",
        "matplotlib": "matplotlib",
        "pandas_bokeh": "pandas-bokeh",
        "plotly": "plotly",
    },
    "engine": {
        "calamine": "python-calamine",
        "cfgrib": "cfgrib",
        "fastparquet": "fastparquet",
        "fiona": "fiona",
        "h5netcdf": "h5netcdf",
        "netcdf4": "netcdf4",
        "numba": "numba",
        "numexpr": "numexpr",
        "odf": "odfpy",
        "openpyxl": "openpyxl",
        "pyarrow": "pyarrow",
        "pydap": "pydap",
        "pyogrio": "pyogrio",
        "pyxlsb": "pyxlsb",
        "rasterio": "rioxarray",
        "scipy": "scipy",
        "xlrd": "xlrd",
        "xlsxwriter": "xlsxwriter",
        "xlwt": "xlwt",
        "zarr": "zarr",
    },
    "parser": {"html5lib": "html5lib", "lxml": "lxml", "lxml-xml": "lxml", "xml": "lxml"},
    "keras": {"jax": "jax", "tensorflow": "tensorflow", "torch": "torch"},
}
_READING_FILES = ("dask", "fsspec", "geopandas", "intake", "pandas", "xarray", "zarr")
_FILES = {
    **dict.fromkeys(("s3", "s3a"), "s3fs"),
    **dict.fromkeys(("gs", "gcs"), "gcsfs"),
    **dict.fromkeys(("abfs", "abfss", "adl", "az"), "adlfs"),
    "hf": "huggingface-hub",
}
_READING_DATABASES = ("databases", "pandas", "sql", "sqlalchemy", "sqlmodel")
_DATABASES = {
    **dict.fromkeys(("postgres", "postgresql", "postgresql+psycopg2"), "psycopg2-binary|psycopg2"),
    "awsathena+rest": "pyathena[sqlalchemy]",
    "bigquery": "sqlalchemy-bigquery",
    "clickhouse": "clickhouse-sqlalchemy",
    "clickhousedb": "clickhouse-connect",
    "cockroachdb": "sqlalchemy-cockroachdb",
    "databricks": "databricks-sqlalchemy",
    "duckdb": "duckdb-engine",
    "ibm_db_sa": "ibm-db-sa",
    "mssql": "pyodbc",
    "mssql+pymssql": "pymssql",
    "mssql+pyodbc": "pyodbc",
    "mysql": "mysqlclient",
    "mysql+aiomysql": "aiomysql",
    "mysql+asyncmy": "asyncmy",
    "mysql+mysqlconnector": "mysql-connector-python",
    "mysql+mysqldb": "mysqlclient",
    "mysql+pymysql": "pymysql",
    "oracle": "cx-oracle|oracledb",
    "oracle+cx_oracle": "cx-oracle",
    "oracle+oracledb": "oracledb",
    "postgresql+asyncpg": "asyncpg",
    "postgresql+pg8000": "pg8000",
    "postgresql+psycopg": "psycopg|psycopg-binary",
    "redshift": "sqlalchemy-redshift",
    "redshift+psycopg2": "sqlalchemy-redshift",
    "snowflake": "snowflake-sqlalchemy",
    "sqlite+aiosqlite": "aiosqlite",
    "teradatasql": "teradatasqlalchemy",
    "trino": "trino[sqlalchemy]",
}


def parts_of(dotted: str) -> tuple[Part, ...]:
    """What importing `dotted` needs besides what holds it: of the longest name that says so."""
    while dotted and dotted not in _IMPORTS:
        dotted = dotted.rpartition(".")[0]
    return (_IMPORTS[dotted],) if dotted else ()


def plugin(kind: str, value: str, tops: Collection[str]) -> tuple[Part, bool] | None:
    """What a use of that kind loads, and whether the code cannot run without it.

    An address alone may be for something else than the modules `tops` that are imported, and so may
    a parser's name; None where that is so, or where nothing has to be installed.
    """
    if kind == "address":
        files = _FILES.get(value) if not tops or {*tops} & {*_READING_FILES} else None
        found = files or (_DATABASES.get(value) if {*tops} & {*_READING_DATABASES} else None)
        return (_part(found), False) if found else None
    found = _STRINGS[kind].get(value)
    if found is None:
        return None
    part = _part(found)
    return part, kind != "parser" and not part.is_open
