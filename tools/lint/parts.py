"""Which parts of a module may be named: some are harmless but for a few functions, others the other way round."""

from collections.abc import Iterator

from tools.lint.finding import Finding, Place, error, security, warning
from tools.lint.program import words

ALLOWED: dict[str, frozenset[str]] = {
    "os": words(
        "path makedirs mkdir cpu_count process_cpu_count sched_getaffinity sep linesep listdir scandir walk environ "
        "getcwd name fspath PathLike stat getpid urandom remove unlink rmdir rename replace close fsync utime access "
        "R_OK W_OK F_OK curdir extsep devnull fsdecode fsencode getloadavg get_terminal_size DirEntry stat_result "
        "environb getenv pardir truncate error uname chdir times times_result uname_result"
    ),
    "sys": words(
        "stdout stderr stdin argv exit version version_info maxsize float_info platform getsizeof exc_info "
        "byteorder setrecursionlimit getrecursionlimit flags hexversion implementation __stdout__ __stderr__ "
        "executable getrefcount intern int_info maxunicode getdefaultencoding float_repr_style"
    ),
    "pickle": words("dump dumps load loads HIGHEST_PROTOCOL DEFAULT_PROTOCOL PickleError PicklingError"),
    "multiprocessing": words(
        "cpu_count Pool Process pool pool.Pool pool.ThreadPool dummy get_context Queue Lock Value Array "
        "set_start_method get_start_method freeze_support current_process Manager shared_memory "
        "shared_memory.SharedMemory shared_memory.ShareableList RawArray RawValue Event Semaphore Condition Barrier "
        "JoinableQueue SimpleQueue RLock Pipe TimeoutError active_children get_logger"
    ),
    "concurrent": words(
        "futures futures.ThreadPoolExecutor futures.ProcessPoolExecutor futures.as_completed futures.wait "
        "futures.Future futures.TimeoutError futures.FIRST_COMPLETED futures.ALL_COMPLETED futures.FIRST_EXCEPTION "
        "futures.CancelledError futures.Executor futures.InvalidStateError futures.BrokenExecutor "
        "futures.process.BrokenProcessPool futures.thread.BrokenThreadPool"
    ),
    "shutil": words(
        "copy copy2 copyfile move rmtree copytree disk_usage get_terminal_size copyfileobj make_archive which "
        "unpack_archive"
    ),
    "signal": words("signal alarm setitimer getsignal default_int_handler Signals"),
    "importlib": words(
        "import_module util util.find_spec metadata metadata.version metadata.PackageNotFoundError "
        "metadata.packages_distributions"
    ),
    "urllib": words("parse error"),
    "http": words("HTTPStatus"),
    "inspect": words(
        "signature Parameter Signature getdoc cleandoc isclass isfunction ismethod iscoroutinefunction isgenerator"
    ),
    "resource": words("getrusage RUSAGE_SELF RUSAGE_CHILDREN"),
    "psutil": words("virtual_memory swap_memory cpu_count cpu_percent disk_usage Process"),
    "yaml": words(
        "safe_load safe_load_all safe_dump safe_dump_all dump dump_all load load_all YAMLError SafeLoader CSafeLoader "
        "SafeDumper"
    ),
    "sqlite3": words(
        "connect Row Connection Cursor Error DatabaseError IntegrityError OperationalError PARSE_DECLTYPES "
        "PARSE_COLNAMES register_adapter register_converter sqlite_version version"
    ),
}
"""Only these parts of these modules; `a a.b` allows a.b alone, `a` all that is below a."""

_WHAT = {
    "os": ("process", "steers the operating system"),
    "sys": ("reflection", "reaches into the interpreter"),
    "pickle": ("deserialise", "can run code hidden in a file"),
    "multiprocessing": ("process", "reaches other processes; use n_jobs of the estimator"),
    "concurrent": ("process", "reaches other processes; use n_jobs of the estimator"),
    "shutil": ("destructive", "changes files beyond this run"),
    "signal": ("process", "sends signals to processes"),
    "importlib": ("dynamic-code", "loads code by a name made at run time"),
    "urllib": ("network", "talks to the network"),
    "http": ("network", "talks to the network"),
    "inspect": ("reflection", "looks into the running program"),
    "resource": ("process", "changes the limits of the run"),
    "psutil": ("process", "watches other processes"),
    "yaml": ("deserialise", "can run code hidden in the file that it reads; use yaml.safe_load"),
    "sqlite3": ("native", "loads machine code into the database"),
}

FORBIDDEN = {
    "pandas.read_pickle": ("deserialise", "can run code hidden in the file that it reads"),
    "pandas.read_gbq": ("network", "talks to a database"),
    "pandas.read_clipboard": ("environment", "reads what the person copied last"),
    "seaborn.load_dataset": ("network", "downloads a table"),
    "sklearn.datasets.fetch_*": ("network", "downloads a table; the data is at inputs/train.parquet"),
    "torch.utils.cpp_extension": ("native", "compiles and loads machine code"),
    "polars.plugins": ("native", "loads machine code"),
    "polars.register_plugin": ("native", "loads machine code"),
    "pydantic.ImportString": ("dynamic-code", "imports by a name made at run time"),
    "pandas.compat._optional": ("dynamic-code", "imports by a name made at run time"),
    "numpy.testing.runstring": ("dynamic-code", "runs text as code"),
    "numpy.testing.rundocs": ("dynamic-code", "runs text as code"),
    "joblib.externals": ("deserialise", "can run code hidden in what it reads"),
    "keras.config.enable_unsafe_deserialization": ("deserialise", "lets a model run code when it is loaded"),
    "tensorflow.keras.config.enable_unsafe_deserialization": ("deserialise", "lets a model run code when loaded"),
    "PIL.ImageGrab": ("environment", "takes pictures of the screen"),
    "plotly.io.orca": ("process", "starts another program"),
    "sqlalchemy.create_mock_engine": ("network", "talks to a database"),
    "torch.hub": ("network", "downloads and runs code"),
    "IPython.get_ipython": ("process", "runs other programs and magic commands"),
    "asyncio.create_subprocess_exec": ("process", "starts other programs"),
    "asyncio.create_subprocess_shell": ("process", "starts other programs"),
    "asyncio.subprocess": ("process", "starts other programs"),
    "asyncio.open_connection": ("network", "talks to the network"),
    "asyncio.open_unix_connection": ("network", "talks to a server"),
    "asyncio.start_server": ("network", "listens to the network"),
    "asyncio.start_unix_server": ("network", "listens for others"),
    "nltk.download": ("network", "downloads files"),
    "logging.config": ("dynamic-code", "makes objects from names at run time"),
    "logging.handlers.HTTPHandler": ("network", "sends log lines elsewhere"),
    "logging.handlers.SMTPHandler": ("network", "sends log lines elsewhere"),
    "logging.handlers.SocketHandler": ("network", "sends log lines elsewhere"),
    "logging.handlers.DatagramHandler": ("network", "sends log lines elsewhere"),
    "logging.handlers.SysLogHandler": ("network", "sends log lines elsewhere"),
    "numpy.ctypeslib": ("native", "loads machine code"),
    "numpy.f2py": ("native", "compiles and loads machine code"),
    "scipy.LowLevelCallable": ("native", "calls machine code by address"),
    "types.CodeType": ("dynamic-code", "makes code at run time"),
    "types.FunctionType": ("dynamic-code", "makes code at run time"),
    "typing.get_type_hints": ("dynamic-code", "evaluates text as code"),
    "contextlib.chdir": ("path", "makes relative paths mean something else"),
    "threading.settrace": ("reflection", "watches every line that runs"),
    "threading.setprofile": ("reflection", "watches every call"),
    "cProfile.run": ("dynamic-code", "runs text as code"),
    "pyarrow.fs.S3FileSystem": ("network", "reaches other machines"),
    "pyarrow.fs.GcsFileSystem": ("network", "reaches other machines"),
    "pyarrow.fs.HadoopFileSystem": ("network", "reaches other machines"),
    "pyarrow.flight": ("network", "talks to a server"),
    "os.environb": ("environment", "reads the environment as raw bytes"),
    "os.getlogin": ("environment", "asks who runs the script"),
}
"""A part of a module that no script needs, and all below it."""

_ASKED = {
    "gc.get_objects": ("reflection", "looks through the memory of the process"),
    "gc.get_referrers": ("reflection", "looks through the memory of the process"),
    "gc.get_referents": ("reflection", "looks through the memory of the process"),
    "pandas.read_hdf": ("deserialise", "unpacks pickled columns, which run what their writer wished"),
    "nltk.data.load": ("deserialise", "unpickles a file by the look of its name"),
}
"""Seldom needed, and a person can tell whether it is."""

_NOTED = {
    "multiprocessing.Pool": "n_jobs of the estimator is simpler",
    "multiprocessing.Process": "n_jobs of the estimator is simpler",
    "multiprocessing.pool.Pool": "n_jobs of the estimator is simpler",
    "multiprocessing.get_context": "n_jobs of the estimator is simpler",
    "multiprocessing.Manager": "n_jobs of the estimator is simpler",
    "concurrent.futures.ProcessPoolExecutor": "n_jobs of the estimator is simpler",
}
"""Harmless in the sandbox, where processes are counted, but not possible at every level of isolation."""

SYSTEM = words(
    """
    os sys subprocess shutil socket ctypes builtins importlib pickle multiprocessing posix _os _sys _io _socket
    """
)
_FETCH = "sklearn.datasets.fetch_"


def judged(origin: str, at: Place) -> Iterator[Finding]:
    """Judge a dotted name such as os.system, pandas.read_pickle or joblib.os."""
    root, _, rest = origin.partition(".")
    known = _forbidden(origin, root, rest)
    if known is not None:
        rule, why = known
        yield security(rule, at, f"{origin} {why}.")
    elif root in ALLOWED and rest and not _is_allowed(root, rest):
        rule, why = _WHAT[root]
        yield security(rule, at, f"{origin} {why}.")
    elif inner := SYSTEM & set(rest.split(".")[1 if root in SYSTEM else 0 :]):
        yield security("reflection", at, f"{origin} reaches the module {min(inner)} through a library.")
    elif origin in _ASKED:
        rule, why = _ASKED[origin]
        yield error(f"policy:{rule}", at, f"{origin} {why}.")
    elif origin in _NOTED:
        yield warning("policy:processes", at, f"{origin} starts processes; {_NOTED[origin]}.")


def _forbidden(origin: str, root: str, rest: str) -> tuple[str, str] | None:
    if root == "pandas" and "pickle" in rest and not rest.endswith("to_pickle"):
        return FORBIDDEN["pandas.read_pickle"]
    if origin.startswith(_FETCH):
        return FORBIDDEN[f"{_FETCH}*"]
    parts = origin.split(".")
    prefixes = (".".join(parts[:length]) for length in range(2, len(parts) + 1))
    return next((FORBIDDEN[prefix] for prefix in prefixes if prefix in FORBIDDEN), None)


def _is_allowed(root: str, rest: str) -> bool:
    allowed = ALLOWED[root]
    if root == "signal" and rest.isupper():
        return True
    parts = rest.split(".")
    for length in range(len(parts), 0, -1):
        prefix = ".".join(parts[:length])
        if prefix in allowed:
            return length == len(parts) or not any(one.startswith(f"{prefix}.") for one in allowed)
    return False
