"""Our policy over any script: what it sees through, what it leaves alone, and both measured on the corpus."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.policy import CORPUS, Figures, corpus, our_recipes
from tools.lint import Finding, check, policy_findings
from tools.lint.checkers import bandit_findings, bandit_issues
from tools.lint.finding import Action
from tools.lint.program import Program


@pytest.fixture(scope="module")
def ordinary() -> Figures:
    return corpus("ordinary")


@pytest.fixture(scope="module")
def harmful() -> Figures:
    return corpus("harmful")


def test_false_alarms_on_ordinary_scripts_are_under_three_percent(ordinary: Figures) -> None:
    assert len(ordinary.looks) >= 100
    assert ordinary.share("stopped") < 0.03, [look.name for look in ordinary.looks if look.stopped]


def test_our_recipes_pass(harmful: Figures) -> None:
    recipes = our_recipes()
    assert len(recipes.looks) > 27
    assert [look.name for look in recipes.looks if look.stopped] == []


def test_harmful_scripts_are_seen(harmful: Figures) -> None:
    assert len(harmful.looks) >= 80
    assert harmful.share("seen") >= 0.95, [look.name for look in harmful.looks if not look.seen]
    assert harmful.share("blocked") >= 0.9


def test_bandit_alone_would_not_do(ordinary: Figures, harmful: Figures) -> None:
    assert harmful.share("bandit_any") < harmful.share("seen")
    assert ordinary.share("bandit_any") > ordinary.share("stopped")


def test_the_corpus_is_text_that_nothing_imports() -> None:
    names = [file.name for file in CORPUS.rglob("*.py")]
    assert not [name for name in names if name.startswith("test_") or name.endswith("_test.py")]
    for file in (CORPUS / "ordinary").glob("*.py"):
        ast.parse(file.read_text(encoding="utf-8"))


def actions(code: str) -> dict[str, Action]:
    """Rule -> what our policy does about it, at worst."""
    found = sorted(policy_findings(Program.parse(code)), key=lambda one: one.blocks)
    return {one.rule: one.action for one in found}


OPENED = "import numpy as np\nprint(open({}).read())"


@pytest.mark.parametrize(
    "path",
    [
        "'/etc/passwd'",
        "'/e' + 'tc/passwd'",
        "'/'.join(['', 'etc', 'passwd'])",
        "'/{}/{}'.format('etc', 'passwd')",
        "'/%s' % 'etc/passwd'",
        "'dwssap/cte/'[::-1]",
        "chr(47) + 'etc/passwd'",
        "''.join(chr(c) for c in [47, 101, 116, 99])",
        "''.join(map(chr, (47, 101, 116, 99)))",
        "bytes([47, 101, 116, 99]).decode()",
        "bytes.fromhex('2f657463').decode()",
        "'!etc!passwd'.replace('!', '/')",
        "{'a': '/etc/passwd'}['a']",
        "f'/etc/{np.e}'",
        "'../' * 3 + 'etc/passwd'",
        "'/ETC'.lower() + '/passwd'",
        "b'/etc/passwd'",
        "f'{chr(47)}etc/passwd'",
    ],
)
def test_a_path_is_seen_however_it_is_put_together(path: str) -> None:
    found = actions(OPENED.format(path))
    assert found.get("policy:path") == "block", found


@pytest.mark.parametrize(
    ("code", "action"),
    [
        ("class C:\n    def __init__(s):\n        s.p = '/etc/passwd'\n    def go(s):\n        open(s.p)", "block"),
        ("class C:\n    p = '/etc/passwd'\nopen(C.p)", "block"),
        ("p = '/etc'\np += '/passwd'\nopen(p)", "block"),
        ("p = 'outputs/a'\nif p:\n    p = '/etc/passwd'\nopen(p)", "ask"),
        ("def place():\n    return '/etc/passwd'\nopen(place())", "block"),
        ("a, b = '/etc/', 'passwd'\nopen(a + b)", "block"),
        ("c = {}\nc['p'] = '/etc/passwd'\nopen(c['p'])", "block"),
        ("c = {'p': '/etc/passwd'}\nopen(c.get('p', 'inputs/a'))", "block"),
        ("import foo\nfoo.map(lambda p: open(p), ['/etc/passwd'])", "ask"),
        ("def run(box, p):\n    open(p)\n    box.use('/etc/passwd')", "ask"),
        ("import configparser\nc = configparser.ConfigParser()\nc.read('/etc/passwd')", "block"),
        ("p = ArgumentParser()\np.add_argument('--x', default='/etc/x')\nopen(p.parse_args().x)", "block"),
        ("import argparse as a\na.ArgumentParser().add_argument('x', type=a.FileType(), default='/etc/x')", "block"),
        ("from pathlib import Path\nh = Path('inputs')\nwhile h:\n    h = h.parent", "block"),
        ("from pathlib import Path\nopen(Path.cwd().anchor + 'etc')", "block"),
        ("import sqlite3\nsqlite3.connect(':memory:').execute('ATTACH ? AS x', ('/etc/x',))", "ask"),
    ],
)
def test_a_path_is_followed_one_step_behind_names_attributes_and_functions(code: str, action: Action) -> None:
    assert actions(code).get("policy:path") == action


def test_a_text_that_leads_away_is_not_called_unopened_where_that_is_not_known() -> None:
    (stored,) = policy_findings(Program.parse("box.where = '/etc/passwd'"))
    assert "is not opened" not in stored.sentence
    (compared,) = policy_findings(Program.parse("print(box.where == '/etc/passwd')"))
    assert "is not opened" in compared.sentence


def test_more_values_than_can_be_looked_at_count_as_unknown() -> None:
    several = "".join(f"if {n}:\n    a = b = c = 'outputs/{n}'\n" for n in range(4))
    code = f"import pickle\n{several}open(a + b + c)\nuse('/etc/passwd')"
    assert actions(code)["policy:path"] == "ask"
    assert actions(f"import joblib\n{several}joblib.load(a + b + c)")["policy:deserialise"] == "block"


@pytest.mark.parametrize(
    ("code", "action"),
    [
        ("with open('inputs/a', 'rb') as f:\n    pickle.load(f)", "block"),
        ("with open('outputs/a', 'wb') as f:\n    f\nwith open('inputs/a', 'rb') as f:\n    pickle.load(f)", "block"),
        ("with open('outputs/a', 'wb') as f:\n    f\nwith open('outputs/a', 'rb') as f:\n    pickle.load(f)", None),
        ("from pathlib import Path\nwith Path('outputs/a').open('rb') as f:\n    pickle.load(f)", None),
        ("from pathlib import Path\nwith Path('inputs/a').open('rb') as f:\n    pickle.load(f)", "block"),
        ("pickle.loads(pickle.dumps(1))", None),
        ("b = open('inputs/a', 'rb').read()\npickle.loads(b)", "block"),
        ("import io\nb = io.BytesIO()\npickle.dump(1, b)\npickle.load(b)", None),
        ("import io\nb = io.BytesIO()\nb.write(open('inputs/a', 'rb').read())\npickle.load(b)", "block"),
        ("def back(p):\n    return pickle.load(open(p, 'rb'))\nback('outputs/a')", None),
        ("def back(p):\n    return pickle.load(open(p, 'rb'))\nback('outputs/a')\nback('inputs/a')", "block"),
        ("def back(p):\n    return pickle.load(open(p, 'rb'))\nuse(back)", "block"),
        ("import torch\ntorch.load('inputs/a', weights_only=True)", None),
        ("import torch\ntorch.load('inputs/a')", "block"),
        ("pickle.load(open('/tmp/a', 'rb'))", "block"),
        ("import pandas as pd\npd.read_hdf('inputs/a.h5')", "ask"),
    ],
)
def test_only_what_the_script_pickled_itself_is_unpickled(code: str, action: Action | None) -> None:
    assert actions(f"import pickle\n{code}").get("policy:deserialise") == action


@pytest.mark.parametrize(
    ("code", "action"),
    [
        ("import sys\nprint('google.colab' in sys.modules)", None),
        ("import importlib\nimportlib.import_module('xgboost')", None),
        ("import importlib\nfor n in ('lightgbm', 'xgboost'):\n    importlib.import_module(n)", None),
        ("import importlib\nimportlib.import_module('subprocess')", "block"),
        ("import importlib\nfor n in ('numpy', 'o' + 's'):\n    importlib.import_module(n)", "block"),
        ("import importlib\nfor n in open('inputs/a'):\n    importlib.import_module(n)", "block"),
        ("import importlib\nlist(map(importlib.import_module, ['os']))", "block"),
        ("print(locals().get('x'))", "note"),
        ("import os\nlocals()['os'].system('id')", "block"),
        ("print(globals()['__builtins__'])", "block"),
        ("import os\nprint([v for v in globals().values()])", "ask"),
        ("import traceback as t\ntry:\n    1\nexcept Exception as e:\n    t.print_tb(e.__traceback__)", None),
        ("e.__traceback__.x", "block"),
        ("class A: pass\nprint(A.__mro__)", "note"),
        ("print(''.__class__.__mro__)", "block"),
        ("from operator import methodcaller as m\nm('upper')('a')", None),
        ("from operator import methodcaller as m\nm('to_csv', 'x')(d)", "ask"),
        ("from operator import methodcaller as m\nm('system', 'id')(d)", "block"),
        ("import timeit\ntimeit.timeit(lambda: 1)", None),
        ("import timeit\ntimeit.timeit('1')", "block"),
        ("import gc\ngc.get_objects()", "ask"),
        ("import pandas as pd\nprint(pd.__file__)", "note"),
        ("import pandas as pd\nopen(pd.__file__)", "ask"),
        ("import numpy as np\nfor n in dir(np):\n    getattr(np, n)", "ask"),
        ("import numpy as np\nfor n in ('mean', 'std'):\n    getattr(np, n)", None),
        ("import os, shutil\nprint(os.uname(), shutil.which('dot'))", None),
        ("import shutil\nshutil.unpack_archive('inputs/a.zip', 'outputs/a')", None),
        ("import shutil\nshutil.unpack_archive('inputs/a.zip', '/home/user')", "block"),
        ("import os\nos.chdir('/home')", "block"),
        ("import sqlalchemy as s\ns.create_engine('sqlite:///inputs/a.db')", None),
        ("import sqlalchemy as s\ns.create_engine('sqlite:////home/user/a.db')", "block"),
        ("import sqlalchemy as s\ns.create_engine('mysql://h/db')", "block"),
        ("import sqlalchemy as s\ns.create_engine(given)", "ask"),
        ("'{0.io.os}'.format(x)", "block"),
        ("class T:\n    import os", "block"),
        ("class T:\n    import numpy", None),
        ("import multiprocessing as m\nfor n in range(4):\n    m.Process(target=print)", "note"),
        ("import multiprocessing as m\nwhile True:\n    m.Process(target=print)", "ask"),
    ],
)
def test_questions_to_the_interpreter_are_judged_by_what_they_are_given(code: str, action: Action | None) -> None:
    order = {None: 0, "note": 1, "ask": 2, "block": 3}
    assert max(actions(code).values(), key=order.__getitem__, default=None) == action


@pytest.mark.parametrize(
    "path",
    ["'inputs/a.csv'", "f'outputs/{np.e}.txt'", "'/'.join(['inputs', 'a.csv'])", "'inputs/{}.csv'.format(np.e)"],
)
def test_its_own_folders_are_fine_however_they_are_put_together(path: str) -> None:
    assert actions(OPENED.format(path)) == {}


@pytest.mark.parametrize(
    ("code", "action"),
    [
        ("for p in ['/etc/passwd']:\n    open(p)", "block"),
        ("for p in ['/etc/passwd', '/etc/hosts']:\n    open(p)", "block"),
        ("def show(p):\n    return open(p)\nshow('/etc/passwd')", "ask"),
        ("def load(p='/etc/passwd'):\n    return open(p)\nload()", "ask"),
        ("PLACES = ['/etc/passwd', '../x']\nprint([open(p) for p in PLACES])", "ask"),
        ("import sklearn.datasets as d\nd.load_files('/etc/ssl')", "ask"),
    ],
)
def test_a_path_that_goes_through_names_and_loops_is_at_least_asked_about(code: str, action: Action) -> None:
    assert actions(code).get("policy:path") == action


@pytest.mark.parametrize(
    "code",
    [
        "SOURCE = 'https://example.org/data'\nprint('from', SOURCE)",
        "import json\nspec = {'$schema': 'https://example.org/v6.json'}\njson.dump(spec, open('outputs/a.json', 'w'))",
        "import pandas as pd\ndf = pd.read_csv('inputs/log.csv')\nprint(df.path.str.startswith('/home/'))",
        "import re\nprint(re.sub('/usr/', '', 'x'))",
        "FORMULA = 'y ~ days'\nprint(FORMULA, '~days')",
    ],
)
def test_an_address_that_is_only_mentioned_stops_nothing(code: str) -> None:
    assert set(actions(code).values()) <= {"note"}


@pytest.mark.parametrize(
    "code",
    [
        "import os, tempfile\nfd, name = tempfile.mkstemp()\nos.close(fd)\nos.remove(name)",
        "import tempfile\nwith tempfile.TemporaryDirectory() as d:\n    open(f'{d}/x', 'w').write('x')",
        "from pathlib import Path\nfor old in Path('outputs').glob('*.tmp'):\n    old.unlink()",
        "import glob, os\nfor name in glob.glob('outputs/*.png'):\n    os.remove(name)",
        "import shutil\nshutil.rmtree('outputs/old', ignore_errors=True)",
    ],
)
def test_a_script_may_tidy_up_what_it_made(code: str) -> None:
    assert actions(code) == {}


@pytest.mark.parametrize(
    ("code", "action"),
    [
        ("import os\nos.remove('inputs/a.csv')", "block"),
        ("import os\ndef tidy(p):\n    os.remove(p)\ntidy('outputs/x')", "ask"),
        ("import os\nfor n in os.listdir('inputs'):\n    os.remove(os.path.join('inputs', n))", "block"),
        ("import os\nlist(map(os.remove, ['a']))", "ask"),
        ("from pathlib import Path\nPath('outputs/x').chmod(0o4755)", "block"),
        ("import shutil\nshutil.move('inputs/a.csv', 'outputs/a.csv')", "block"),
    ],
)
def test_anything_else_it_may_not_remove_unasked(code: str, action: Action) -> None:
    assert actions(code).get("policy:destructive") == action


@pytest.mark.parametrize(
    ("code", "action"),
    [
        ("import os\nos.environ['OMP_NUM_THREADS'] = '2'", None),
        ("import os\nos.environ.update(OMP_NUM_THREADS='2', MKL_NUM_THREADS='2')", None),
        ("import os\nprint(int(os.environ.get('SEED', 1)))", "note"),
        ("import os\nprint(os.environ.get('API_KEY'))", "block"),
        ("import os\nprint(os.getenv('API_KEY', ''))", "block"),
        ("import os\nprint(os.getenv('DATA_DIR', 'inputs'))", "note"),
        ("import os\nprint(os.environ['DATA_DIR'])", "ask"),
        ("import os\nname = 'S' + 'EED'\nprint(os.environ[name], os.environ)", "block"),
        ("import os\nos.environ['LD_PRELOAD'] = 'outputs/x.so'", "block"),
        ("from os import environ as e\nprint({**e})", "block"),
    ],
)
def test_the_environment(code: str, action: Action | None) -> None:
    assert actions(code).get("policy:environment") == action


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("SELECT * FROM read_csv('/etc/passwd')", "policy:path"),
        ("SELECT * FROM 'https://evil.example/x.parquet'", "policy:network"),
        ("COPY t TO '../x.csv'", "policy:path"),
        ("COPY t TO 'x.csv'", "policy:write"),
        ("INSTALL httpfs", "policy:network"),
        ("ATTACH '~/x.db'", "policy:path"),
    ],
)
def test_queries_are_read_for_files(sql: str, rule: str) -> None:
    assert rule in actions(f'import duckdb\nduckdb.connect().execute("""{sql}""")')


def test_queries_on_the_inputs_are_fine() -> None:
    code = "import duckdb\nduckdb.sql(\"COPY (SELECT * FROM 'inputs/a.csv' WHERE p = '/home') TO 'outputs/b.csv'\")"
    assert actions(code) == {}


@pytest.mark.parametrize(
    "code",
    [
        "x = 'a\u202eb'",
        "# \u2066 hidden\nx = 1",
        "x = 'a\u200b\u200c\u200b\u200c\u200bb'",
        "data = 1\nd\u0430ta = 2\nprint(data, d\u0430ta)",
        "x = 1" + " " * 120 + "; y = 2",
        "x = '\x1b[2K'",
    ],
)
def test_what_hides_from_the_reader_is_found(code: str) -> None:
    assert actions(code).get("policy:hidden-text") in ("block", "ask")


@pytest.mark.parametrize("code", ["größe = 'Äpfel 🍎 été'", "Δt, μ, σ_x = 1, 2, 3", "x = 'می\u200cخواهم'"])
def test_other_languages_are_not_hidden_text(code: str) -> None:
    assert "block" not in actions(code).values()
    assert "ask" not in actions(code).values()


@pytest.mark.parametrize(
    ("code", "action"),
    [
        ("import base64\nprint(base64.b64encode(open('outputs/a.png', 'rb').read()))", None),
        ("import base64\nexample = base64.b64decode('aGk=')", "block"),
        ("import base64\nprint([base64.b64decode(x) for x in open('inputs/a')])", "note"),
        ("print('uryyb'.encode().decode('rot13'))", "block"),
        ("print(''.join(chr(c ^ 7) for c in [1, 2, 3, 4, 5, 6, 7, 8]))", "block"),
        ("print([chr(ord('a') + i) for i in range(26)])", None),
        ("x = b'\\x7fELF\\x02'", "block"),
    ],
)
def test_encoded_text(code: str, action: Action | None) -> None:
    assert actions(code).get("policy:encoded") == action


@pytest.mark.parametrize(
    "code",
    [
        "import multiprocessing\nmultiprocessing.Process(target=print).start()",
        "from concurrent.futures import ProcessPoolExecutor\nProcessPoolExecutor()",
        "from multiprocessing import Manager\nManager()",
        "import os\nos.chdir('outputs')",
        "import sys\nsys.path.insert(0, 'inputs')",
        "open('/tmp/scratch.csv', 'w').write('x')",
    ],
)
def test_what_the_sandbox_can_bear_is_a_note(code: str) -> None:
    assert set(actions(code).values()) == {"note"}


def test_a_script_that_trains_nothing_is_not_told_about_models_and_targets() -> None:
    code = (
        "import pandas as pd\ndf = pd.read_csv('inputs/labels.csv')\nm = df.drop(columns=['x'])\nm.fit(df, df['y'])\n"
    )
    assert check(code) == ()
    rules = {found.rule for found in check(code, target="y", features=["x"])}
    assert {"policy:no-model", "policy:sealed", "leakage:target"} <= rules


@pytest.mark.parametrize("code", ["open('customers.csv')", "open('model.bin', 'wb')"])
def test_a_file_elsewhere_in_its_folder_matters_to_a_training_script_alone(code: str) -> None:
    assert set(actions(code).values()) == {"note"}
    assert any(found.action == "ask" for found in check(code, target="y", features=["x"]))


def test_findings_say_where_in_characters() -> None:
    (found,) = [one for one in check("x = 'ä'; print(open('/etc/passwd').read())") if one.rule == "policy:path"]
    assert (found.line, found.column) == (1, 16)


@pytest.mark.parametrize(
    ("severity", "source", "blocks", "action"),
    [
        ("security", "policy", True, "block"),
        ("error", "syntax", True, "block"),
        ("error", "ruff", True, "ask"),
        ("warning", "policy", False, "note"),
        ("note", "ruff", False, "note"),
    ],
)
def test_severity_decides_what_a_finding_does(severity: str, source: str, blocks: bool, action: Action) -> None:
    written = {"rule": "r", "severity": severity, "source": source, "line": 1, "sentence": "s.", "blocks": blocks}
    assert Finding.model_validate(written).action == action


LONG_SUM = "x = " + " + ".join(["'a'"] * 900) + "\nprint(open(x))\n"


def test_expressions_too_deep_for_the_checkers_are_refused_at_once() -> None:
    (found,) = check(LONG_SUM * 8)
    assert (found.rule, found.action, found.line) == ("policy:depth", "block", 1)
    assert check("x = " + " + ".join(["'a'"] * 60) + "\n") == ()
    assert check("x = 0\nif x: pass\n" + "".join(f"elif x == {n}: pass\n" for n in range(300))) == ()


def test_a_test_of_bandit_that_fails_is_asked_about_and_writes_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    found = bandit_findings(LONG_SUM)
    assert ("unread", "ask") in [(one.rule, one.action) for one in found]
    assert bandit_issues(LONG_SUM) is None
    assert capfd.readouterr() == ("", "")


def test_bandit_that_takes_too_long_blocks() -> None:
    (found,) = bandit_findings("print(1)\n", seconds=-1)
    assert (found.rule, found.action) == ("unread", "block")
    assert bandit_findings("print(1)\n") == []


def test_bandit_that_stumbles_is_no_silence() -> None:
    assert bandit_issues("import os\nos.system('ls')")
    assert bandit_issues("def broken(:\n") is None


def test_the_benchmark_prints_its_figures() -> None:
    done = subprocess.run([sys.executable, "-c", PRINT_ROW], capture_output=True, text=True, check=True, cwd=ROOT)
    assert "false alarms" in done.stdout


ROOT = Path(__file__).parents[2]
PRINT_ROW = """
from benchmarks.policy import Figures, _row, look_at
_row("false alarms", Figures((look_at("x", "print(1)"),)), "stopped")
"""
