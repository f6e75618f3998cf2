"""Scripts in containers: the command line as a value, a real engine where one works, a scripted one for its moods."""

import asyncio
import io
import json
import os
import platform
import signal
import subprocess
import sys
import tarfile
import tempfile
import textwrap
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from e2b import Template

from sandbox.base import Job, Limits, Outcome, Output, SandboxBroken, SandboxError, SandboxUnavailable, SessionEnded
from sandbox.container import Engine, Image, run_arguments, seccomp_profile
from sandbox.docker import DockerSandbox, find_engine, read_info
from sandbox.syscalls import ABSENT, ALLOWED, numbers
from tests.sandbox.scenes import SMALL, job, play

IMAGE = f"modelwright-test-{os.getpid()}"
ECHO = """
import sys
while head := sys.stdin.buffer.read(8):
    said = sys.stdin.buffer.read(int.from_bytes(head, "big"))
    if said == b"crash":
        sys.exit("the model is broken")
    said = said.upper()
    sys.stdout.buffer.write(len(said).to_bytes(8, "big") + said)
    sys.stdout.buffer.flush()
"""
WAITING = "import time\nopen('outputs/early.txt', 'w').write('kept')\nprint('ready')\ntime.sleep(60)"


def _arguments(engine: Engine, image: Image | None = None, limits: Limits = SMALL) -> list[str]:
    folder = Path("/home/someone/run")
    return list(run_arguments(engine, image or Image(), "run-1", folder, folder / "seccomp.json", limits))


DOCKER = Engine("/usr/bin/docker", "docker", "28.0", cpus=8)
PODMAN = Engine("/usr/bin/podman", "podman", "5.0", cpus=8)


@pytest.mark.parametrize("engine", [DOCKER, PODMAN])
def test_a_container_has_no_way_out(engine: Engine) -> None:
    line = " ".join(_arguments(engine))
    for wall in (
        "--network none",
        "--read-only",
        "--cap-drop ALL",
        "--security-opt no-new-privileges",
        "--security-opt seccomp=/home/someone/run/seccomp.json",
        "--user 60001:60001",
        "--pull never",
        "--ipc private",
        "--init=false",
        "--log-driver none",
        "--volume /home/someone/run:/workspace:ro,Z",
    ):
        assert wall in line
    for door in ("--privileged", "--cap-add", "--device", "--env", "docker.sock", "host", "--tty", "unconfined"):
        assert door not in line.replace("--hostname", "")


def test_limits_become_options() -> None:
    limits = Limits(cpus=1.5, memory_mb=1000, processes=20, written_mb=100)
    line = " ".join(_arguments(DOCKER, limits=limits))
    assert "--memory 1228m --memory-swap 1228m" in line, "what a run writes to outputs/ is memory too"
    assert "--pids-limit 26" in line
    assert "--cpus 1.5" in line
    assert "/workspace/outputs:rw,nosuid,nodev,size=100m," in line
    assert "--tmpfs /tmp:rw,nosuid,nodev,size=500m,mode=1777" in line
    assert "--cpus 8 " in " ".join(_arguments(DOCKER, limits=Limits(cpus=64))), "engines refuse more than there are"


def test_the_image_and_its_python_come_last() -> None:
    arguments = _arguments(DOCKER, Image("corner/shop@sha256:1234", "/opt/python"))
    assert arguments[-4:] == ["corner/shop@sha256:1234", "-I", "/workspace/keeper.pyz", "/workspace"]
    assert arguments[-6:-4] == ["--entrypoint", "/opt/python"]


def test_another_runtime_is_asked_for_where_the_engine_wants_to_hear_it() -> None:
    docker, podman = replace(DOCKER, runtime="runsc"), replace(PODMAN, runtime="runsc")
    assert _arguments(docker)[1:4] == ["run", "--runtime", "runsc"]
    assert _arguments(podman)[1:4] == ["--runtime", "runsc", "run"]
    assert "gVisor" in docker.title


def test_the_profile_is_the_table_of_the_local_sandbox() -> None:
    profile = json.loads(seccomp_profile(platform.machine()))
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    free = {name for rule in profile["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" and "args" not in rule
            for name in rule["names"]}  # fmt: skip
    assert set(numbers(ALLOWED)) <= free
    assert not {"unshare", "mount", "ptrace", "bpf", "keyctl", "setns", "socket", "clone", "clone3"} & free
    absent = {name for rule in profile["syscalls"] if rule.get("errnoRet") == 38 for name in rule["names"]}
    assert absent >= set(numbers(ABSENT))
    sockets = [rule for rule in profile["syscalls"] if rule["names"] == ["socket"]]
    assert [rule["args"][0]["value"] for rule in sockets] == [1], "of the Unix kind only"


def test_an_engine_is_known_by_what_it_says() -> None:
    said = {"ServerVersion": "28.1", "NCPU": 4, "Runtimes": {"runc": {}, "runsc": {}}}
    assert read_info("docker", "d", said, None) == Engine("d", "docker", "28.1", "runsc", 4)
    assert read_info("docker", "d", said, "crun").runtime == "crun"
    with pytest.raises(ValueError, match="does not answer"):
        read_info("docker", "d", {"ServerErrors": ["Cannot connect"]}, None)


def test_the_image_has_the_packages_that_scripts_have_here() -> None:
    here = Path("requirements.lock").read_text()
    there = Path("sandbox/image/requirements.lock").read_text()
    pinned = [line.split("\\")[0].strip() for line in there.splitlines() if "==" in line]
    assert {line.split("==")[0] for line in pinned} >= {"numpy", "pandas", "pyarrow", "scikit-learn", "lightgbm"}
    assert [line for line in pinned if line.split(" ;")[0] not in here] == [], "run `make lock`"


def test_the_recipe_of_the_image_is_one_that_e2b_understands_too() -> None:
    template = Template(file_context_path="sandbox/image").from_dockerfile("sandbox/image/Dockerfile")
    recipe = json.loads(Template.to_json(template))
    assert recipe["fromImage"] == "python:3.11-slim"
    assert "readyCmd" not in recipe, "an entry point would be started in each rented machine"
    assert {step["type"] for step in recipe["steps"]} <= {"RUN", "COPY", "WORKDIR", "USER"}


# A scripted engine: what an engine says when it fails.


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a `docker` that does what the files in it say."""
    folder = tmp_path / "fake"
    folder.mkdir()
    program = folder / "docker"
    program.write_text(
        textwrap.dedent(
            f"""\
            #!/bin/sh
            echo "$@" >> {folder}/calls
            case "$1" in
              info) cat {folder}/info ;;
              image) test -e {folder}/image || {{ echo "Error: No such image: x" >&2; exit 1; }} ;;
              ps) cat {folder}/ps ;;
              inspect) cat {folder}/inspect ;;
              run) cat {folder}/stderr >&2; cat {folder}/stdout; exit $(cat {folder}/code) ;;
            esac
            """
        )
    )
    program.chmod(0o755)
    texts = {"info": '{"ServerVersion": "1", "NCPU": 2}', "code": "0", "inspect": "false", "image": ""}
    for name in ("ps", "stdout", "stderr", "calls"):
        texts[name] = ""
    for name, text in texts.items():
        (folder / name).write_text(text)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


@pytest_asyncio.fixture
async def scripted(fake: Path) -> AsyncIterator[DockerSandbox]:
    sandbox = DockerSandbox(find_engine())
    yield sandbox
    await sandbox.close()


async def test_without_the_image_the_way_to_it_is_said(scripted: DockerSandbox, fake: Path) -> None:
    (fake / "image").unlink()
    with pytest.raises(SandboxUnavailable, match="docker build -t modelwright-sandbox .*image"):
        await play(scripted, "print(1)")


async def test_an_engine_that_fails_is_quoted(scripted: DockerSandbox, fake: Path) -> None:
    (fake / "stderr").write_text("docker: Error response from daemon: no space left on device.\n")
    (fake / "code").write_text("125")
    with pytest.raises(SandboxBroken, match="daemon: no space left on device"):
        await play(scripted, "print(1)")
    calls = (fake / "calls").read_text()
    name = calls.split("--name ")[1].split()[0]
    assert f"rm --force --volumes {name}" in calls


async def test_a_keeper_killed_for_memory_is_the_scripts_doing(scripted: DockerSandbox, fake: Path) -> None:
    (fake / "stdout").write_bytes(b"s\0\0\0\0" + b"o\0\0\0\3hi\n")
    (fake / "code").write_text("137")
    (fake / "inspect").write_text("true")
    played = await play(scripted, "print('hi')")
    assert played.stdout == "hi\n"
    assert played.outcome.kind == "memory"


async def test_a_keeper_that_dies_without_a_word_breaks_the_run(scripted: DockerSandbox, fake: Path) -> None:
    (fake / "stdout").write_bytes(b"s\0\0\0\0" + b"o\0\0\0\3hi\n")
    (fake / "code").write_text("1")
    with pytest.raises(SandboxBroken, match="ended without a word"):
        await play(scripted, "print('hi')")


@pytest.mark.parametrize("said", [b"q\0\0\0\0", b"o\xff\xff\xff\xff", b"s\0\0\0\0s\0\0\0\0", b"x\0\0\0\2{}"])
async def test_a_keeper_that_talks_nonsense_breaks_the_run(scripted: DockerSandbox, fake: Path, said: bytes) -> None:
    (fake / "stdout").write_bytes(said)
    with pytest.raises(SandboxBroken, match="makes no sense"):
        await play(scripted, "print('hi')")


@pytest.mark.parametrize("name", ["../up", "/etc/cron.d/job", "a//b", ".", "a/../../b", "x/" * 40 + "y", "nul\0"])
async def test_results_are_never_written_elsewhere(
    scripted: DockerSandbox, fake: Path, tmp_path: Path, name: str
) -> None:
    ended = json.dumps({"why": "exit", "code": 0, "seconds": 1}).encode()
    about = json.dumps({"name": name, "bytes": 1}).encode()
    frames = [(b"s", b""), (b"x", ended), (b"f", about), (b"d", b"!"), (b"z", b"")]
    (fake / "stdout").write_bytes(b"".join(kind + len(text).to_bytes(4, "big") + text for kind, text in frames))
    with pytest.raises(SandboxBroken, match="no proper name"):
        await play(scripted, "print('hi')", outputs=tmp_path / "out")
    assert not (tmp_path / "out").exists()


async def test_what_stays_there_is_told_in_safe_words(scripted: DockerSandbox, fake: Path, tmp_path: Path) -> None:
    ended = json.dumps({"why": "exit", "code": 0, "seconds": 1}).encode()
    left = [["../a\x1b[2Jb/c", "a link"], ["\udcff", "too\ndeep"], ["n" * 900, "a link"]]
    told = json.dumps({"left_behind": left, "more": 7}).encode()
    frames = [(b"s", b""), (b"x", ended), (b"z", told)]
    (fake / "stdout").write_bytes(b"".join(kind + len(text).to_bytes(4, "big") + text for kind, text in frames))
    played = await play(scripted, "print('hi')", outputs=tmp_path / "out")
    assert played.outcome.ok
    assert played.outcome.left_behind == (
        "_/a_[2Jb/c (a link)", "� (too_deep)", f"{'n' * 200} (a link)", "and 7 more",
    )  # fmt: skip


async def test_results_beyond_the_quota_are_not_taken(scripted: DockerSandbox, fake: Path, tmp_path: Path) -> None:
    ended = json.dumps({"why": "exit", "code": 0, "seconds": 1}).encode()
    about = json.dumps({"name": "a", "bytes": 2**40}).encode()
    frames = [(b"s", b""), (b"x", ended), (b"f", about), (b"d", b"!"), (b"z", b"")]
    (fake / "stdout").write_bytes(b"".join(kind + len(text).to_bytes(4, "big") + text for kind, text in frames))
    played = await play(scripted, "print('hi')", outputs=tmp_path / "out")
    assert played.outcome.kind == "disk_quota"
    assert not (tmp_path / "out").exists()


async def test_containers_of_dead_applications_are_removed_and_no_others(scripted: DockerSandbox, fake: Path) -> None:
    (fake / "image").unlink()
    with pytest.raises(SandboxUnavailable):
        await scripted.warm()
    (fake / "image").write_text("")
    ended = subprocess.Popen(["/bin/true"])
    ended.wait()
    from sandbox.docker import _prefix

    dead, live = f"{_prefix()}-{ended.pid}-aa", f"{_prefix()}-{os.getppid()}-bb"
    foreign = f"modelwright-00000000-{ended.pid}-cc"
    (fake / "ps").write_text(f"{dead}\n{live}\n{foreign}\n")
    await scripted.warm()
    calls = (fake / "calls").read_text()
    assert f"rm --force --volumes {dead}" in calls
    assert live not in calls
    assert foreign not in calls


def test_without_an_engine_the_reason_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxUnavailable, match="neither docker nor podman is installed"):
        find_engine()
    mute = tmp_path / "docker"
    mute.write_text("#!/bin/sh\nexit 1\n")
    mute.chmod(0o755)
    with pytest.raises(SandboxUnavailable, match="its engine does not answer"):
        find_engine()


# A real engine, with an image made of this machine's own Python.


def _empty_image(engine: Engine) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in ("usr", "tmp", "proc", "sys", "dev", "etc", "workspace", "opt"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for name in ("bin", "lib", "lib64"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, f"usr/{name}"
            archive.addfile(entry)
    subprocess.run([engine.command, "import", "-", IMAGE], input=packed.getvalue(), check=True, capture_output=True)


def _works(engine: Engine) -> str | None:
    """Why this engine cannot run a container with a user and limits here, or None."""
    options = "run --rm --network none --user 60001:60001 --memory 64m --pids-limit 9 --ulimit nofile=1024:1024"
    words = [*options.split(), "--ulimit", "nproc=4096:4096", "--volume", "/usr:/usr:ro", IMAGE, "/usr/bin/true"]
    if engine.runtime:
        place = 0 if engine.name == "podman" else 1
        words[place:place] = ["--runtime", engine.runtime]
    done = subprocess.run([engine.command, *words], capture_output=True, text=True, timeout=60)
    return None if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    try:
        found = find_engine()
        _empty_image(found)
    except SandboxUnavailable as problem:
        pytest.skip(str(problem))
    except subprocess.CalledProcessError as problem:
        pytest.skip(f"the engine cannot import an image: {problem.stderr.decode()[-200:]}")
    reasons = []
    for runtime in (found.runtime, "runc"):
        candidate = Engine(found.command, found.name, found.version, runtime, found.cpus)
        if (reason := _works(candidate)) is None:
            yield candidate
            subprocess.run([found.command, "rmi", "--force", IMAGE], capture_output=True)
            return
        reasons.append(reason)
    pytest.skip(f"no container runs here: {'; '.join(reasons)}")


def _sandbox(engine: Engine, image: str = IMAGE) -> DockerSandbox:
    binds = tuple(dict.fromkeys(["/usr", os.path.realpath(sys.base_prefix), sys.prefix]))
    return DockerSandbox(engine, Image(image, sys.executable, binds))


@pytest_asyncio.fixture
async def docker(engine: Engine) -> AsyncIterator[DockerSandbox]:
    sandbox = _sandbox(engine)
    yield sandbox
    await sandbox.close()


def _containers(engine: Engine, owner: int | None = None) -> list[str]:
    done = subprocess.run(
        [engine.command, "ps", "-a", "--filter", "label=modelwright.sandbox", "--format", "{{.Names}}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in done.stdout.split() if f"-{owner or os.getpid()}-" in name]


async def test_a_container_reads_its_inputs_and_its_results_come_back(
    docker: DockerSandbox, engine: Engine, tmp_path: Path
) -> None:
    table = tmp_path / "private.csv"
    table.write_text("a,b\n1,2\n")
    table.chmod(0o600)
    script = """
import os, sys
import pandas
from sklearn.ensemble import RandomForestClassifier
frame = pandas.read_csv('inputs/train.csv')
print(list(frame.columns))
model = RandomForestClassifier(10, n_jobs=2, random_state=0).fit([[0], [1]] * 20, [0, 1] * 20)
print('@@{"score": %s}' % model.score([[0], [1]], [0, 1]))
frame.to_parquet('outputs/out.parquet')
os.makedirs('outputs/charts'); open('outputs/charts/a.txt', 'w').write('chart')
os.symlink('/etc/passwd', 'outputs/link'); os.mkfifo('outputs/pipe')
os.makedirs('outputs/' + 'd/' * 33); open('outputs/' + 'd/' * 32 + 'file', 'w').write('deep')
try:
    open('inputs/train.csv', 'a')
except OSError as problem:
    print(problem.strerror)
"""
    played = await play(
        docker, script, inputs={"train.csv": table}, outputs=tmp_path / "out", limits=Limits(seconds=60)
    )
    assert played.outcome.ok, played.stderr
    columns, refused = played.stdout.splitlines()
    assert columns == "['a', 'b']"
    assert refused in ("Read-only file system", "Permission denied")
    assert played.metrics == [{"score": 1.0}]
    deep = "d/" * 32
    assert {file.name for file in played.outcome.files} == {"out.parquet", "charts/a.txt", f"{deep}file"}
    left = (f"{deep}d (too deep)", "link (a link)", "pipe (neither a file nor a folder)")
    assert played.outcome.left_behind == left
    assert not (tmp_path / "out" / "link").exists()
    assert played.outcome.cost_seconds == 0
    assert played.outcome.peak_memory_mb > 20
    assert not _containers(engine)


@pytest.mark.parametrize(
    ("kind", "script", "code"),
    [
        ("error", "raise SystemExit(3)", 3),
        ("error", "import os; os._exit(7)", 7),
        ("signal", "import os; os.kill(os.getpid(), 11)", None),
        ("memory", "x = 'a' * (3000 * 2**20)", 1),
        (
            "memory",
            "import os, time\nfor _ in range(12):\n if not os.fork():\n  x = bytearray(90_000_000); time.sleep(60)\n"
            "time.sleep(60)",
            None,
        ),
        ("disk_quota", "open('outputs/b', 'wb').write(b'1' * (30 * 2**20))", 1),
        ("output_limit", "while True: print('x' * 9999)", None),
        (
            "timeout",
            "import signal\nsignal.signal(15, signal.SIG_IGN); signal.signal(2, signal.SIG_IGN)\nwhile True: pass",
            None,
        ),
        ("pids", "import os, time\nfor _ in range(99): os.fork() or time.sleep(9)", 1),
    ],
)
async def test_every_end_of_a_container_has_its_name(
    docker: DockerSandbox, engine: Engine, kind: str, script: str, code: int | None
) -> None:
    limits = Limits(
        cpus=2, memory_mb=300, seconds=1 if kind == "timeout" else 20, processes=16, written_mb=8, output_mb=1
    )
    played = await play(docker, script, limits=limits)
    assert played.outcome.kind == kind, (played.outcome, played.stderr)
    assert played.outcome.exit_code == code or kind in ("memory", "pids")
    assert played.outcome.signal == (11 if kind == "signal" else None)
    assert len(played.stdout + played.stderr) <= 2**20
    assert not _containers(engine)


async def test_a_container_shows_nothing_of_the_host(docker: DockerSandbox) -> None:
    script = """
import os, socket
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_VSOCK, socket.AF_NETLINK):
    try:
        socket.socket(family); print('open')
    except OSError as problem:
        print(problem.strerror)
status = dict(line.split(':', 1) for line in open('/proc/self/status').read().splitlines())
print(os.getuid(), int(status['CapEff'], 16), status['NoNewPrivs'].strip(), status['Seccomp'].strip())
print([p for p in os.listdir('/proc') if p.isdecimal() and p not in ('1', str(os.getpid()))])
for attempt in (lambda: open('/proc/1/environ'), lambda: open('/usr/new', 'w'), lambda: open('/workspace/new', 'w')):
    try:
        attempt(); print('possible')
    except OSError as problem:
        print(problem.strerror)
os.kill(1, 9); os.kill(-1, 15) if False else None
print(sorted(name for name in os.environ if name.startswith(('MODELWRIGHT', 'PYTEST', 'SSH', 'E2B'))))
"""
    played = await play(docker, script)
    assert played.outcome.ok, played.stderr
    assert played.stdout.splitlines() == [
        *["Operation not permitted"] * 4,
        "60001 0 1 2",
        "[]",
        "Permission denied",
        "Read-only file system",
        "Read-only file system",
        "[]",
    ]


async def test_stopping_a_container_keeps_what_was_written(
    docker: DockerSandbox, engine: Engine, tmp_path: Path
) -> None:
    work = job(WAITING, outputs=tmp_path / "out")
    events = []
    async for event in docker.run(work):
        events.append(event)
        if isinstance(event, Output):
            assert await docker.stop(work.id)
    outcome = events[-1]
    assert isinstance(outcome, Outcome)
    assert outcome.kind == "killed_by_user"
    assert (tmp_path / "out" / "early.txt").read_text() == "kept"
    assert not _containers(engine)


async def test_leaving_a_run_removes_its_container(docker: DockerSandbox, engine: Engine) -> None:
    first, second = docker.run(job(WAITING)), docker.run(job(WAITING))
    await asyncio.gather(anext(first), anext(second))
    assert len(_containers(engine)) == 2
    await first.aclose()
    assert len(_containers(engine)) == 1
    await docker.close()
    assert not _containers(engine)
    await second.aclose()


async def test_an_application_that_is_killed_leaves_nothing_that_runs(engine: Engine, tmp_path: Path) -> None:
    program = f"""
import asyncio
from sandbox.base import Job
from tests.sandbox.test_docker import WAITING, Engine, _sandbox
async def main():
    async for event in _sandbox({engine!r}, {IMAGE!r}).run(Job('a', WAITING)):
        print('ready', flush=True)
asyncio.run(main())
"""
    killed = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert killed.stdout is not None
    assert await asyncio.to_thread(killed.stdout.readline) == b"ready\n"
    names = _containers(engine, killed.pid)
    assert len(names) == 1
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    killed.stdout.close()
    await asyncio.to_thread(subprocess.run, [engine.command, "wait", *names], capture_output=True, timeout=20)
    sandbox = _sandbox(engine)
    await sandbox.warm()
    assert not _containers(engine, killed.pid), "what a killed application has left is swept at the next start"
    assert not list(Path(tempfile.gettempdir()).glob(f"modelwright-*-{killed.pid}-*"))
    await sandbox.close()


async def test_a_container_that_stays_answers(docker: DockerSandbox, engine: Engine) -> None:
    session = await docker.serve(job(ECHO))
    assert await session.ask(b"hello", seconds=20, most_bytes=100) == b"HELLO"
    large = b"a" * 3_000_000
    assert await session.ask(large, seconds=20, most_bytes=2**22) == large.upper()
    with pytest.raises(SessionEnded, match="the model is broken") as ended:
        await session.ask(b"crash", seconds=20, most_bytes=100)
    assert ended.value.outcome.kind == "error"
    assert not session.alive
    assert not _containers(engine)
    other = await docker.serve(job(ECHO))
    assert (await other.close()).kind == "killed_by_user"


async def test_an_input_that_has_gone_is_said(docker: DockerSandbox, tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="is not there any more"):
        await play(docker, "print(1)", inputs={"a": tmp_path / "gone"})
    with pytest.raises(ValueError, match="cannot be a name"):
        await anext(docker.run(Job("a", "", inputs={"../a": tmp_path})))
