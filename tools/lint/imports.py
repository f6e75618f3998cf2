"""Which modules a training script may import: data work, and the harmless part of the standard library."""

import ast
import sys
from collections.abc import Iterator

from tools.lint.finding import Finding, error, security
from tools.lint.program import Program, words

DATA = words(
    """
    numpy pandas scipy sklearn lightgbm xgboost catboost joblib pyarrow polars statsmodels imblearn
    category_encoders optuna matplotlib seaborn plotly altair threadpoolctl tqdm rapidfuzz snowballstemmer torch
    tensorflow keras shap sktime narwhals patsy
    """
)
"""Packages for data work. Not all are installed everywhere: a missing one ends the run with a plain ImportError."""

PLAIN = words(
    """
    __future__ abc argparse array ast bisect calendar cmath collections colorsys contextlib copy csv dataclasses
    datetime decimal difflib enum errno fnmatch fractions functools gc graphlib hashlib heapq html io itertools
    json keyword locale logging math numbers operator platform pprint queue random re reprlib secrets signal
    stat statistics string struct sys textwrap threading time timeit tokenize traceback types typing unicodedata
    uuid warnings weakref zoneinfo os pathlib pickle shutil glob tempfile gzip bz2 lzma concurrent
    multiprocessing typing_extensions
    """
)
"""Standard library without a way out; the last line's modules are judged call by call (security.py, paths.py)."""

NETWORK = words(
    """
    socket ssl urllib urllib2 urllib3 http ftplib smtplib poplib imaplib nntplib telnetlib socketserver xmlrpc
    asyncio asyncore select selectors webbrowser wsgiref cgi requests httpx aiohttp websocket websockets
    paramiko boto3 botocore s3fs gcsfs fsspec openai anthropic huggingface_hub datasets transformers mlflow
    wandb kaggle scapy zmq pycurl grpc redis pymongo psycopg psycopg2 sqlalchemy mysql telegram dns
    """
)
PROCESS = words(
    """
    subprocess pty tty posix nt commands sh pexpect psutil sched crontab fabric invoke dask ray pyspark
    """
)
NATIVE = words(
    """
    ctypes _ctypes cffi mmap fcntl resource ptrace pwd grp spwd crypt winreg msvcrt cython pyximport
    """
)
DYNAMIC = words(
    """
    importlib imp runpy code codeop builtins pkgutil zipimport inspect dis marshal bdb pdb trace gdb sysconfig
    site ensurepip pip venv zipapp _frozen_importlib
    """
)
DESERIALISE = words("dill cloudpickle shelve dbm jsonpickle copyreg _pickle cPickle marshal skops yaml")
ENCODED = words("base64 binascii codecs quopri uu binhex zlib")

_KINDS = (
    ("network", NETWORK, "talks to the network, which a training script never needs"),
    ("process", PROCESS, "starts or watches other programs"),
    ("native", NATIVE, "reaches memory and system calls beneath Python"),
    ("dynamic-code", DYNAMIC, "loads or inspects code at run time"),
    ("deserialise", DESERIALISE, "can run code hidden in a file that it reads"),
    ("encoded", ENCODED, "unpacks encoded text, which hides what a script does"),
)


def findings(program: Program) -> Iterator[Finding]:
    """Each imported module that is not for data work."""
    for node in program.nodes:
        if isinstance(node, ast.Import):
            for name in node.names:
                yield from _judge(name.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield error(
                    "policy:import", node.lineno, "A relative import finds nothing: the script runs alone, as one file."
                )
                continue
            yield from _judge(node.module or "", node.lineno)
            if any(name.name == "*" for name in node.names):
                yield from _star(node)


def _judge(module: str, line: int) -> Iterator[Finding]:
    root = module.split(".")[0]
    if root in DATA or root in PLAIN:
        return
    for rule, modules, why in _KINDS:
        if root in modules:
            yield security(rule, line, f"import {module}: this module {why}.")
            return
    if root in sys.stdlib_module_names or root.startswith("_"):
        yield security("import", line, f"import {module}: this part of Python is not among those for data work.")
        return
    sentence = f"import {module}: not a package for data work that is known here; use pandas, scikit-learn or LightGBM."
    yield error("policy:import", line, sentence)


def _star(node: ast.ImportFrom) -> Iterator[Finding]:
    if (node.module or "").split(".")[0] in DATA | {"math", "typing", "datetime", "collections", "itertools"}:
        return
    yield security("import", node.lineno, f"from {node.module} import * hides which names the script uses; name them.")
