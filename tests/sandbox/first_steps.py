"""Program: the first steps of a script at one level, each told as a line of a JSON object; for any user."""

import asyncio
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any

from sandbox.base import Metric, Outcome
from sandbox.local import LocalSandbox
from sandbox.probe import LEVELS, Level, try_level
from tests.sandbox.levels import print_unavailable
from tests.sandbox.scenes import SMALL, Played, job, play

BRIEF = replace(SMALL, seconds=1, processes=24)
PATIENT = replace(SMALL, seconds=60, memory_mb=2048)

SHORT = {
    "hello": ("print('hello')", SMALL),
    "metrics": ("for i in range(3):\n    print('@@{\"step\": %d}' % i)\nprint('done')", SMALL),
    "error": ("def f():\n    return 1 / 0\n\nf()\n", SMALL),
    "exit code": ("raise SystemExit(7)", SMALL),
    "timeout": ("import signal, time\nsignal.signal(15, signal.SIG_IGN)\nwhile True: time.sleep(1)", BRIEF),
    "memory": ("import numpy as np\nx = np.ones(2**30)", PATIENT),
    "a family of hogs": (
        "import os, time\nfor _ in range(12):\n    if os.fork() == 0:\n"
        "        x = bytearray(90_000_000); time.sleep(30)\ntime.sleep(30)",
        replace(SMALL, seconds=30),
    ),
    "big file": ("f = open('outputs/x', 'wb')\nwhile True: f.write(bytes(1_000_000))", replace(SMALL, seconds=30)),
    "many files": ("from pathlib import Path\nfor i in range(9999): Path(f'outputs/{i}').touch()", SMALL),
    "removed but open": (
        "import os, tempfile, time\nheld = [tempfile.TemporaryFile() for _ in range(9)]\n"
        "for f in held: f.write(bytes(64_000_000)); f.flush()\ntime.sleep(60)",
        replace(SMALL, seconds=60),
    ),
    "flood": ("while True: print('x' * 1000)", SMALL),
    "fork bomb": ("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", replace(BRIEF, seconds=5)),
    "daemon": (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(600)\n    os._exit(0)",
        SMALL,
    ),
    "segfault": ("import ctypes; ctypes.string_at(0)", SMALL),
    "libraries": (
        """
        import matplotlib.pyplot as plt, numpy as np, pandas as pd, shutil
        from sklearn.cluster import KMeans
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import cross_val_score
        X = pd.DataFrame(np.random.default_rng(0).normal(size=(300, 4)), columns=list("abcd"))
        y = (X["a"] > 0).astype(int)
        HistGradientBoostingClassifier(max_iter=3).fit(X, y)
        KMeans(2, n_init=1).fit(X)
        print(len(cross_val_score(LogisticRegression(), X, y, n_jobs=2)))
        X.to_parquet("outputs/x.parquet")
        shutil.copy2("outputs/x.parquet", "outputs/y.parquet")
        print(pd.read_parquet("outputs/y.parquet").equals(X))
        plt.plot([1, 2]); plt.savefig("outputs/p.png")
        """,
        PATIENT,
    ),
}


def told(played: Played) -> dict[str, Any]:
    outcome = played.outcome
    return {
        "kind": outcome.kind,
        "code": outcome.exit_code,
        "message": outcome.message,
        "isolation": outcome.isolation,
        "stdout": played.stdout[:1000],
        "stderr": played.stderr[-1000:],
        "metrics": played.metrics,
        "files": sorted(file.name for file in outcome.files),
    }


async def bring(sandbox: LocalSandbox, place: Path) -> dict[str, Any]:
    """Inputs are read, cannot be changed, and what is in outputs/ comes back."""
    private = place / "private"
    private.mkdir(mode=0o700)
    (private / "inner.txt").write_text("deep")
    (private / "inner.txt").chmod(0o600)
    (place / "table.csv").write_text("a\n1\n")
    before = (place / "table.csv").stat()
    script = """
        import os
        from pathlib import Path
        assert sorted(p.name for p in Path("inputs").iterdir()) == ["more", "train.csv"]
        for deed in (
            lambda: open("inputs/train.csv", "a"), lambda: os.unlink("inputs/train.csv"),
            lambda: open("inputs/new", "w"),
            lambda: os.truncate("inputs/train.csv", 0), lambda: os.link("inputs/train.csv", "outputs/same"),
            lambda: open("script.py", "a"), lambda: os.rename("inputs", "elsewhere"),
        ):
            try: deed()
            except OSError: continue
            print("GOT IN")
        for deed in (lambda: os.chmod("inputs/train.csv", 0o777), lambda: os.utime("inputs/train.csv", (1, 1))):
            try: deed()
            except OSError: pass
        Path("outputs/sub").mkdir()
        text = Path("inputs/train.csv").read_text() + Path("inputs/more/inner.txt").read_text()
        Path("outputs/sub/copy.txt").write_text(text)
        Path("outputs/link").symlink_to("/etc/passwd")
        os.mkdir("outputs/shut", 0)
    """
    inputs = {"train.csv": place / "table.csv", "more": private}
    played = await play(sandbox, dedent(script), inputs=inputs, outputs=place / "out")
    after = (place / "table.csv").stat()
    kept = (before.st_mode, before.st_mtime_ns, before.st_size) == (after.st_mode, after.st_mtime_ns, after.st_size)
    copy = place / "out/sub/copy.txt"
    return told(played) | {"copy": copy.read_text() if copy.exists() else "", "kept": kept}


async def stop(sandbox: LocalSandbox) -> list[str]:
    """From outside, in mid-run."""
    stubborn = job("print('running')\nwhile True: pass")
    said = []
    async for event in sandbox.run(stubborn):
        said.append(event.kind if isinstance(event, Outcome) else "metric" if isinstance(event, Metric) else event.text)
        await sandbox.stop(stubborn.id)
    return said


async def at_once(sandbox: LocalSandbox) -> list[str]:
    """Four runs that must not meet; each looks for what the others left in the places that it can write."""
    script = """
        import os, tempfile, time
        me = os.environ["ME"]
        mine = os.path.join(tempfile.gettempdir(), "me")
        assert os.listdir("outputs") == [] and not os.path.exists(mine)
        open(mine, "w").write(me); open("outputs/me", "w").write(me)
        time.sleep(0.3)
        print(open(mine).read(), open("outputs/me").read(), os.getuid())
    """
    runs = [play(sandbox, dedent(script), environment={"ME": str(n)}) for n in range(4)]
    return [played.stdout + played.stderr for played in await asyncio.gather(*runs)]


def _level() -> Level:
    return next(level for level in LEVELS if level == sys.argv[1])


async def walk(place: Path) -> dict[str, Any]:
    sandbox = LocalSandbox(try_level(_level()))
    try:
        report: dict[str, Any] = {"bring": await bring(sandbox, place), "stop": await stop(sandbox)}
        report["at once"] = await at_once(sandbox)
        for name, (script, limits) in SHORT.items():
            report[name] = told(await play(sandbox, dedent(script), limits=limits, outputs=place / name))
    finally:
        await sandbox.close()
    return report


def main() -> None:
    if print_unavailable(_level()):
        return
    with tempfile.TemporaryDirectory(prefix="steps-") as folder:
        temporary = Path(folder, "tmp")
        temporary.mkdir()
        tempfile.tempdir = str(temporary)
        report = asyncio.run(walk(Path(folder)))
        report["left behind"] = [path.name for path in temporary.iterdir()]
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main()
