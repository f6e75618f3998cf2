"""An honest script finds what it was promised, and we hear of everything it does."""

import asyncio
import importlib.util
from pathlib import Path
from textwrap import dedent

import pytest

from sandbox.base import Limits, SandboxError
from sandbox.local import LocalSandbox
from tests.sandbox.scenes import play

ROOMY = Limits(cpus=2, memory_mb=2048, seconds=200)


async def test_a_script_says_hello(sandbox: LocalSandbox) -> None:
    played = await play(sandbox, "print('hello')")
    assert played.stdout == "hello\n"
    assert played.outcome.kind == "ok"
    assert played.outcome.exit_code == 0
    assert "Landlock" in played.outcome.isolation


async def test_lines_arrive_while_the_script_is_still_running(sandbox: LocalSandbox) -> None:
    from tests.sandbox.scenes import job

    script = "import sys\nprint('first', flush=True)\nwhile True: pass"
    run = sandbox.run(job(script))
    assert getattr(await anext(run), "text", "") == "first\n"
    await run.aclose()


async def test_lines_and_metrics_keep_their_order(sandbox: LocalSandbox) -> None:
    script = "for i in range(500):\n    print('@@{\"step\": %d}' % i)\n    print('line', i)"
    played = await play(sandbox, script)
    assert [m["step"] for m in played.metrics] == list(range(500))
    assert played.stdout == "".join(f"line {i}\n" for i in range(500))


async def test_a_metric_is_a_metric_and_a_broken_one_is_text(sandbox: LocalSandbox) -> None:
    script = """print('@@{"name": "roc_auc", "value": NaN}\\n@@not json\\n@@[1]\\n a @@{}')"""
    played = await play(sandbox, script)
    assert played.metrics == [{"name": "roc_auc", "value": None}]
    assert played.stdout == "@@not json\n@@[1]\n a @@{}\n"


async def test_a_traceback_names_the_script_and_its_line(sandbox: LocalSandbox) -> None:
    played = await play(sandbox, "def f():\n    return 1 / 0\n\nf()\n")
    assert played.stderr == dedent(
        """\
        Traceback (most recent call last):
          File "script.py", line 4, in <module>
            f()
          File "script.py", line 2, in f
            return 1 / 0
                   ~~^~~
        ZeroDivisionError: division by zero
        """
    )
    assert played.outcome.kind == "error"
    assert played.outcome.exit_code == 1
    assert "ZeroDivisionError: division by zero" in played.outcome.message


async def test_a_syntax_error_is_told_like_any_other(sandbox: LocalSandbox) -> None:
    played = await play(sandbox, "x = = 1")
    assert 'File "script.py", line 1' in played.stderr
    assert "SyntaxError" in played.stderr
    assert "sandbox" not in played.stderr


async def test_exit_codes_are_pythons(sandbox: LocalSandbox) -> None:
    ends = {
        "raise SystemExit": (0, ""),
        "import sys; sys.exit(7)": (7, ""),
        "import sys; sys.exit('no data')": (1, "no data\n"),
        "import os; os._exit(9)": (9, ""),
    }
    played = await asyncio.gather(*(play(sandbox, script) for script in ends))
    assert [(one.outcome.exit_code, one.stderr) for one in played] == list(ends.values())


async def test_inputs_are_there_and_outputs_come_back(sandbox: LocalSandbox, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a\n1\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/inner.txt").write_text("deep")
    script = """
        from pathlib import Path
        assert sorted(p.name for p in Path("inputs").iterdir()) == ["more", "train.csv"]
        Path("outputs/sub").mkdir()
        text = Path("inputs/train.csv").read_text() + Path("inputs/more/inner.txt").read_text()
        Path("outputs/sub/copy.txt").write_text(text)
    """
    inputs = {"train.csv": tmp_path / "table.csv", "more": tmp_path / "folder"}
    played = await play(sandbox, dedent(script), inputs=inputs, outputs=tmp_path / "out")
    assert played.stderr == ""
    (artifact,) = played.outcome.files
    assert artifact.name == "sub/copy.txt"
    assert artifact.path.read_text() == "a\n1\ndeep"
    assert artifact.bytes == 8


async def test_private_inputs_of_ours_can_be_read(sandbox: LocalSandbox, tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    (private / "a.txt").write_text("for the script")
    (private / "a.txt").chmod(0o600)
    script = "print(open('inputs/a').read(), open('inputs/all/a.txt').read())"
    played = await play(sandbox, script, inputs={"a": private / "a.txt", "all": private})
    assert played.stdout == "for the script for the script\n"


async def test_an_input_that_is_gone_is_told_before_anything_runs(sandbox: LocalSandbox, tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="not there any more"):
        await play(sandbox, "print(1)", inputs={"a": tmp_path / "gone"})


@pytest.mark.parametrize("name", ["../a", "", ".", "..", "a/b", "x" * 300])
async def test_a_name_that_leaves_inputs_is_refused(sandbox: LocalSandbox, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a name"):
        await play(sandbox, "print(1)", inputs={name: tmp_path})


async def test_the_environment_is_clean_but_for_what_the_job_adds(
    sandbox: LocalSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "canary-4711")
    script = "import os, subprocess\nprint(sorted(os.environ))\nprint(os.environ['SEED'])\nsubprocess.run(['env'])"
    played = await play(sandbox, script, environment={"SEED": "7"})
    assert "canary" not in played.stdout
    assert "OPENAI" not in played.stdout
    assert "\n7\n" in played.stdout


async def test_the_interpreter_looks_freshly_started(sandbox: LocalSandbox) -> None:
    script = """
        import getpass, os, sys
        from pathlib import Path
        assert __name__ == "__main__" and sys.modules["__main__"].__dict__ is globals()
        assert sys.argv == ["script.py"] and Path(__file__).read_text()
        assert os.getcwd() == str(Path(__file__).parent)
        assert not [name for name in sys.modules if name.startswith("sandbox")]
        assert all(Path(path).exists() or path.endswith(".zip") for path in sys.path), sys.path
        assert getpass.getuser() == "user" and sys.stdin.read() == ""
        assert hash("modelwright") == int(os.popen(f'{sys.executable} -c "print(hash(\\'modelwright\\'))"').read())
    """
    played = await play(sandbox, dedent(script))
    assert played.stderr == ""


async def test_two_runs_do_not_share_their_random_state(sandbox: LocalSandbox) -> None:
    script = "import random, numpy\nprint(random.random(), numpy.random.rand())"
    first, second = await play(sandbox, script), await play(sandbox, script)
    assert first.stdout.split()[0] != second.stdout.split()[0]
    assert first.stdout.split()[1] != second.stdout.split()[1]


async def test_late_threads_and_exit_handlers_still_speak(sandbox: LocalSandbox) -> None:
    script = """
        import atexit, threading, time
        atexit.register(print, "bye")
        threading.Thread(target=lambda: (time.sleep(0.1), print("late"))).start()
    """
    assert (await play(sandbox, dedent(script))).stdout == "late\nbye\n"


async def test_numeric_libraries_work_in_a_fork_without_a_word_on_stderr(sandbox: LocalSandbox) -> None:
    script = """
        import lightgbm, numpy as np, pandas as pd
        from sklearn.cluster import KMeans
        from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
        rng = np.random.default_rng(0)
        X = pd.DataFrame(rng.normal(size=(300, 4)), columns=list("abcd"))
        y = (X["a"] > 0).astype(int)
        HistGradientBoostingClassifier(max_iter=3).fit(X, y)
        KMeans(2, n_init=1).fit(X)
        lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(X, y)
        RandomForestClassifier(4, n_jobs=2).fit(X, y)
        X.to_parquet("outputs/x.parquet")
        print(pd.read_parquet("outputs/x.parquet").equals(X))
    """
    played = await play(sandbox, dedent(script), limits=ROOMY)
    assert (played.stdout, played.stderr) == ("True\n", "")


@pytest.mark.slow
async def test_worker_processes_of_joblib_and_multiprocessing_work(sandbox: LocalSandbox) -> None:
    script = """
        import multiprocessing, numpy as np
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import cross_val_score
        def square(x):
            return x * x
        if __name__ == "__main__":
            X = np.random.default_rng(0).normal(size=(300, 4))
            print(len(cross_val_score(LogisticRegression(), X, X[:, 0] > 0, n_jobs=2)))
            for method in ("fork", "spawn"):
                with multiprocessing.get_context(method).Pool(2) as pool:
                    print(pool.map(square, [1, 2, 3]))
    """
    played = await play(sandbox, dedent(script), limits=ROOMY)
    assert played.stdout == "5\n[1, 4, 9]\n[1, 4, 9]\n"
    assert played.stderr == ""


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="matplotlib is not installed")
async def test_matplotlib_draws(sandbox: LocalSandbox, tmp_path: Path) -> None:
    script = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.savefig('outputs/p.png')"
    played = await play(sandbox, script, outputs=tmp_path / "out")
    assert [a.name for a in played.outcome.files] == ["p.png"]


async def test_threads_follow_the_share_of_cores(sandbox: LocalSandbox) -> None:
    script = """
        import os, threadpoolctl
        print(os.environ["OMP_NUM_THREADS"], len(os.sched_getaffinity(0)))
        print({pool["num_threads"] for pool in threadpoolctl.threadpool_info()})
    """
    one = await play(sandbox, dedent(script), limits=Limits(cpus=1))
    assert one.stdout == "1 1\n{1}\n"


async def test_the_figures_of_a_run_are_there(sandbox: LocalSandbox) -> None:
    script = """
        import numpy as np, time
        x = np.ones(25_000_000)
        end = time.process_time() + 0.3
        while time.process_time() < end: pass
    """
    outcome = (await play(sandbox, dedent(script))).outcome
    assert 0.3 <= outcome.cpu_seconds < 5
    assert outcome.seconds >= 0.3
    assert 190 < outcome.peak_memory_mb < 400
