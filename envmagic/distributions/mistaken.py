"""Names that people take for others: distributions for modules, and placeholders for what is meant.

`DISTRIBUTIONS` are called like no module of theirs, by the wheels; `LOWER` are modules that their
wheels have in small letters only. `PLACEHOLDERS` hold nothing and say in their own metadata or
error what to install: "deprecated sklearn package, use scikit-learn instead", "Dummy package for
Beautiful Soup", "A mirror package for discord.py. Please install that instead".
"""

from __future__ import annotations

import functools

from envmagic.distributions.known import known

__all__ = ["NAMESAKES", "meant_by", "meant_distribution"]

DISTRIBUTIONS = {
    "beautifulsoup": "bs4",
    "beautifulsoup4": "bs4",
    "biopython": "Bio",
    "gitpython": "git",
    "imbalanced_learn": "imblearn",
    "ipython": "IPython",
    "mysqlclient": "MySQLdb",
    "netcdf4": "netCDF4",
    "opencv": "cv2",
    "opencv_python": "cv2",
    "pil": "PIL",
    "pillow": "PIL",
    "psycopg2_binary": "psycopg2",
    "pycryptodome": "Crypto",
    "pyjwt": "jwt",
    "pymysqldb": "MySQLdb",
    "pyopengl": "OpenGL",
    "pyqt5": "PyQt5",
    "pyqt6": "PyQt6",
    "pyserial": "serial",
    "pyside2": "PySide2",
    "pyside6": "PySide6",
    "python_dateutil": "dateutil",
    "python_docx": "docx",
    "python_dotenv": "dotenv",
    "python_pptx": "pptx",
    "pytorch": "torch",
    "pyyaml": "yaml",
    "scikit_image": "skimage",
    "scikit_learn": "sklearn",
    "umap_learn": "umap",
}
LOWER = frozenset(
    """
    aiohttp altair anndata anthropic arviz asyncpg bokeh boto3 botocore cartopy catboost celery
    chromadb click contextily cryptography cupy cvxpy dash dask datasets diffusers django duckdb
    einops emcee evaluate faiss fastai fastapi fastparquet fiona flask flax folium fsspec gensim
    geopandas geopy geoviews gradio graphviz gurobipy gym gymnasium h5py holoviews httpx
    huggingface_hub hvplot igraph imageio ipykernel ipyleaflet ipympl ipywidgets jax jinja2 joblib
    jupyter jupyterlab kagglehub keplergl keras langchain lightgbm lightning llvmlite loguru lxml
    matplotlib mlflow mplfinance mpmath mypy nbconvert nbformat networkx nibabel nilearn nltk
    notebook numba numexpr numpy onnx onnxruntime openai openpyxl optuna osmnx pandas panel
    papermill peft pingouin plotly plotnine polars prefect prophet psutil psycopg psycopg2 pyarrow
    pydantic pydeck pygame pygments pymc pymongo pymysql pyodbc pyproj pyspark pytest pytz pyvis
    pyvista pywt qiskit rasterio rdkit redis regex requests rich scanpy scapy scipy scrapy seaborn
    selenium shap shapely skimage sklearn spacy sqlalchemy statsmodels streamlit sympy tabulate
    tensorboard tensorflow textblob tiktoken tokenizers torch torchaudio torchvision tqdm
    transformers tweepy ultralytics wandb wordcloud xarray xgboost xlrd xlsxwriter xlwt yfinance
    zarr
    """.split()
)
PLACEHOLDERS = {
    "beautifulsoup": "beautifulsoup4",
    "bs4": "beautifulsoup4",
    "discord": "discord-py",
    "django-rest-framework": "djangorestframework",
    "dotenv": "python-dotenv",
    "imblearn": "imbalanced-learn",
    "pytorch": "torch",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
}
# Placeholders since a version: what names none means the other.
RETIRED = {"tensorflow-gpu": "tensorflow", "tf-nightly-gpu": "tf-nightly"}
# Several distributions have such a module, and hold different things in it: the table has what
# tells them apart, `twitter.OAuth`.
NAMESAKES = frozenset("bson discord docx ffmpeg haystack jwt snappy twitter".split())


def meant_distribution(name: str, *, versioned: bool) -> str | None:
    """What installing the placeholder `name` (normalised) means; None for all others.

    `versioned`: the line asks for a version.
    """
    return PLACEHOLDERS.get(name) or (None if versioned else RETIRED.get(name))


def meant_by(top: str) -> str | None:
    """The module that is meant by `top`, which is none; None where it may be one."""
    if top in known().table or top in known().evidence or top in known().above:
        return None
    lower = top.lower()
    meant = DISTRIBUTIONS.get(lower)
    if meant is None and top != lower:
        meant = lower if lower in LOWER else _spelled().get(lower)
    return meant if meant != top else None


@functools.cache
def _spelled() -> dict[str, str]:
    """The modules of the table as they are spelled, by small letters."""
    return {m.lower(): m for m in (*known().evidence, *known().table) if "." not in m}
