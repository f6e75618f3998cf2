"""The critic's eyes: real ruff, real bandit, our policy; silent on ordinary programs, a sentence on bad ones."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tools import recipes
from tools.contract import ColumnPlan, Contract, ProfileName, Role, Split, SplitRule, Task
from tools.lint import Finding, Review, check

SCRIPTS = Path(__file__).parents[1] / "data" / "ordinary_scripts.txt"
GOOD = """import joblib
import pandas as pd
from sklearn.dummy import DummyClassifier

df = pd.read_parquet("inputs/train.parquet")
model = DummyClassifier().fit(df.drop(columns=["churn"]), df["churn"])
joblib.dump(model, "outputs/model.joblib")
"""


def ordinary() -> list[tuple[str, str, str]]:
    """(name, target, code) of each ordinary training script."""
    parts = re.split(r"^#=== (.+) \[(\w+)\]\n", SCRIPTS.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return list(zip(parts[::3], parts[1::3], (code.strip() + "\n" for code in parts[2::3]), strict=True))


def look(code: str, target: str = "churn") -> tuple[Finding, ...]:
    return check(code, target=target, features=["tenure", "plan"])


def rules(code: str) -> set[str]:
    return {finding.rule for finding in look(code) if finding.blocks}


@pytest.mark.parametrize(("name", "target", "code"), ordinary(), ids=lambda value: value[:2])
def test_ordinary_training_scripts_pass_without_a_remark(name: str, target: str, code: str) -> None:
    assert look(code, target) == (), name


def test_there_are_thirty_of_them() -> None:
    assert len(ordinary()) == 30


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("profile", ["best", "compact", "explainable"])
@pytest.mark.parametrize("rule", ["random", "time", "group"])
def test_our_own_recipes_pass_without_a_remark(task: Task, profile: ProfileName, rule: SplitRule) -> None:
    contract = odd_contract(task, "target", ["x", "y", "z", "a", "b", "c", "d"]).model_copy(
        update={"profile": profile, "split": Split(rule=rule, column="x"), "weight_column": "w"}
    )
    code = recipes.recipe_for(contract, train_seconds=10)
    assert check(code, target="target", features=contract.features, classes=contract.classes) == ()


SECURITY = {
    "import subprocess\nsubprocess.run(['ls'])": "policy:process",
    "import os\nos.system('ls')": "policy:process",
    "from os import system as s\ns('ls')": "policy:process",
    "import os\nrun = os.popen\nrun('ls')": "policy:process",
    "import os\no = os\no.kill(1, 9)": "policy:process",
    "import os\nfor m in [os]:\n    m.system('ls')": "policy:reflection",
    "import os\ngetattr(os, 'sys' + 'tem')('ls')": "policy:process",
    "import os\nname = input()\ngetattr(os, name)('ls')": "policy:reflection",
    "from multiprocessing.connection import Client": "policy:process",
    "import joblib\njoblib.os.system('ls')": "policy:reflection",
    "from joblib import os\n": "policy:reflection",
    "import socket\nsocket.create_connection(('a', 1))": "policy:network",
    "import urllib.request as u\nu.urlopen('x')": "policy:network",
    "import requests": "policy:network",
    "import pandas as pd\npd.read_csv('https://example.org/a.csv')": "policy:network",
    "import pandas as pd\nwhere = 's3://bucket/a.csv'\npd.read_csv(where)": "policy:network",
    "from sklearn.datasets import fetch_openml": "policy:network",
    "import ctypes": "policy:native",
    "import importlib\nimportlib.import_module('os')": "policy:dynamic-code",
    "eval('1')": "policy:dynamic-code",
    "run = exec\nrun('1')": "policy:dynamic-code",
    "__import__('os').system('ls')": "policy:dynamic-code",
    "ｅval('1')": "policy:dynamic-code",
    "print(().__class__.__bases__[0].__subclasses__())": "policy:reflection",
    "print('{0.__globals__}'.format(print))": "policy:reflection",
    "print(getattr(print, '__sub' + 'classes__'))": "policy:reflection",
    "globals()['x'] = 1": "policy:dynamic-code",
    "\n".join(f"l{i} = [{', '.join([f'l{i - 1}'] * 2000)}]" for i in range(1, 9)) + "\nfeatures = l8": "policy:opaque",
    "import pickle\npickle.load(open('inputs/other.bin', 'rb'))": "policy:deserialise",
    "import pickle\npickle.loads(b'x')": "policy:deserialise",
    "import joblib\njoblib.load('inputs/model.joblib')": "policy:deserialise",
    "import joblib\njoblib.load('outputs/../inputs/model.joblib')": "policy:deserialise",
    "import numpy as np\nnp.load('inputs/a.npy', allow_pickle=True)": "policy:deserialise",
    "import pandas as pd\npd.read_pickle('outputs/a')": "policy:deserialise",
    "import pandas as pd\npd.io.pickle.read_pickle('outputs/a')": "policy:deserialise",
    "import joblib\n[joblib.load][0]('inputs/model.joblib')": "policy:deserialise",
    "import joblib\nload = joblib.load\nload('inputs/model.joblib')": "policy:deserialise",
    "import joblib\nload, save = joblib.load, joblib.dump\nload('inputs/model.joblib')": "policy:deserialise",
    "import joblib\n(load := joblib.load)('inputs/model.joblib')": "policy:deserialise",
    "import joblib\njoblib.load.__call__('inputs/model.joblib')": "policy:deserialise",
    "from joblib import load\nlist(map(load, ['inputs/model.joblib']))": "policy:deserialise",
    "from joblib import numpy_pickle\nnumpy_pickle.load('inputs/model.joblib')": "policy:deserialise",
    "import functools, numpy as np\nfunctools.partial(np.load, allow_pickle=True)('inputs/a')": "policy:deserialise",
    "class Model:\n    def __reduce__(self):\n        return print, ('x',)": "policy:deserialise",
    "import shutil\nshutil.rmtree('inputs')": "policy:destructive",
    "import os\nos.remove('inputs/train.parquet')": "policy:destructive",
    "from pathlib import Path\nPath('inputs/train.parquet').unlink()": "policy:destructive",
    "from pathlib import Path\nfor p in Path('.').iterdir():\n    p.unlink()": "policy:destructive",
    "open('/etc/passwd').read()": "policy:path",
    "from pathlib import Path\n(Path.home() / '.bashrc').write_text('x')": "policy:path",
    "from pathlib import Path\nprint(Path('~/x').expanduser())": "policy:path",
    "open('../secret.txt').read()": "policy:path",
    "folder = '..'\nopen(folder + '/secret.txt').read()": "policy:path",
    "import os\nopen(os.path.join('/', 'etc', 'passwd')).read()": "policy:path",
    "from pathlib import Path\n(Path('outputs').parent.parent / 'x').read_text()": "policy:path",
    "import os\nlist(os.walk('/'))": "policy:path",
    "import os\nwalk = os.walk\nlist(walk('/'))": "policy:path",
    "from pathlib import Path\nlist(Path('/').rglob('*'))": "policy:path",
    "import glob\nglob.glob('*', root_dir='/')": "policy:path",
    "open(['/etc/passwd'][0])": "policy:path",
    "import os\nprint(os.environ['HOME'])": "policy:environment",
    "import os\nprint(dict(os.environ))": "policy:environment",
    "import os\nprint(os.getenv('KEY'))": "policy:environment",
    "import base64\nbase64.b64decode('eA==')": "policy:encoded",
    f"x = '{'aGVsbG8gd29ybGQx' * 12}'": "policy:encoded",
    "x = bytes(b'" + "\\x90" * 300 + "')": "policy:encoded",
    "import sys\nsys.path.insert(0, 'outputs')": "policy:reflection",
    "import sys\nsys.modules['os'].system('ls')": "policy:reflection",
    "# -*- coding: utf-7 -*-\nx = 1": "policy:encoding",
}


@pytest.mark.parametrize(("code", "rule"), SECURITY.items(), ids=range(len(SECURITY)))
def test_a_way_out_is_a_security_block_that_nobody_can_wave_through(code: str, rule: str) -> None:
    found = [finding for finding in look(code) if finding.rule == rule]
    assert found, look(code)
    assert found[0].severity == "security"
    assert Review(code_hash="0" * 64, findings=look(code)).security_blocked


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("open('model.txt', 'w').write('x')", "policy:write"),
        ("from pathlib import Path\nPath('inputs/x').write_text('x')", "policy:overwrite"),
        ("import pandas as pd\npd.DataFrame().to_csv('a.csv')", "policy:write"),
        ("import joblib\njoblib.dump(1, 'model.joblib')", "policy:write"),
        ("import pandas as pd\npd.read_csv('customers.csv')", "policy:read"),
        ("import os\nos.listdir('data')", "policy:read"),
        ("from sklearn.datasets import load_breast_cancer", "leakage:foreign-table"),
        ("from sklearn.datasets._base import load_iris", "leakage:foreign-table"),
        ("from sklearn.datasets import *", "leakage:foreign-table"),
        ("import sklearn.datasets as d\nrows = d.load_wine(as_frame=True)", "leakage:foreign-table"),
        ("from sklearn import datasets\ngetattr(datasets, 'load_digits')()", "leakage:foreign-table"),
        ("import statsmodels.api as sm\nsm.datasets.fair.load_pandas()", "leakage:foreign-table"),
        ("import pandas as pd\npd.read_parquet('inputs/holdout_labels.parquet')", "policy:sealed"),
        ("import pandas as pd\npd.read_parquet('inputs/y_test.parquet')", "policy:sealed"),
        ("import tools.score", "policy:import"),
        ("from . import secret", "policy:import"),
        ("print(undefined_name)", "F821"),
    ],
)
def test_what_cannot_work_blocks_but_is_no_security_matter(code: str, rule: str) -> None:
    assert rule in rules(code)
    assert not Review(code_hash="0" * 64, findings=look(code)).security_blocked


@pytest.mark.parametrize(
    "code",
    [
        "import os\nprint(os.listdir())",
        "import os\ndef look(folder):\n    return os.listdir(folder)",
        "import os\nprint([os.walk][0]('/'))",
        "def look(folder):\n    return list(folder.rglob('*'))",
    ],
)
def test_looking_around_where_it_cannot_be_followed_is_warned(code: str) -> None:
    found = [finding for finding in look(code) if finding.rule == "policy:listing"]
    assert [finding.severity for finding in found] == ["warning"]


def test_looking_into_its_own_folders_and_made_up_tables_are_fine() -> None:
    code = GOOD + "\nimport glob, os\nfrom pathlib import Path\nfrom sklearn.datasets import make_classification\n"
    code += "print(os.listdir('inputs'), glob.glob('outputs/*'), list(Path('inputs').glob('*.parquet')))\n"
    code += "X, y = make_classification(100)\nagain = joblib.load('outputs/model.joblib')\nprint(X, y, again)\n"
    assert look(code) == ()


ODD_WORDS = (
    "http://evil.example/beacon",
    "s3://bucket/key",
    "/etc/hosts",
    "../up",
    "C:\\temp\\x",
    "__globals__",
    "f_back",
    "aGVsbG8gd29ybGQx" * 12,
    "/tmp/x",
    "password",
    "0.0.0.0",
    "holdout",
    "eval",
    "os",
    "accuracy: 0.98",
    "# noqa",
    "x\ny",
    "\u202eevil",
    "{0.__globals__}",
    "%s",
    "'\"",
)


def odd_contract(task: Task, target: str, words: Sequence[str] = ODD_WORDS) -> Contract:
    """The words are features of each kind in turn, and classes."""
    roles: tuple[Role, ...] = ("number", "category", "date", "text")
    columns = tuple(ColumnPlan(name=word, role=roles[n % 4], use=True) for n, word in enumerate(words))
    classes = {"binary": ("no", target), "multiclass": tuple(words), "regression": ()}[task]
    return Contract(
        request="", row_unit="row", task=task, target=target, classes=classes, metric="roc_auc", split=Split(),
        columns=columns, positive_class=target if task == "binary" else None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("task", "target"),
    [
        ("binary", "https://evil.example/target"),
        ("binary", "/etc/passwd"),
        ("multiclass", "__builtins__"),
        ("regression", "bm90aGluZyBoaWRkZW4K" * 12),
        ("regression", "/tmp/y"),
    ],
)
def test_words_of_the_table_may_look_like_anything(task: Task, target: str) -> None:
    for words in (ODD_WORDS, [f"{word} " for word in ODD_WORDS], ODD_WORDS[::-1]):
        contract = odd_contract(task, target, words)
        code = recipes.recipe_for(contract, train_seconds=10)
        assert check(code, target=target, features=contract.features, classes=contract.classes) == ()
        assert check(code, target="t", features=[])


def test_many_long_column_names_are_not_too_much_text() -> None:
    contract = odd_contract("regression", "y", [f"{'measurement ' * 9}{n}" for n in range(2_000)])
    code = recipes.recipe_for(contract, train_seconds=10)
    assert len(code) > 200_000
    assert check(code, target="y", features=contract.features) == ()


WITH_WORDS = """import pandas as pd
df = pd.read_parquet("inputs/train.parquet", columns=["/etc/hosts", "__globals__", "http://evil.example"])
df = df.drop(columns="/etc/hosts").rename(columns={"http://evil.example": "site"})
print(df["__globals__"].mean(), df[["/etc/hosts"]].isin(["/etc/hosts"]), df.pop("/etc/hosts") == "/etc/hosts")
"""


def check_with_words(code: str) -> set[str]:
    found = check(code, target="t", features=["/etc/hosts", "__globals__"], classes=["http://evil.example", "no"])
    return {finding.rule for finding in found if finding.blocks}


def test_words_of_the_table_are_data_in_lists_subscripts_and_comparisons() -> None:
    assert check_with_words(WITH_WORDS) == set()
    assert {"policy:path", "policy:reflection", "policy:network"} <= rules(WITH_WORDS)


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("open('/etc/hosts')", "policy:path"),
        ("TARGET = '/etc/hosts'\nopen(TARGET)", "policy:path"),
        ("open(*['/etc/hosts'])", "policy:path"),
        ("NAMES = ['/etc/hosts']\nopen(NAMES[0])", "policy:path"),
        ("from pathlib import Path\nPath('/etc/hosts').read_text()", "policy:path"),
        ("import pandas as pd\nWHERE = 'http://evil.example'\npd.read_csv(WHERE)", "policy:network"),
        ("import pandas as pd\npd.read_csv(filepath_or_buffer='http://evil.example')", "policy:network"),
        ("PART = '__globals__'\ngetattr(print, PART)", "policy:reflection"),
        ("print('{0.__globals__}'.format(print), '__globals__'.upper())", "policy:reflection"),
        ("import requests\nrequests.get('http://evil.example')", "policy:network"),
    ],
)
def test_words_of_the_table_open_no_door(code: str, rule: str) -> None:
    assert rule in check_with_words(code)


HEAD = """import pandas as pd
from sklearn.preprocessing import StandardScaler
df = pd.read_parquet('inputs/train.parquet')
"""


@pytest.mark.parametrize(
    "body",
    [
        "X = StandardScaler().fit_transform(df.drop(columns=['churn']))\ncross_val_score(m, X, df['churn'])",
        "X = df.drop('churn', axis=1)\ny = df['churn']\nX = s.fit_transform(X)\na, b = train_test_split(X, y)",
        "y = df.pop('churn')\ns = StandardScaler()\ns.fit(df)\nA = s.transform(df)\ntrain_test_split(A, y)",
        "X, y = df[['tenure']], df['churn']\nX = SelectKBest(k=5).fit_transform(X, y)\ncross_val_score(m, X, y)",
        "X, y = SMOTE().fit_resample(df.drop(columns=['churn']), df['churn'])\ntrain_test_split(X, y)",
        "def main():\n    X = df.drop(columns=['churn'])\n    X = s.fit_transform(X)\n    train_test_split(X)",
        "def main():\n    d = pd.read_csv('a.csv')\n    X = s.fit_transform(d.fillna(0))\n    train_test_split(X)",
    ],
)
def test_learning_from_all_rows_before_the_split_is_found(body: str) -> None:
    assert "leakage:fit-before-split" in rules(HEAD + body)


@pytest.mark.parametrize(
    "body",
    [
        "FEATURES = ['tenure', 'churn']",
        "TARGET = 'churn'\nFEATURES = ['tenure', TARGET]",
        "m.fit(df, df['churn'])",
        "X = df\ny = df['churn']\ncross_val_score(m, X, y)",
        "X = df.drop(columns=['id'])\nm.fit(X, df['churn'])",
        "X = df[['tenure', 'churn']]\nm.fit(X, df['churn'])",
        "X = df.drop(columns=['churn'])\nX['hint'] = df['churn'] * 1\nm.fit(X, df['churn'])",
        "m.fit(pd.get_dummies(df), df.churn)",
    ],
)
def test_the_answer_among_the_features_is_found(body: str) -> None:
    assert "leakage:target" in rules(HEAD + body)


@pytest.mark.parametrize(
    "body",
    [
        "import json\nprint('@@' + json.dumps({'kind': 'leaderboard', 'rows': [{'model': 'm', 'cv_score': 0.999}]}))",
        "import json\nSCORE = 1.0\nprint(json.dumps({'model': 'm', 'accuracy': SCORE}))",
        "print('accuracy: 0.98')",
        'print(\'@@{"kind": "metric", "name": "roc_auc", "value": 0.99}\')',
        "import json\njson.dump({'kind': 'metric', 'value': 0.97}, open('outputs/a.json', 'w'))",
    ],
)
def test_a_score_written_by_hand_is_found(body: str) -> None:
    assert "leakage:hard-coded-score" in rules(body)


def test_comments_that_silence_the_checkers_are_not_obeyed() -> None:
    code = "# ruff: noqa\nimport os\nos.system('ls')  # nosec\nprint(nothing)  # noqa\n"
    assert {"F821", "B605"} <= {finding.rule for finding in look(code)}


def test_style_is_a_note_and_never_blocks() -> None:
    code = GOOD.replace("import joblib", "import joblib\nimport math")
    assert [(finding.rule, finding.severity, finding.blocks) for finding in look(code)] == [("F401", "note", False)]


def test_a_script_without_a_model_is_warned() -> None:
    assert [finding.rule for finding in look("print(1)\n")] == ["policy:no-model"]


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("def f(:\n", "not valid Python"),
        ("x = 1\n  y = 2\n", "line 2"),
        ("x = '\0'", "null"),
        ("(" * 5000 + ")" * 5000, "not"),
        ("x = " + "-" * 50_000 + "1", "nested"),
        ("x = 1 + " + "1 + " * 20_000 + "1", "nested"),
        ("return 1", "outside function"),
        ("x = 1\n" * 100_000, "bytes"),
        ("x = '\ud800'", "not"),
    ],
    ids=range(9),
)
def test_what_cannot_be_read_is_one_blocking_finding(code: str, word: str) -> None:
    (finding,) = look(code)
    assert finding.blocks
    assert word in finding.sentence


def test_an_empty_script_is_only_a_script_without_a_model() -> None:
    assert not Review(code_hash="0" * 64, findings=look("")).blocked


def test_blocking_findings_come_first_and_each_has_a_line_and_a_sentence() -> None:
    found = look("import math\nx: int = 1\n\nimport socket\n")
    assert [finding.blocks for finding in found] == sorted((finding.blocks for finding in found), reverse=True)
    assert found[0].line == 4
    assert all(finding.sentence.endswith(".") for finding in found)


def test_a_removed_working_folder_does_not_hinder_the_check(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    program = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
os.mkdir({str(gone)!r}); os.chdir({str(gone)!r}); os.rmdir({str(gone)!r})
from tools.lint import check
print([found.source for found in check("print(1)\\n", target="churn", features=[])])
"""
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("['policy']\n", "")
