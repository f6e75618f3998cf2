"""Nothing outside the sandbox builds objects from a file: the sources say so, and Python itself watches a real run.

What a watched run showed: no `pickle.find_class` event at all in our process or in a child that inherits our
environment (the drawer of charts), and joblib is never imported (scikit-learn brings it along for the built-in samples
only). The zygote and what is forked from it start with an environment of their own: they are the inside.
"""

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
INSIDE = {f"tools/recipes/{path.name}" for path in (REPOSITORY / "tools/recipes").glob("*.py")}
INSIDE |= {"sandbox/zygote.py", "sandbox/threads.py"}
INSIDE.discard("tools/recipes/__init__.py")
"""Programs that run in the sandbox; the zygote imports joblib so that they need not."""
EXCEPTIONS = {
    "benchmarks/peers/ask_ours.py": "loads the model that our own recipe has just saved in this very process, which a "
    "benchmark started for it, as one is for each peer; no user's file is ever there",
    "benchmarks/peers/ask_flaml.py": "saves the peer's model to tell its size, and loads nothing",
}
"""What may name joblib although it runs outside, and why: nothing that the product imports."""
MODULES = frozenset(
    ["pickle", "_pickle", "cPickle", "pickletools", "dill", "cloudpickle", "joblib"]
    + ["shelve", "marshal", "jsonpickle", "torch", "skops"]
)
FUNCTIONS = frozenset({"read_pickle", "find_class", "Unpickler", "load_module"})


def outside() -> Iterator[tuple[str, str]]:
    """(name, text) of every source that runs in our own processes."""
    for top in ("agents", "tools", "sandbox", "prompts", "chat_app", "scripts", "benchmarks"):
        for path in sorted((REPOSITORY / top).rglob("*.py")):
            name = str(path.relative_to(REPOSITORY))
            if name not in INSIDE and name not in EXCEPTIONS and "node_modules" not in name:
                yield name, path.read_text(encoding="utf-8")
    yield "modelwright.py", (REPOSITORY / "modelwright.py").read_text(encoding="utf-8")


def unpickling(text: str) -> list[str]:
    """What in a source could build objects from bytes, as "line: what"."""
    return [f"{getattr(node, 'lineno', 0)}: {what}" for node in ast.walk(ast.parse(text)) for what in _in(node)]


def _in(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (name.name for name in names if name.name.partition(".")[0] in MODULES)
        case ast.ImportFrom(module=str(module), names=names):
            if module.partition(".")[0] in MODULES:
                yield module
            yield from (name.name for name in names if name.name in FUNCTIONS)
        case ast.Attribute(attr=name) if name in FUNCTIONS:
            yield name
        case ast.keyword(arg="allow_pickle" | "pickle_fallback" as name, value=value):
            if not (isinstance(value, ast.Constant) and value.value is False):
                yield name
        case ast.Call(args=[ast.Constant(value=str(named)), *_], func=function):
            if named.partition(".")[0] in MODULES and "import" in ast.unparse(function):
                yield named


def test_no_source_outside_the_sandbox_can_unpickle() -> None:
    found = {name: lines for name, text in outside() if (lines := unpickling(text))}
    assert found == {}


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "import joblib.numpy_pickle as j",
        "from joblib import load",
        "from pandas import read_pickle",
        "import pandas as pd\npd.read_pickle('x')",
        "np.load('x', allow_pickle=True)",
        "np.load('x', allow_pickle=may)",
        "JsonPlusSerializer(pickle_fallback=True)",
        "importlib.import_module('joblib').load('x')",
        "__import__('cloudpickle')",
        "def f():\n    import marshal",
        "torch = None\nimport torch",
    ],
)
def test_the_search_would_find(text: str) -> None:
    assert unpickling(text)
    assert not unpickling("import json\nnp.load('x', allow_pickle=False)\nimportlib.import_module('json')")


def test_the_exceptions_are_needed_and_no_more_than_their_reasons_say() -> None:
    texts = {name: (REPOSITORY / name).read_text(encoding="utf-8") for name in EXCEPTIONS}
    assert all(map(unpickling, texts.values()))
    assert [name for name, text in texts.items() if "load(" in text] == ["benchmarks/peers/ask_ours.py"]
    assert texts["benchmarks/peers/ask_ours.py"].count("joblib.load(") == 1
    assert 'joblib.load("outputs/model.joblib")' in texts["benchmarks/peers/ask_ours.py"]
    names = [name.removesuffix(".py").rpartition("/")[2] for name in EXCEPTIONS]
    assert not [name for name, text in outside() for peer in names if f"import {peer}" in text]


def test_the_programs_that_are_left_out_exist_and_are_the_ones_that_load_models() -> None:
    loading = {name for name in INSIDE if "joblib.load(" in (REPOSITORY / name).read_text(encoding="utf-8")}
    assert loading == {"tools/recipes/predict.py", "tools/recipes/nested.py"}


WATCH = '''
import os, sys

def watch(event, arguments):
    """Every class that a pickle names, and every import of joblib, in any process of ours."""
    if event == "pickle.find_class" or (event == "import" and arguments[0].partition(".")[0] == "joblib"):
        with open(os.environ["WATCH_LOG"], "a") as log:
            log.write(event + " " + ".".join(str(part) for part in arguments[:2]) + "\\n")

if "WATCH_LOG" in os.environ:
    with open(os.environ["WATCH_LOG"], "a") as log:
        log.write("watching " + " ".join(sys.orig_argv)[:80].replace("\\n", " ") + "\\n")
    sys.addaudithook(watch)
'''
SCRIPT = """
import joblib
import pandas as pd
from sklearn.tree import DecisionTreeClassifier


class Mine(DecisionTreeClassifier):
    pass


if __name__ == "__main__":
    train = pd.read_parquet("inputs/train.parquet")
    joblib.dump(Mine(max_depth=2).fit(train[["a", "b"]], train["y"]), "outputs/model.joblib")
"""
POISON = """
import pickle, sys

class Poison:
    def __reduce__(self):
        return __import__("os").system, (sys.argv[2],)

with open(sys.argv[1], "wb") as file:
    pickle.dump(Poison(), file)
"""


class Watched:
    """The command line with Python's own audit hook in it and in all children that inherit its environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "watch.log"
        (folder / "hook").mkdir()
        (folder / "hook" / "sitecustomize.py").write_text(WATCH)
        rows = [f"{number % 7},{number % 5},{'no' if number % 7 < 3 else 'yes'}" for number in range(120)]
        (folder / "t.csv").write_text("\n".join(["a,b,y", *rows]) + "\n")
        (folder / "mine.py").write_text(SCRIPT)

    def python(self, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "MODELWRIGHT_HOME": str(self.folder / "home"),
            "PYTHONPATH": f"{self.folder / 'hook'}{os.pathsep}{REPOSITORY}",
            "WATCH_LOG": str(self.log),
        }
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)

    def modelwright(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.python("from modelwright import main; main()", *arguments)

    def seen(self) -> list[str]:
        """What the hook has written since the last time, without what it says of itself."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        assert any(line.startswith("watching") for line in lines), "the hook was not there"
        return [line for line in lines if not line.startswith("watching")]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """A run that has ended well, and what was seen meanwhile still to be read."""
    scene = Watched(tmp_path_factory.mktemp("watched"))
    own = ("--script", "mine.py", "--yes", "--budget", "15", "--out", "out")
    done = scene.modelwright("run", "t.csv", "predict y", *own)
    assert done.returncode == 0, done.stderr
    return scene


def test_a_real_run_and_a_prediction_name_no_class_of_any_pickle(watched: Watched) -> None:
    assert watched.seen() == []
    assert json.loads((watched.folder / "out/report.json").read_text())["metric"]["value"] > 0.9
    done = watched.modelwright("predict", "out/model", "t.csv", "--out", "p.csv")
    assert done.returncode == 0, done.stderr
    assert len((watched.folder / "p.csv").read_text().splitlines()) == 121
    assert watched.seen() == []


def test_the_hook_would_see_the_model_being_loaded(watched: Watched) -> None:
    watched.python("import joblib; joblib.load('out/model/model.joblib')")
    assert {"import joblib.None", "pickle.find_class __main__.Mine"} & set(watched.seen())


def test_a_poisoned_model_harms_nobody_and_is_told_in_a_sentence(watched: Watched) -> None:
    """More poisons, without the command around them, are in tests/tools/test_worker.py."""
    folder, canary = watched.folder / "poisoned", watched.folder / "canary"
    shutil.copytree(watched.folder / "out/model", folder)
    subprocess.run([sys.executable, "-c", POISON, str(folder / "model.joblib"), f"touch {canary}"], check=True)
    done = watched.modelwright("predict", "poisoned", "t.csv", "--out", "q.csv")
    assert done.returncode not in (0, 1), done.stdout
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert "The model could not predict these rows: " in last
    assert "'int' object has no attribute 'predict'" in last
    assert not canary.exists()
    assert not (watched.folder / "q.csv").exists()
    assert watched.seen() == []
