"""What a script is and what it sees: nobody, alone, with the Python environment and nothing else of the host."""

import json
from pathlib import Path

from sandbox import mounts
from sandbox.base import Limits
from sandbox.local import LocalSandbox
from tests.sandbox.scenes import play
from tools.samples import SAMPLES

PATIENT = Limits(cpus=2, memory_mb=512, seconds=60, processes=32, written_mb=16, output_mb=1)

ROWS = {
    "iris": [b"5.1,3.5,1.4,0.2", b"7,3.2,4.7,1.4", b"6.3,3.3,6,2.5"],
    "breast_cancer": [b"17.99,10.38,122.8", b"20.57,17.77,132.9"],
    "diabetes": [b"59,2,32.1,101", b"48,1,21.6,87", b"0.0380759,0.0506801"],
    "wine": [b"14.23,1.71,2.43", b"13.2,1.78,2.14"],
    "digits": [b"0,0,5,13,9,1,0,0,0,0,13,15,10,15,5", b"0,0,0,12,13,5,0,0,0,0,0,11,16,9,0,0"],
}
"""The beginnings of rows as they stand in a table, with commas between and no needless noughts."""


async def test_no_table_of_a_sample_lies_in_the_environment(sandbox: LocalSandbox) -> None:
    """Searched by content in whatever may hold a table: text, compressed text, Parquet, and tables in test modules."""
    assert set(ROWS) == set(SAMPLES)
    script = f"""
import gzip, os, re, sys, sklearn.datasets
import pyarrow.csv, pyarrow.parquet
ROWS = {ROWS!r}
TABLES = (".csv", ".tsv", ".txt", ".data", ".arff", ".json", ".dat", ".gz", ".parquet", ".xls", ".xml", ".dta", ".html")
def text_of(path):
    raw = open(path, "rb").read()
    if path.endswith(".parquet"):
        frame = pyarrow.parquet.read_table(path).to_pandas()
        raw = frame.to_csv(index=False).encode()
    if path.endswith(".gz"):
        try: raw = gzip.decompress(raw)
        except OSError: return b""
    plain = re.sub(rb"[\\s,;|\\x22\\x27\\[\\]()]+", b",", raw)
    return re.sub(rb"(?<=[0-9])[.]0+(?![0-9])", b"", plain)
seen, found = 0, []
packages = {{os.path.dirname(os.path.dirname(sklearn.__file__)), *(p for p in sys.path if p.endswith("-packages"))}}
for folder in packages:
    for where, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            in_tests = name.endswith(".py") and ("/tests" in where or "/datasets" in where)
            if (name.endswith(TABLES) or in_tests) and os.path.getsize(path) < 3_000_000 and ".dist-info" not in where:
                seen += 1
                text = text_of(path)
                for sample, rows in ROWS.items():
                    if sum(row in text for row in rows) > 1:
                        found.append((sample, path))
print(seen > 500, found)
print(sklearn.datasets.make_classification(20, random_state=0)[0].shape)
"""
    played = await play(sandbox, script, limits=PATIENT)
    assert (played.stdout, played.stderr) == ("True []\n(20, 20)\n", "")


async def test_a_script_sees_only_its_own_processes(sandbox: LocalSandbox) -> None:
    played = await play(sandbox, "import os\nprint(sorted(int(p) for p in os.listdir('/proc') if p.isdigit()))")
    assert played.stdout == "[1, 2]\n"


async def test_a_script_is_nobody(sandbox: LocalSandbox) -> None:
    script = """
import os
print(os.getresuid(), os.getresgid())
for line in open("/proc/self/status"):
    if line.startswith(("Cap", "NoNewPrivs", "Seccomp:")):
        print(line.split())
"""
    said = (await play(sandbox, script)).stdout.splitlines()
    assert said[0] == "(1000, 1000, 1000) (1000, 1000, 1000)"
    assert {line for line in said[1:] if "Cap" in line} == {
        f"['{kind}:', '0000000000000000']" for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
    }
    assert "['NoNewPrivs:', '1']" in said
    assert "['Seccomp:', '2']" in said


async def test_a_script_holds_no_descriptor_of_ours(sandbox: LocalSandbox) -> None:
    script = """
import os
print([os.readlink(f"/proc/self/fd/{n}").split(":")[0] for n in range(3)])
print(len(os.listdir("/proc/self/fd")))
"""
    assert (await play(sandbox, script)).stdout == "['/dev/null', 'pipe', 'pipe']\n4\n"


async def test_the_box_shows_no_folder_of_the_host(sandbox: LocalSandbox) -> None:
    script = """
import json, os
for folder in ("/home", "/root", "/var", "/mnt", "/media", "/opt", "/srv", "/etc", "/tmp", "/run", "/boot", "/work"):
    print(json.dumps([folder, os.listdir(folder) if os.path.isdir(folder) else []]))
"""
    seen = dict(json.loads(line) for line in (await play(sandbox, script)).stdout.splitlines())
    assert set(seen.pop("/etc")) <= {"alternatives", "group", "passwd", "ld.so.cache", "localtime"}
    seen["/tmp"].remove("catboost_info")  # ours: CatBoost writes its notes there
    ways = [Path(path).parts for path in mounts.python_environment()]
    for folder, names in seen.items():
        assert set(names) <= {way[2] for way in ways if f"/{way[1]}" == folder}, folder


async def test_a_script_cannot_talk_to_the_watcher(sandbox: LocalSandbox) -> None:
    """Everything it could have inherited is closed, so its figures and its end are told by us."""
    script = """
import os
for fd in range(3, 1024):
    try: os.write(fd, b'{"event": "ended", "why": "exit", "code": 0}')
    except OSError: pass
raise SystemExit(3)
"""
    assert (await play(sandbox, script)).outcome.exit_code == 3
