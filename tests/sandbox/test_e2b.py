"""Scripts on rented machines: the real SDK against E2B's protocol on loopback (tests/sandbox/e2b_double.py)."""

import ast
import asyncio
import inspect
import logging
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from e2b import Template
from pydantic import SecretStr

from sandbox.base import Limits, Outcome, Output, SandboxBroken, SandboxError, SandboxUnavailable, SessionEnded
from sandbox.e2b import Account, E2BSandbox
from sandbox.elsewhere import Elsewhere, e2b_key, open_elsewhere
from sandbox.probe import probe
from tests.sandbox.e2b_double import KEY, Double, Fault, serving
from tests.sandbox.scenes import SMALL, job, play

ECHO = """
import sys
while head := sys.stdin.buffer.read(8):
    said = sys.stdin.buffer.read(int.from_bytes(head, "big"))
    if said == b"crash":
        sys.exit("the model is broken")
    if said == b"sleep":
        import time; time.sleep(60)
    if said == b"twice":
        import os; os.write(1, bytes(16)); continue
    if said == b"much":
        said = b"x" * 5_000_000
    said = said.upper()
    sys.stdout.buffer.write(len(said).to_bytes(8, "big") + said)
    sys.stdout.buffer.flush()
"""
# What the double's own loop leaves behind when it ends in the middle of a run may be collected in any of these tests.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
WAITING = "import time\nopen('outputs/early.txt', 'w').write('kept')\nprint('ready')\ntime.sleep(60)"


@pytest.fixture(scope="module", autouse=True)
def _namespaces() -> None:
    isolation = probe()
    if isolation.level != "full":
        pytest.skip(f"the machines of the double need namespaces: {isolation.reason}")


@pytest.fixture
def double(tmp_path: Path) -> Iterator[Double]:
    folder = tmp_path / "e2b"
    folder.mkdir()
    with serving(folder) as found:
        yield found


def rented(double: Double, key: str = KEY, idle_seconds: int = 60) -> E2BSandbox:
    account = Account(SecretStr(key), api_url=double.url, sandbox_url=double.url)
    return E2BSandbox(account, idle_seconds=idle_seconds)


@pytest_asyncio.fixture
async def cloud(double: Double) -> AsyncIterator[E2BSandbox]:
    sandbox = rented(double)
    yield sandbox
    await sandbox.close()


async def test_a_script_reads_its_inputs_and_its_results_come_back(
    cloud: E2BSandbox, double: Double, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "notes.txt").write_text("seven")
    table = tmp_path / "private.csv"
    table.write_text("a,b\n1,2\n")
    table.chmod(0o600)
    script = """
import os, sys
print(open('inputs/train.csv').read().split()[0])
print('@@{"kind": "progress", "done": 1}')
print(open('inputs/model/deep/notes.txt').read(), file=sys.stderr)
os.makedirs('outputs/charts')
open('outputs/charts/a.txt', 'w').write('chart')
open('outputs/big.bin', 'wb').write(bytes(range(256)) * 4000)
try:
    open('inputs/train.csv', 'a')
except OSError as problem:
    print('inputs:', problem.strerror)
print(__name__, os.environ['WISH'], sorted(k for k in os.environ if 'E2B' in k or 'KEY' in k))
"""
    played = await play(
        cloud,
        script,
        inputs={"train.csv": table, "model": folder},
        outputs=tmp_path / "out",
        environment={"WISH": 'it\'s "quoted"'},
    )
    assert played.outcome.ok, played.stderr
    first, inputs, last = played.stdout.splitlines()
    assert (first, last) == ("a,b", '__main__ it\'s "quoted" []')
    assert inputs in ("inputs: Read-only file system", "inputs: Permission denied")
    assert played.metrics == [{"kind": "progress", "done": 1}]
    assert played.stderr == "seven\n"
    assert {file.name for file in played.outcome.files} == {"charts/a.txt", "big.bin"}
    assert (tmp_path / "out" / "big.bin").read_bytes() == bytes(range(256)) * 4000
    assert played.outcome.cost_seconds > played.outcome.seconds > 0
    assert "data leaves this machine" in played.outcome.isolation
    assert not list(double.alive[0].real("/home/user").iterdir()), "inputs were left on the machine"


async def test_what_a_script_says_comes_while_it_runs(cloud: E2BSandbox) -> None:
    run = cloud.run(job("print('first', flush=True)\nimport time; time.sleep(60)", limits=Limits(seconds=60)))
    assert await anext(run) == Output("stdout", "first\n")
    await run.aclose()


@pytest.mark.parametrize(
    ("kind", "script", "code"),
    [
        ("error", "raise SystemExit(3)", 3),
        ("error", "import os; os._exit(7)", 7),
        ("error", "print('half'); undefined", 1),
        ("signal", "import os; os.kill(os.getpid(), 11)", None),
        ("memory", "x = 'a' * (3000 * 2**20)", 1),
        ("memory", "parts = []\nwhile True: parts.append(bytearray(5_000_000))", 1),
        ("disk_quota", "open('outputs/b', 'wb').write(b'1' * (30 * 2**20))", 1),
        ("output_limit", "while True: print('x' * 9999)", None),
        ("output_limit", "import sys\nwhile True: sys.stderr.write('x' * 9999)", None),
        ("timeout", "import time\nwhile True:\n try: time.sleep(9)\n except KeyboardInterrupt: pass", None),
        ("timeout", "import time\ntry: time.sleep(9)\nexcept KeyboardInterrupt: raise SystemExit(3)", None),
        ("timeout", "import time; time.sleep(9)", None),
        (
            "pids",
            "import threading, time\nfor _ in range(99):"
            " threading.Thread(target=time.sleep, args=(9,), daemon=True).start()",
            1,
        ),
    ],
)
async def test_every_end_has_its_name(
    cloud: E2BSandbox, double: Double, kind: str, script: str, code: int | None
) -> None:
    limits = Limits(
        cpus=2, memory_mb=300, seconds=1 if kind == "timeout" else 20, processes=16, written_mb=8, output_mb=1
    )
    played = await play(cloud, script, limits=limits)
    assert played.outcome.kind == kind, (played.outcome, played.stderr)
    assert played.outcome.exit_code == code or kind == "memory"
    assert played.outcome.signal == (11 if kind == "signal" else None)
    assert len(played.stdout + played.stderr) <= 2**20
    assert (await play(cloud, "print('next')")).stdout == "next\n"
    assert len(double.machines) == 1, "a machine whose run has ended properly is used again"


async def test_processor_time_has_a_limit_of_its_own_there_too(cloud: E2BSandbox) -> None:
    limits = Limits(cpus=2, memory_mb=300, seconds=40, processes=16, written_mb=8, output_mb=1, cpu_seconds=1)
    played = await play(cloud, "while True: pass", limits=limits)
    assert played.outcome.kind == "cpu", played.outcome
    assert "more than 1 s of processor time" in played.outcome.message


async def test_only_regular_files_come_back_under_safe_names(cloud: E2BSandbox, tmp_path: Path) -> None:
    script = """
import os
os.symlink('/etc/passwd', 'outputs/link.txt')
os.symlink('/etc', 'outputs/folder')
os.mkfifo('outputs/pipe')
open('outputs/real.txt', 'w').write('real')
os.link('outputs/real.txt', 'outputs/twin.txt')
open('outputs/a:b?.txt', 'w').write('odd')
open('outputs/-rf', 'w').write('dash')
open(b'outputs/\\xff.bin', 'w').write('bytes')
open('outputs/shut', 'w').write('shut'); os.chmod('outputs/shut', 0)
"""
    played = await play(cloud, script, outputs=tmp_path / "out")
    assert played.outcome.ok, played.stderr
    found = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert found.items() >= {"real.txt": "real", "twin.txt": "real", "a_b_.txt": "odd", "rf": "dash"}.items()
    assert not {"link.txt", "folder", "pipe"} & set(found)
    left = {"folder (a link)", "link.txt (a link)", "pipe (neither a file nor a folder)"}
    assert left <= set(played.outcome.left_behind)
    assert all(path.is_file() and not path.is_symlink() for path in (tmp_path / "out").iterdir())


async def test_too_many_files_are_refused_as_a_whole(cloud: E2BSandbox, tmp_path: Path) -> None:
    script = "for n in range(1100): open(f'outputs/{n}', 'w').write('x')"
    played = await play(cloud, script, outputs=tmp_path / "out")
    assert played.outcome.kind == "disk_quota"
    assert "1000 files" in played.outcome.message
    assert not (tmp_path / "out").exists()


async def test_nothing_of_one_run_is_there_in_the_next(cloud: E2BSandbox, double: Double) -> None:
    leave = """
import os, subprocess, sys
open('/tmp/left', 'w').write('x'); open('/dev/shm/left', 'w').write('x')
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        import time; time.sleep(60)
    os._exit(0)
"""
    look = """
import os
pids = [p for p in os.listdir('/proc') if p.isdecimal()]
print(os.path.exists('/tmp/left'), os.path.exists('/dev/shm/left'), os.listdir('outputs'), len(pids))
"""
    assert (await play(cloud, leave)).outcome.ok
    assert (await play(cloud, look)).stdout == "False False [] 2\n"
    assert len(double.machines) == 1


async def test_a_script_has_no_network_and_no_rank(cloud: E2BSandbox) -> None:
    script = """
import os, socket
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_VSOCK):
    try:
        socket.socket(family); print('open')
    except OSError as problem:
        print(problem.strerror)
status = dict(line.split(':', 1) for line in open('/proc/self/status').read().splitlines())
print(os.getuid(), int(status['CapEff'], 16), status['NoNewPrivs'].strip(), status['Seccomp'].strip())
try:
    open('/proc/1/environ')
except OSError as problem:
    print(problem.strerror)
"""
    played = await play(cloud, script)
    assert played.stdout.split("\n") == ["Operation not permitted"] * 3 + ["60001 0 1 2", "Permission denied", ""]


async def test_the_machine_is_asked_for_without_internet_and_with_an_end(cloud: E2BSandbox, double: Double) -> None:
    await play(cloud, "print(1)")
    machine = double.alive[0]
    assert machine.wish["allow_internet_access"] is False
    assert machine.wish["autoPause"] is False
    assert machine.wish["templateID"] == "code-interpreter-v1"
    assert machine.wish["envVars"] == {}
    assert machine.timeouts[0] >= SMALL.seconds + 60, "long enough for the copies"
    assert machine.timeouts[-1] == 60, "afterwards only as long as it may idle"


async def test_two_runs_at_once_have_a_machine_each(cloud: E2BSandbox, double: Double) -> None:
    script = "import os; print(os.listdir('inputs'))"
    await asyncio.gather(play(cloud, script), play(cloud, script))
    assert len(double.machines) == 2
    await asyncio.gather(play(cloud, script), play(cloud, script))
    assert len(double.machines) == 2


async def test_an_idle_machine_that_has_gone_is_replaced(cloud: E2BSandbox, double: Double) -> None:
    await play(cloud, "print(1)")
    double.vanish()
    assert (await play(cloud, "print(2)")).stdout == "2\n"
    assert len(double.machines) == 2


async def test_warming_rents_the_machine_that_the_first_run_uses(cloud: E2BSandbox, double: Double) -> None:
    await cloud.warm()
    await cloud.warm()
    assert len(double.alive) == 1
    await play(cloud, "print(1)")
    assert len(double.machines) == 1


async def test_stopping_keeps_what_was_written(cloud: E2BSandbox, tmp_path: Path) -> None:
    work = job(WAITING, outputs=tmp_path / "out")
    events = []
    async for event in cloud.run(work):
        events.append(event)
        if isinstance(event, Output):
            assert await cloud.stop(work.id)
    outcome = events[-1]
    assert isinstance(outcome, Outcome)
    assert outcome.kind == "killed_by_user"
    assert (tmp_path / "out" / "early.txt").read_text() == "kept"
    assert not await cloud.stop(work.id)


async def test_leaving_a_run_ends_its_machine(cloud: E2BSandbox, double: Double) -> None:
    run = cloud.run(job(WAITING))
    await anext(run)
    process = next(iter(double.alive[0].processes.values()))
    await run.aclose()
    assert not double.alive
    assert await asyncio.to_thread(_dies, process.pid)


async def test_closing_ends_every_run_and_every_machine(double: Double) -> None:
    cloud = rented(double)
    await play(cloud, "print(1)")

    async def waiting() -> Outcome:
        return (await play(cloud, WAITING)).outcome

    runs = [asyncio.create_task(waiting()) for _ in range(2)]
    await asyncio.to_thread(_until, lambda: sum(len(m.processes) for m in double.alive) >= 3)
    await cloud.close()
    assert [run.kind for run in await asyncio.gather(*runs)] == ["killed_by_user"] * 2
    assert not double.alive


FAULTS = {
    "key": (Fault(401, '{"code": 401, "message": "no"}'), "E2B does not accept the key"),
    "rate": (Fault(429, '{"code": 429, "message": "slow down"}', (("Retry-After", "0"),)), "Wait a minute"),
    "busy": (Fault(503, '{"code": 503, "message": "busy"}', (("Retry-After", "0"),)), "no machine free"),
    "quota": (Fault(403, '{"code": 403, "message": "quota"}'), "quota and plan"),
    "template": (Fault(404, '{"code": 404, "message": "template not found"}'), "does not know the template"),
    "too long": (Fault(400, '{"code": 400, "message": "Timeout cannot be greater"}'), "shorter time limit"),
    "crash": (Fault(500, '{"code": 500, "message": "oh"}'), "something unexpected (status 500)"),
    "page": (Fault(502, "<html>Bad gateway</html>", (("Retry-After", "0"),)), "something unexpected (status 502)"),
    "nonsense": (Fault(201, "<html>Welcome to the hotel</html>"), "something unexpected"),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_when_no_machine_can_be_had_the_reason_is_said(
    cloud: E2BSandbox, double: Double, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    fault, words = FAULTS[name]
    double.faults["POST", "/v2/sandboxes"] = fault
    with pytest.raises(SandboxUnavailable, match=words.replace("(", r"\(").replace(")", r"\)")) as raised:
        await play(cloud, "print(1)")
    assert KEY not in str(raised.value) + caplog.text


async def test_a_wrong_key_is_said_and_never_shown(double: Double, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = "e2b_" + "f" * 40
    cloud = rented(double, key=wrong)
    with pytest.raises(SandboxUnavailable, match="Check MODELWRIGHT_E2B_API_KEY") as raised:
        await play(cloud, "print(1)")
    shown = f"{raised.value!r} {cloud!r} {vars(cloud)!r} {caplog.text}"
    assert wrong not in shown
    await cloud.close()


@pytest.mark.parametrize("key", [None, "", " \n"])
def test_without_a_key_nothing_is_tried(key: str | None) -> None:
    with pytest.raises(SandboxUnavailable, match="needs a key"):
        open_elsewhere("e2b", Elsewhere(e2b_api_key=SecretStr(key) if key is not None else None))


@pytest.mark.parametrize(
    "key", ["e2b_5ecret\x00", "e2b_5ecret\nX-More: 1", "e2b_5ecret 1", "e2b_5ecrét", "“e2b_5ecret”"]
)
def test_what_can_be_no_key_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(SandboxUnavailable, match="MODELWRIGHT_E2B_API_KEY holds a character") as raised:
        open_elsewhere("e2b", Elsewhere(e2b_api_key=SecretStr(key)))
    assert not any("5ecr" in text for text in told_by(raised.value))


def test_a_line_end_behind_the_key_does_no_harm() -> None:
    assert e2b_key(Elsewhere(e2b_api_key=SecretStr(f" {KEY}\n"))).get_secret_value() == KEY


@pytest.mark.parametrize("key", ["e2b_5ecret\n", "e2b_5ecrét", "e2b_5ecret"])
async def test_no_error_carries_the_key_in_what_it_came_from(double: Double, key: str) -> None:
    """The HTTP library quotes a header that it cannot send; here even past the check of the key."""
    cloud = rented(double, key=key)
    with pytest.raises(SandboxUnavailable) as raised:
        await cloud.warm()
    assert not any("5ecr" in text for text in told_by(raised.value))
    await cloud.close()


async def test_an_error_in_mid_run_comes_from_nothing_that_the_sdk_said(cloud: E2BSandbox, double: Double) -> None:
    double.faults["POST", "/files"] = Fault(500, '{"code": 500, "message": "your key is 5ecret"}')
    with pytest.raises(SandboxBroken) as raised:
        await play(cloud, "print(1)")
    assert not any("5ecr" in text for text in told_by(raised.value))


def told_by(error: BaseException | None) -> list[str]:
    """Everything that an error says, and those that it came from, shown or not."""
    if error is None:
        return []
    return [repr(error), str(error), *told_by(error.__cause__), *told_by(error.__context__)]


def test_the_documented_way_to_build_a_template_passes_the_key() -> None:
    words = Path(__file__).parent.parent.parent.joinpath("docs", "sandbox-backends.md").read_text()
    program = words.partition('python -c "')[2].partition('"')[0]
    (call,) = (
        node
        for node in ast.walk(ast.parse("".join(line.strip() for line in program.splitlines())))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Template.build"
    )
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords if keyword.arg}
    inspect.signature(Template.build).bind(*call.args, **given)
    assert given["api_key"] == "os.environ['MODELWRIGHT_E2B_API_KEY']"


async def test_a_dead_host_is_out_of_reach() -> None:
    account = Account(SecretStr(KEY), api_url="http://127.0.0.1:9", sandbox_url="http://127.0.0.1:9")
    cloud = E2BSandbox(account)
    with pytest.raises(SandboxUnavailable, match="could not be reached"):
        await play(cloud, "print(1)")
    await cloud.close()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(502, '{"message": "The sandbox was not found"}'), "is gone"),
        (Fault(507, '{"message": "disk full"}'), "disk of the rented machine is full"),
        (Fault(500, "<html>oops</html>"), "unexpected"),
        (Fault(429, '{"message": "slow"}'), "Wait a minute"),
    ],
)
async def test_when_the_inputs_cannot_be_copied_the_machine_is_given_back(
    cloud: E2BSandbox, double: Double, fault: Fault, words: str
) -> None:
    double.faults["POST", "/files"] = fault
    with pytest.raises(SandboxBroken, match=words):
        await play(cloud, "print(1)")
    assert not double.alive
    double.faults.clear()
    assert (await play(cloud, "print(2)")).outcome.ok


async def test_a_machine_that_goes_in_mid_run_breaks_the_run(cloud: E2BSandbox, double: Double) -> None:
    run = cloud.run(job(WAITING))
    await anext(run)
    double.vanish()
    with pytest.raises(SandboxBroken, match="gone|lost"):
        [event async for event in run]


async def test_a_stream_that_is_cut_breaks_the_run(cloud: E2BSandbox, double: Double) -> None:
    double.cut = True
    with pytest.raises(SandboxBroken):
        await play(cloud, WAITING)
    assert not double.alive, "nobody knows what still runs there"


@pytest.mark.parametrize("said", [b"not base64 at all\n", b"AAAA" * 20 + b"\n", b"bwAAAAA=\n" * 3, b"A" * 400_000])
async def test_a_machine_that_babbles_breaks_the_run(cloud: E2BSandbox, double: Double, said: bytes) -> None:
    double.babble = said
    with pytest.raises(SandboxBroken, match="makes no sense"):
        await play(cloud, WAITING)


async def test_a_machine_without_python_says_so(cloud: E2BSandbox, double: Double, tmp_path: Path) -> None:
    (tmp_path / "e2b" / "bin" / "python3").write_text("#!/bin/sh\necho 'python3: not found' >&2\nexit 127\n")
    with pytest.raises(SandboxBroken, match="cannot run scripts: python3: not found"):
        await play(cloud, "print(1)")


async def test_a_run_that_nobody_waits_for_any_more_gives_its_machine_back(cloud: E2BSandbox, double: Double) -> None:
    double.faults["POST", "/files"] = Fault(hang=True)
    task = asyncio.create_task(play(cloud, "print(1)"))
    await asyncio.to_thread(_until, lambda: ("POST", "/files") in double.requests)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not double.alive


async def test_the_same_run_twice_at_once_is_an_error(cloud: E2BSandbox) -> None:
    work = job(WAITING)
    run = cloud.run(work)
    await anext(run)
    with pytest.raises(SandboxError, match="going on already"):
        await anext(cloud.run(work))
    await run.aclose()


async def test_a_script_that_stays_answers(cloud: E2BSandbox, double: Double) -> None:
    session = await cloud.serve(job(ECHO))
    assert session.alive
    assert await session.ask(b"hello", seconds=20, most_bytes=100) == b"HELLO"
    large = b"a" * 700_000
    assert await session.ask(large, seconds=20, most_bytes=2**20) == large.upper()
    both = await asyncio.gather(*(session.ask(word, seconds=20, most_bytes=9) for word in (b"one", b"two")))
    assert both == [b"ONE", b"TWO"]
    outcome = await session.close()
    assert outcome.kind == "killed_by_user"
    assert not session.alive
    assert await session.close() == outcome
    assert (await play(cloud, "print(1)")).outcome.ok
    assert len(double.machines) == 1


@pytest.mark.parametrize(
    ("word", "kind", "message"),
    [
        (b"crash", "error", "the model is broken"),
        (b"much", "output_limit", "answer was larger than"),
        (b"sleep", "timeout", "no answer within 0.5 s"),
    ],
)
async def test_a_script_that_stays_can_end(cloud: E2BSandbox, word: bytes, kind: str, message: str) -> None:
    session = await cloud.serve(job(ECHO))
    assert await session.ask(b"hello", seconds=20, most_bytes=100) == b"HELLO"
    with pytest.raises(SessionEnded, match=message) as ended:
        await session.ask(word, seconds=0.5 if word == b"sleep" else 20, most_bytes=1000)
    assert ended.value.outcome.kind == kind
    with pytest.raises(SessionEnded):
        await session.ask(b"hello", seconds=20, most_bytes=100)


async def test_a_script_that_answers_twice_is_not_asked_again(cloud: E2BSandbox) -> None:
    session = await cloud.serve(job(ECHO))
    assert await session.ask(b"twice", seconds=20, most_bytes=100) == b""
    with pytest.raises(SessionEnded, match="one answer for each request") as ended:
        await session.ask(b"hello", seconds=20, most_bytes=100)
    assert ended.value.outcome.kind == "error"


async def test_a_session_that_was_not_closed_ends_with_the_sandbox(double: Double) -> None:
    cloud = rented(double)
    session = await cloud.serve(job(ECHO))
    assert await session.ask(b"hello", seconds=20, most_bytes=100) == b"HELLO"
    await cloud.close()
    assert not session.alive
    assert not double.alive


def _dies(pid: int) -> bool:
    return _until(lambda: not _alive(pid))


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _until(condition: object) -> bool:
    """Wait for something that happens in another thread or process."""
    assert callable(condition)
    pause = asyncio.new_event_loop()
    try:
        for _ in range(1000):
            if condition():
                return True
            pause.run_until_complete(asyncio.sleep(0.01))
    finally:
        pause.close()
    return False


@pytest.mark.live
@pytest.mark.skipif("MODELWRIGHT_E2B_API_KEY" not in os.environ, reason="needs MODELWRIGHT_E2B_API_KEY; costs money")
async def test_the_real_e2b(tmp_path: Path) -> None:
    cloud = E2BSandbox(Account(SecretStr(os.environ["MODELWRIGHT_E2B_API_KEY"])), idle_seconds=30)
    try:
        played = await play(
            cloud, "import pandas; print('pandas'); open('outputs/a', 'w').write('b')", outputs=tmp_path / "o"
        )
        assert played.outcome.ok, played.stderr
        assert [file.name for file in played.outcome.files] == ["a"]
        assert (
            await play(cloud, "import socket; socket.create_connection(('1.1.1.1', 53), 2)")
        ).outcome.kind == "error"
        session = await cloud.serve(job(ECHO))
        assert await session.ask(b"hello", seconds=20, most_bytes=100) == b"HELLO"
        await session.close()
    finally:
        await cloud.close()
