"""Which modules a script may import: data work, and the harmless part of the standard library."""

import ast
import sys
from collections.abc import Iterator

from tools.lint.finding import Finding, Place, error, security
from tools.lint.parts import ALLOWED, SYSTEM, judged
from tools.lint.program import Program, words

DATA = words(
    """
    numpy pandas scipy sklearn lightgbm xgboost catboost joblib pyarrow polars statsmodels imblearn duckdb
    category_encoders optuna matplotlib mpl_toolkits seaborn plotly altair threadpoolctl tqdm rapidfuzz snowballstemmer
    torch tensorflow keras shap sktime narwhals patsy networkx sympy numba numexpr bottleneck openpyxl xlsxwriter xlrd
    python_calamine PIL skimage imageio cv2 umap hdbscan prophet lifelines pingouin mlxtend xarray h5py tables
    geopandas shapely bokeh tabulate rich dateutil pytz yaml IPython nltk spacy gensim textblob Levenshtein jellyfish
    fastparquet great_tables missingno wordcloud jinja2 pydantic pandera attr attrs simplejson orjson ruptures
    psutil bs4 html5lib lxml hyperopt sqlalchemy chardet arch pmdarima feature_engine lightning eli5 lime
    interpret squarify
    """
)
"""Packages for data work. Not all are installed everywhere: a missing one ends the run with a plain ImportError."""

PLAIN = words(
    """
    __future__ abc argparse array ast bisect calendar cmath collections colorsys configparser contextlib contextvars
    copy csv dataclasses datetime decimal difflib email encodings enum errno fnmatch fractions functools gc getopt
    graphlib hashlib heapq hmac html io ipaddress itertools json keyword locale logging math mimetypes numbers operator
    optparse platform pprint queue random re reprlib secrets shlex stat statistics string struct textwrap threading
    time timeit tokenize tomllib traceback tracemalloc types typing unicodedata uuid warnings wave weakref xml
    zoneinfo asyncio mailbox pathlib glob tempfile gzip bz2 lzma zipfile tarfile zlib base64 binascii codecs quopri
    cProfile pstats typing_extensions
    """
)
"""Standard library without a way out; files (files.py) and decoders (obfuscation.py) are judged call by call."""

NETWORK = words(
    """
    socket _socket ssl urllib2 urllib3 ftplib smtplib poplib imaplib nntplib telnetlib socketserver xmlrpc
    asyncore select selectors webbrowser wsgiref cgi requests httpx aiohttp websocket websockets
    paramiko boto3 botocore s3fs gcsfs fsspec openai anthropic huggingface_hub datasets transformers mlflow
    wandb kaggle scapy zmq pycurl grpc redis pymongo psycopg psycopg2 mysql telegram dns pysftp
    azure google snowflake clickhouse_driver pymysql pyodbc yfinance
    """
)
PROCESS = words("subprocess pty tty posix nt commands sh pexpect sched crontab fabric invoke dask ray pyspark plumbum")
NATIVE = words("ctypes _ctypes cffi mmap fcntl ptrace pwd grp spwd crypt winreg msvcrt cython pyximport")
DYNAMIC = words(
    """
    imp runpy code codeop builtins pkgutil zipimport dis marshal bdb pdb trace gdb sysconfig
    site ensurepip pip venv zipapp _frozen_importlib atexit setuptools pkg_resources
    """
)
DESERIALISE = words("dill cloudpickle shelve dbm jsonpickle copyreg _pickle cPickle skops pickletools")
ENCODED = words("uu binhex")
PERSON = words("getpass keyring tkinter pyperclip pynput pyautogui curses readline browser_cookie3 mss")

_KINDS = (
    ("network", NETWORK, "talks to the network, which a script never needs here"),
    ("process", PROCESS, "starts or watches other programs"),
    ("native", NATIVE, "reaches memory and system calls beneath Python"),
    ("dynamic-code", DYNAMIC, "loads or inspects code at run time"),
    ("deserialise", DESERIALISE, "can run code hidden in a file that it reads"),
    ("encoded", ENCODED, "unpacks encoded text, which hides what a script does"),
    ("environment", PERSON, "reaches the person at the screen or their passwords"),
)


def findings(program: Program) -> Iterator[Finding]:
    """Each imported module that is not for data work."""
    for node in program.nodes:
        if isinstance(node, ast.Import | ast.ImportFrom) and isinstance(program.parents.get(node), ast.ClassDef):
            yield from _in_a_class(node)
        if isinstance(node, ast.Call) and program.dotted(node.func) == "importlib.import_module":
            yield from _by_text(program, node)
        if isinstance(node, ast.Import):
            for name in node.names:
                yield from judge(name.name, node)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield error(
                    "policy:import", node, "A relative import finds nothing: the script runs alone, as one file."
                )
                continue
            yield from judge(node.module or "", node)
            if any(name.name == "*" for name in node.names):
                yield from _star(node)


def _in_a_class(node: ast.Import | ast.ImportFrom) -> Iterator[Finding]:
    """class T: import os; then T.os.system"""
    modules = [name.name for name in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    for module in modules:
        if module.split(".")[0] in ALLOWED.keys() | SYSTEM:
            yield security("reflection", node, f"{module} is imported inside a class, so its use cannot be checked.")


def _by_text(program: Program, node: ast.Call) -> Iterator[Finding]:
    """import_module("xgboost") is an import like any other, where the name is written down."""
    given = node.args[0] if node.args else None
    names = program.each(given)
    if not names or len(node.args) > 1:
        yield security("dynamic-code", node, "importlib.import_module loads code by a name made at run time.")
    for name in names:
        if name.split(".")[0] in ALLOWED.keys() | SYSTEM:
            yield security("dynamic-code", node, f"{name} is imported by its name as a text, out of sight.")
        else:
            yield from judge(name, node)


def judge(module: str, at: Place) -> Iterator[Finding]:
    """What to say of one module that is imported."""
    root = module.split(".")[0]
    if root in DATA or root in PLAIN or root in ALLOWED:
        yield from judged(module, at)
        return
    for rule, modules, why in _KINDS:
        if root in modules:
            yield security(rule, at, f"import {module}: this module {why}.")
            return
    if root in sys.stdlib_module_names or root.startswith("_"):
        sentence = f"import {module}: this part of Python is not among those for data work."
    else:
        sentence = (
            f"import {module}: not a package for data work that is known here; use pandas, scikit-learn or LightGBM."
        )
    yield error("policy:import", at, sentence)


def _star(node: ast.ImportFrom) -> Iterator[Finding]:
    if (node.module or "").split(".")[0] in DATA | {"math", "typing", "datetime", "collections", "itertools"}:
        return
    yield security("import", node, f"from {node.module} import * hides which names the script uses; name them.")
