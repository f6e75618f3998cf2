"""Ordinary scripts of people who work with data: each prints what it found, the same numbers every time it runs.

They read inputs/table.csv (600 rows: a number, one with gaps, a size, a category, a moment, a label) and write to
outputs/ or to a temporary folder, as scripts do that know nothing of a sandbox.
"""

from collections.abc import Mapping
from types import MappingProxyType

TABLE_ROWS = 600

_HEAD = """
import numpy as np
import pandas as pd

def table():
    frame = pd.read_csv("inputs/table.csv", parse_dates=["moment"])
    return frame.assign(gaps=frame["gaps"].fillna(0.0), kind=frame["kind"].astype("category"))

def features():
    frame = table()
    return frame[["number", "gaps", "size"]].to_numpy(), (frame["label"] == "yes").to_numpy().astype(int)

def show(name, values):
    print(name, [float(value).hex() for value in np.asarray(values, dtype=float).ravel()])

X, y = features()
"""

_MODELS = """
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

show("hist", HistGradientBoostingClassifier(max_iter=20, random_state=0).fit(X, y).predict_proba(X)[:9, 1])
show("forest", RandomForestClassifier(20, n_jobs=2, random_state=0).fit(X, y).predict_proba(X)[:9, 1])
show("isolation", IsolationForest(n_estimators=20, random_state=0).fit(X).score_samples(X)[:9])
show("means", KMeans(3, n_init=2, random_state=0).fit(X).cluster_centers_)
show("axes", np.abs(PCA(2).fit(X).components_))
show("svm", SVC(random_state=0).fit(X, y).decision_function(X)[:9])
show("neighbours", KNeighborsClassifier(5).fit(X, y).predict_proba(X)[:9, 1])
show("map", TSNE(2, max_iter=250, random_state=0).fit_transform(X[:60])[0])
show("network", MLPClassifier((8,), max_iter=400, random_state=0).fit(X[:200], y[:200]).predict_proba(X)[:9, 1])
show("folds", cross_val_score(make_pipeline(StandardScaler(), LogisticRegression()), X, y, cv=5))
search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=3).fit(X, y)
show("search", search.cv_results_["mean_test_score"])
columns = ColumnTransformer([("kind", OneHotEncoder(), ["kind"]), ("rest", "passthrough", ["number", "size"])])
one, other, one_y, other_y = train_test_split(table(), y, random_state=0, stratify=y)
show("columns", [make_pipeline(columns, LogisticRegression()).fit(one, one_y).score(other, other_y)])
"""

_JOBLIB = """
import joblib
from joblib import Parallel, delayed
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score

def square(value):
    return value * value

if __name__ == "__main__":
    for backend in BACKENDS:
        with joblib.parallel_config(backend, n_jobs=2):
            show(backend, cross_val_score(LogisticRegression(), X, y, cv=4))
            show(backend, cross_val_predict(RandomForestClassifier(5, random_state=0), X, y, cv=3)[:20])
            search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}).fit(X, y)
            show(backend, search.cv_results_["mean_test_score"])
            print(backend, Parallel()(delayed(square)(value) for value in range(20)))
            show(backend, Parallel()(delayed(np.sum)(np.full(300_000, float(value))) for value in range(4)))
"""

_LIGHTGBM = """
import lightgbm
model = lightgbm.LGBMClassifier(n_estimators=20, n_jobs=2, random_state=0, verbose=-1)
frame = pd.DataFrame(X, columns=list("abc"))
show("lightgbm", model.fit(frame, y).predict_proba(frame)[:9, 1])
model.booster_.save_model("outputs/model.txt")
again = lightgbm.Booster(model_file="outputs/model.txt")
show("again", again.predict(X)[:9])
"""

_XGBOOST = """
import xgboost
model = xgboost.XGBClassifier(n_estimators=20, n_jobs=2, random_state=0).fit(X, y)
show("xgboost", model.predict_proba(X)[:9, 1])
model.save_model("outputs/model.json")
print(len(open("outputs/model.json").read()))
show("native", xgboost.train({"nthread": 2}, xgboost.DMatrix(X, y), 5).predict(xgboost.DMatrix(X))[:9])
"""

_CATBOOST = """
from catboost import CatBoostClassifier, CatBoostRegressor, Pool
model = CatBoostClassifier(iterations=20, thread_count=2, random_seed=0, verbose=0).fit(X, y)
show("catboost", model.predict_proba(X)[:9, 1])
model.save_model("outputs/model.cbm")
frame = table()
pool = Pool(frame[["number", "kind"]].astype({"kind": str}), frame["size"], cat_features=["kind"])
show("columns", CatBoostRegressor(iterations=10, thread_count=2, random_seed=0, verbose=0).fit(pool).predict(pool)[:9])
"""

_FIGURES = """
import hashlib
from pathlib import Path
import matplotlib.pyplot as plt

frame = table()
figure, axes = plt.subplots(1, 2)
axes[0].scatter(frame["number"], frame["size"])
axes[0].set_title("Größe und Zahl $\\\\alpha^2$")
frame.groupby("kind", observed=True)["size"].mean().plot.bar(ax=axes[1])
for kind, about in {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}.items():
    plt.rcParams["svg.hashsalt"] = "fixed"
    figure.savefig(f"outputs/figure.{kind}", metadata=about)
    print(kind, hashlib.sha256(Path(f"outputs/figure.{kind}").read_bytes()).hexdigest())
"""

_PLOTLY = """
import hashlib
import plotly.express as px
import plotly.io

figure = px.scatter(table(), x="number", y="size", color="kind", title="Größe")
text = figure.to_html(include_plotlyjs=True, div_id="one")
print(len(text), hashlib.sha256(text.encode()).hexdigest())
print(hashlib.sha256(figure.to_json().encode()).hexdigest())
figure.write_html("outputs/figure.html", include_plotlyjs="cdn")
print(plotly.io.from_json(figure.to_json()) == figure)
"""

_STATISTICS = """
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy import optimize, stats
from statsmodels.tsa.arima.model import ARIMA

frame = table()
fitted = smf.ols("size ~ number + C(kind)", frame).fit()
show("ols", fitted.params)
print(fitted.summary().tables[1])
show("logit", sm.Logit(y, sm.add_constant(X)).fit(disp=0).params)
show("arima", ARIMA(frame["number"].to_numpy()[:120], order=(1, 0, 1)).fit().forecast(3))
show("test", stats.ttest_ind(X[y == 1, 0], X[y == 0, 0]))
show("minimum", optimize.minimize(lambda at: (at[0] - 1) ** 2 + at[1] ** 4, [3.0, 2.0]).x)
"""

_TABLES = """
import duckdb
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq

frame = pd.read_parquet("inputs/folder/table.parquet")
frame.to_parquet("outputs/copy.parquet")
print(pd.read_parquet("outputs/copy.parquet").equals(frame))
plain = pa.Table.from_pandas(frame)
pq.write_to_dataset(plain, "outputs/parts", partition_cols=["kind"], basename_template="{i}.parquet")
print(pyarrow.dataset.dataset("outputs/parts", partitioning="hive").to_table().num_rows)
frame.to_csv("outputs/table.csv.gz", index=False)
print(pd.read_csv("outputs/table.csv.gz").shape)
frame.to_excel("outputs/table.xlsx", index=False)
print(pd.read_excel("outputs/table.xlsx")["size"].sum().hex())
frame.to_json("outputs/table.jsonl", orient="records", lines=True)
frame.to_pickle("outputs/table.pkl")
print(pd.read_pickle("outputs/table.pkl").equals(frame))
query = "select kind, count(*), sum(size) from 'inputs/folder/*.parquet' group by kind order by kind"
print(duckdb.sql(query).fetchall())
with duckdb.connect("outputs/base.duckdb") as base:
    base.execute("create table t as select * from read_csv('inputs/table.csv')")
    print(base.execute("select count(*), min(moment), max(moment) from t").fetchall())
print(duckdb.sql("select label, median(size) from frame group by 1 order by 1").fetchall())
print(frame.groupby("kind", observed=True)["size"].describe().to_string())
print(frame.set_index("moment").resample("30D")["size"].mean().head(3).to_string())
"""

_FILES = """
import bz2, gzip, io, lzma, os, pickle, shelve, shutil, sqlite3, tarfile, tempfile, zipfile
from pathlib import Path
import joblib

with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile("w+", suffix=".txt") as named:
    base = sqlite3.connect(f"{folder}/base.db")
    table().drop(columns="moment").to_sql("t", base)
    base.execute("pragma journal_mode=wal")
    print(base.execute("select kind, count(*) from t group by kind order by kind").fetchall())
    base.close()
    named.write("text")
    named.flush()
    shutil.copy(named.name, f"{folder}/copy.txt")
    shutil.copytree("inputs/folder", f"{folder}/tree")
    shutil.copy2("inputs/table.csv", folder)
    Path(folder, "a/b/c").mkdir(parents=True)
    Path(folder, "link").symlink_to("copy.txt")
    Path(folder, "copy.txt").rename(Path(folder, "moved.txt"))
    os.chmod(f"{folder}/moved.txt", 0o600)
    os.utime(f"{folder}/moved.txt", (1, 1))
    print(sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*")))
    shutil.make_archive(f"{folder}/packed", "gztar", "inputs/folder")
    print(sorted(tarfile.open(f"{folder}/packed.tar.gz").getnames()))
    big = np.memmap(f"{folder}/map.bin", dtype="float64", mode="w+", shape=(100_000,))
    big[:] = np.arange(100_000)
    big.flush()
    print(float(np.memmap(f"{folder}/map.bin", dtype="float64", mode="r")[-1]))
    with shelve.open(f"{folder}/shelf") as shelf:
        shelf["key"] = [1, 2]
    joblib.Memory(f"{folder}/cache", verbose=0).cache(np.square)(3)
for kind in (gzip, bz2, lzma):
    print(kind.decompress(kind.compress(b"abc" * 1000)) == b"abc" * 1000)
with zipfile.ZipFile("outputs/all.zip", "w", zipfile.ZIP_DEFLATED) as packed:
    packed.write("inputs/table.csv")
print(zipfile.ZipFile("outputs/all.zip").testzip(), len(zipfile.ZipFile("outputs/all.zip").read("inputs/table.csv")))
Path("outputs/deep/er").mkdir(parents=True)
Path("outputs/deep/er/note.txt").write_text("größer\\n", encoding="utf-8")
os.replace("outputs/deep/er/note.txt", "outputs/note.txt")
with open("outputs/note.txt", "a") as note:
    note.write("more")
print(Path("outputs/note.txt").read_text(), os.path.getsize("outputs/note.txt"), Path("inputs/table.csv").is_file())
np.savez_compressed("outputs/arrays.npz", X=X)
print(np.load("outputs/arrays.npz")["X"].shape, np.load(io.BytesIO(Path("outputs/arrays.npz").read_bytes()))["X"].dtype)
pickle.dump({"a": X}, open("outputs/a.pkl", "wb"))
joblib.dump(X, "outputs/x.joblib", compress=3)
print(joblib.load("outputs/x.joblib").shape, sorted(path.name for path in Path("inputs").iterdir()))
np.savetxt("outputs/x.txt", X[:3])
print(Path("outputs/x.txt").read_text())
"""

_PROCESSES = """
import asyncio, multiprocessing, os, subprocess, sys, threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import shared_memory

def square(value):
    return value * value

def put(queue, lock):
    with lock:
        queue.put(os.getppid() > 0)

if __name__ == "__main__":
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        with context.Pool(2) as pool:
            print(method, pool.map(square, range(5)), list(pool.imap_unordered(square, [3])))
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            print(method, list(pool.map(square, range(5))))
    queue, lock = multiprocessing.Queue(), multiprocessing.Lock()
    worker = multiprocessing.Process(target=put, args=(queue, lock))
    worker.start()
    print(queue.get(), worker.join(), worker.exitcode)
    block = shared_memory.SharedMemory(create=True, size=1000)
    block.buf[:3] = b"abc"
    twin = shared_memory.SharedMemory(block.name)
    print(bytes(twin.buf[:3]))
    twin.close()
    block.close()
    block.unlink()
"""

_PROGRAMS = """
import asyncio, os, queue, subprocess, sys, threading
from concurrent.futures import ThreadPoolExecutor

with ThreadPoolExecutor(4) as pool:
    print(list(pool.map(lambda value: value * value, range(5))))
print(subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True))
print(subprocess.check_output("echo $((6 * 7)) | cat; ls inputs", shell=True, text=True))
print(subprocess.run([sys.executable, "-c", "import sys; sys.exit(3)"]).returncode)
print(subprocess.run(["cat"], input=b"piped", stdout=subprocess.PIPE).stdout)
print(os.popen("echo popen").read(), os.system("exit 4") >> 8)

async def several():
    process = await asyncio.create_subprocess_exec("echo", "hello", stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    return said, await asyncio.gather(*(asyncio.sleep(0.01, value) for value in range(3)))

print(asyncio.run(several()))
pending = queue.Queue()
threads = [threading.Thread(target=pending.put, args=(value,), daemon=value == 3) for value in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(sorted(pending.queue), threading.active_count())
"""

_INTERPRETER = """
import atexit, dataclasses, inspect, locale, logging, os, pathlib, pickle, signal, sys, time, tracemalloc, warnings
import contextlib, datetime, functools, io, itertools, zoneinfo

@dataclasses.dataclass
class Point:
    x: float

logging.basicConfig(level=logging.INFO, format="%(name)s %(levelname)s %(message)s")
logging.getLogger("work").info("to stderr")
warnings.warn("be careful")
print("to stderr as well", file=sys.stderr)
atexit.register(print, "at exit")
print(sys.argv, pathlib.Path(__file__).name, pathlib.Path(__file__).parent == pathlib.Path.cwd(), __name__)
print(pickle.loads(pickle.dumps(Point(1.5))), inspect.getsource(show))
print(repr(sys.stdin.read()), sys.stdin.isatty(), sys.stdout.isatty(), sys.stdout.encoding)
try:
    input("? ")
except EOFError as problem:
    print(problem)
print(locale.setlocale(locale.LC_ALL, ""), locale.getpreferredencoding(), f"{1234567.891:,.2f}")
print(datetime.datetime(2024, 7, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")).utcoffset(), time.tzname)
print(pd.Timestamp("2024-03-31 03:30", tz="Europe/Berlin").tz_convert("America/New_York"))
signal.signal(signal.SIGALRM, lambda *_: print("alarm"))
signal.setitimer(signal.ITIMER_REAL, 0.01)
signal.pause()
tracemalloc.start()
print(tracemalloc.get_traced_memory()[0] >= 0)
with contextlib.redirect_stdout(io.StringIO()) as kept:
    print("kept")
print(kept.getvalue().upper(), functools.reduce(int.__add__, itertools.accumulate(range(5))))
print(len(os.sched_getaffinity(0)) >= 1, os.environ.get("OMP_NUM_THREADS"), sys.flags.hash_randomization)

def deep(levels):
    return levels and 1 + deep(levels - 1)

sys.setrecursionlimit(5000)
print(deep(3000), hash("text"), np.show_config.__name__)
print("größer → ✓")
"""

_FAILURE = """
def outer(frame):
    return inner(frame)

def inner(frame):
    return frame["no such column"]

try:
    1 / 0
except ZeroDivisionError:
    outer({})
"""

SCRIPTS: Mapping[str, str] = MappingProxyType(
    {
        "models": _HEAD + _MODELS,
        "threads of joblib": _HEAD + 'BACKENDS = ["threading", "sequential"]\n' + _JOBLIB,
        "processes of joblib": _HEAD + 'BACKENDS = ["loky", "multiprocessing"]\n' + _JOBLIB,
        "lightgbm": _HEAD + _LIGHTGBM,
        "xgboost": _HEAD + _XGBOOST,
        "catboost": _HEAD + _CATBOOST,
        "figures": _HEAD + _FIGURES,
        "plotly": _HEAD + _PLOTLY,
        "statistics": _HEAD + _STATISTICS,
        "tables": _HEAD + _TABLES,
        "files": _HEAD + _FILES,
        "processes": _PROCESSES,
        "programs": _PROGRAMS,
        "interpreter": _HEAD + _INTERPRETER,
        "failure": _FAILURE,
    }
)
"""Name -> Python source."""
