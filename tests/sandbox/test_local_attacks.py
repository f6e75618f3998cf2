"""A hostile script gets nowhere: each attack raises when refused; the same text without a sandbox gets in (control)."""

import json
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox import mounts
from sandbox.base import Limits
from sandbox.local import LocalSandbox
from tests.sandbox.scenes import play
from tools.samples import SAMPLES

PATIENT = Limits(cpus=2, memory_mb=512, seconds=60, processes=32, written_mb=16, output_mb=1)

# Every attack is a child of its own, so that none can spoil the next.
_TRY = """
import ctypes, json, os, socket, struct, subprocess, sys
import scipy, sklearn.datasets
from pathlib import Path
libc = ctypes.CDLL(None, use_errno=True)
def syscall(number, *arguments):
    result = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
def attempt(text):
    try:
        exec(text, dict(globals()))
    except (OSError, ValueError, ImportError, subprocess.SubprocessError) as problem:
        return f"refused: {{problem}}"
    except BaseException as problem:
        return f"not an attack: {{problem!r}}"
    return "GOT IN"
for name, text in {attacks!r}.items():
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.write(writer, attempt(text).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        print(json.dumps([name, answer.read()]), flush=True)
    os.waitpid(child, 0)
"""


@dataclass(frozen=True)
class Host:
    """Things of the host that an attack is after."""

    canary: Path
    port: int
    unix: Path
    abstract: str
    pid: int


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("host")
    (folder / "canary.txt").write_text("secret")
    unix, abstract = folder / "docker.sock", f"modelwright-{os.getpid()}"
    listeners = [socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX), socket.socket()]
    addresses: tuple[str | tuple[str, int], ...] = (str(unix), f"\0{abstract}", ("127.0.0.1", 0))
    for listener, address in zip(listeners, addresses, strict=True):
        listener.bind(address)
        listener.listen(64)
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield Host(folder / "canary.txt", listeners[2].getsockname()[1], unix, abstract, bystander.pid)
    assert bystander.poll() is None, "a bystander was killed"
    bystander.communicate(b"\n")
    for listener in listeners:
        listener.close()


PROJECT = Path(__file__).resolve().parents[2]

# Harmless without a sandbox too, so the control can show that each of these works there.
OPEN_DOORS = {
    "tcp to this machine": "socket.create_connection(('127.0.0.1', {port}), 5)",
    "udp": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
    "ipv6": "socket.socket(socket.AF_INET6)",
    "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "unix socket in a folder": "socket.socket(socket.AF_UNIX).connect('{unix}')",
    "abstract unix socket": "socket.socket(socket.AF_UNIX).connect('\\0{abstract}')",
    "a file of the user": "Path('{canary}').read_text()",
    "its folder": "os.listdir(os.path.dirname('{canary}'))",
    "writing a file of the user": "open('{canary}', 'a')",
    "the mode of a file of the user": "os.chmod('{canary}', 0o644)",
    "the times of a file of the user": "os.utime('{canary}')",
    "the project": "Path('{project}/pyproject.toml').read_text()",
    "the project's folder": "os.listdir('{project}/agents')",
    "machine name": "Path('/etc/hostname').read_text()",
    "accounts of the host": "assert 'root' in Path('/etc/passwd').read_text() or open('/no')",
    "sysfs": "os.listdir('/sys/class')",
    "a shell script of the host": "os.listdir('/usr/sbin')",
    "signal to a bystander": "os.kill({pid}, 0)",
    "environment of a bystander": "open('/proc/{pid}/environ').read()",
    **{f"labels of the sample {name}": f"sklearn.datasets.load_{name}()" for name in SAMPLES},
    "a copy of a sample": "Path(scipy.__file__).parent.joinpath('io/arff/tests/data/iris.arff').read_text()",
    "our code": "import importlib; sys.path.insert(0, '{project}'); importlib.import_module('sandbox.base')",
}

# Only tried in the sandbox.
CLOSED_DOORS = {
    "raw packets": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "vsock": "socket.socket(socket.AF_VSOCK)",
    "kernel crypto sockets": "socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)",
    "every other socket family": (
        "[1 for f in range(2, 46) for k in (1, 2, 3, 5) if libc.socket(f, k, 0) >= 0] or open('/no')"
    ),
    "names": "socket.getaddrinfo('example.com', 80)",
    "writing an input": "open('inputs/a', 'a')",
    "truncating an input": "os.truncate('inputs/a', 0)",
    "removing an input": "os.remove('inputs/a')",
    "the mode of an input": "os.chmod('inputs/a', 0o777)",
    "the times of an input": "os.utime('inputs/a')",
    "a hard link to an input": "os.link('inputs/a', 'outputs/a')",
    "adding an input": "open('inputs/b', 'w')",
    "its own text": "open('script.py', 'a')",
    "a file beside outputs": "open('x', 'w')",
    "a file in the root": "open('/x', 'w')",
    "the Python environment": "open(os.path.join(os.path.dirname(os.__file__), 'x.py'), 'w')",
    "site-packages": "import numpy; open(numpy.__file__, 'a')",
    "users of the host": "open('/etc/shadow')",
    "memory of process 1": "open('/proc/1/mem', 'rb')",
    "environment of process 1": "open('/proc/1/environ', 'rb').read()",
    "files of process 1": "os.listdir('/proc/1/fd')",
    "root of process 1": "os.listdir('/proc/1/root/')",
    "core_pattern": "open('/proc/sys/kernel/core_pattern', 'w')",
    "sysrq": "open('/proc/sysrq-trigger', 'w')",
    "kernel memory": "open('/dev/mem', 'rb')",
    "disks": "open('/dev/vda', 'rb')",
    "its own user map": "open('/proc/self/uid_map', 'w').write('0 0 1')",
    "root": "os.setuid(0)",
    "root by setresuid": "libc.setresuid(0, 0, 0) and syscall({setuid}, 0)",
    "its cores": "os.sched_setaffinity(0, {{0}})",
    "more memory": "import resource; resource.setrlimit(resource.RLIMIT_DATA, (-1, -1))",
    "a program with more rights": "subprocess.run(['su', '-c', 'id'], check=True, capture_output=True)",
    "typing into a terminal": "import fcntl; fcntl.ioctl(0, 0x5412, b'x')",
    "a block device": "os.mknod('/tmp/disk', 0o60600, os.makedev(254, 0)); open('/tmp/disk', 'rb')",
    "new host name": "socket.sethostname('x')",
    "clone into a user namespace": "syscall({clone}, 0x10000000 | 17, 0, 0, 0, 0) == 0 and os._exit(0)",
    "32-bit calls": "syscall(0x40000000 | 39)",
}
_X86 = {
    "mount": 165, "umount2": 166, "unshare": 272, "setns": 308, "pivot_root": 155, "chroot": 161, "ptrace": 101,
    "process_vm_readv": 310, "process_vm_writev": 311, "keyctl": 250, "add_key": 248, "bpf": 321,
    "perf_event_open": 298,
    "userfaultfd": 323, "io_uring_setup": 425, "memfd_create": 319, "memfd_secret": 447, "init_module": 175,
    "finit_module": 313, "kexec_load": 246, "reboot": 169, "swapon": 167, "settimeofday": 164, "clone3": 435,
    "personality": 135, "open_by_handle_at": 304, "name_to_handle_at": 303, "capset": 126, "shmget": 29, "semget": 64,
    "msgget": 68, "mq_open": 240, "fanotify_init": 300, "quotactl": 179, "acct": 163, "iopl": 172, "ioperm": 173,
    "modify_ldt": 154, "setuid": 105, "setgid": 106, "setgroups": 116, "setresuid": 117, "sethostname": 170,
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "mount_setattr": 442, "pidfd_getfd": 438,
    "landlock_create_ruleset": 444,
    "process_madvise": 440, "migrate_pages": 256, "move_pages": 279, "mbind": 237, "kcmp": 312, "vmsplice": 278,
    "lookup_dcookie": 212, "syslog": 103, "seccomp": 317, "a call of the future": 999,
}  # fmt: skip


def _script(attacks: dict[str, str], host: Host) -> str:
    filled = {
        name: attack.format(
            port=host.port, unix=host.unix, abstract=host.abstract, canary=host.canary, pid=host.pid, project=PROJECT,
            setuid=105 if platform.machine() == "x86_64" else 146, clone=56 if platform.machine() == "x86_64" else 220,
        )
        for name, attack in attacks.items()
    }  # fmt: skip
    return _TRY.format(attacks=filled)


def _answers(stdout: str) -> dict[str, str]:
    return dict(json.loads(line) for line in stdout.splitlines())


async def _tried(sandbox: LocalSandbox, attacks: dict[str, str], host: Host, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "a").write_text("input")
    played = await play(sandbox, _script(attacks, host), inputs={"a": tmp_path / "a"}, limits=PATIENT)
    assert (tmp_path / "a").read_text() == "input"
    assert (played.outcome.kind, played.stderr) == ("ok", "")
    answers = _answers(played.stdout)
    assert list(answers) == list(attacks)
    return answers


async def test_what_works_outside_is_refused_inside(sandbox: LocalSandbox, host: Host, tmp_path: Path) -> None:
    answers = await _tried(sandbox, OPEN_DOORS, host, tmp_path)
    assert {name: said for name, said in answers.items() if not said.startswith("refused:")} == {}


def test_the_same_attacks_do_work_without_a_sandbox(host: Host, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _script(OPEN_DOORS, host)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    failed = {name: said for name, said in _answers(done.stdout).items() if said != "GOT IN"}
    assert len(failed) <= 3, failed  # this host may lack IPv6, an fstab or sysfs


async def test_a_hostile_script_is_refused(sandbox: LocalSandbox, host: Host, tmp_path: Path) -> None:
    answers = await _tried(sandbox, CLOSED_DOORS, host, tmp_path)
    assert {name: said for name, said in answers.items() if said and not said.startswith("refused:")} == {}


async def test_no_table_of_a_sample_lies_in_the_environment(sandbox: LocalSandbox) -> None:
    """Descriptions, pictures and distance matrices do no harm; what has rows and answers does."""
    script = """
import os, re, sklearn
packages = os.path.dirname(os.path.dirname(sklearn.__file__))
known = re.compile(r"(iris|breast.?cancer|wine.?data|digits|diabetes)[^/]*[.](csv|arff|txt|json|parquet|data|tsv)")
print([name for _, _, names in os.walk(packages) for name in names if known.search(name)])
print(sklearn.datasets.make_classification(20, random_state=0)[0].shape)
"""
    assert (await play(sandbox, script, limits=PATIENT)).stdout == "[]\n(20, 20)\n"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers are those of x86-64")
async def test_no_dangerous_system_call_gets_through(sandbox: LocalSandbox) -> None:
    script = f"""
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
for name, number in {_X86!r}.items():
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(0)] * 6)
    if result >= 0 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):
        print(name, result, ctypes.get_errno())
print("done")
"""
    assert (await play(sandbox, script)).stdout == "done\n"


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


async def test_killing_everything_kills_only_the_script(sandbox: LocalSandbox, host: Host) -> None:
    script = """
import os, time
for target in (1, -1):
    try: os.kill(target, 9)
    except OSError: pass
"""
    played = await play(sandbox, script)
    assert played.outcome.kind in ("ok", "signal")
    assert Path(f"/proc/{host.pid}").exists()
    assert (await play(sandbox, "print('next')")).stdout == "next\n"


async def test_the_box_shows_no_folder_of_the_host(sandbox: LocalSandbox) -> None:
    script = """
import json, os
for folder in ("/home", "/root", "/var", "/mnt", "/media", "/opt", "/srv", "/etc", "/tmp", "/run", "/boot", "/work"):
    print(json.dumps([folder, os.listdir(folder) if os.path.isdir(folder) else []]))
"""
    seen = dict(json.loads(line) for line in (await play(sandbox, script)).stdout.splitlines())
    assert set(seen.pop("/etc")) <= {"alternatives", "group", "passwd", "ld.so.cache", "localtime"}
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
