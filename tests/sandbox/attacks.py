"""The catalogue of attacks: each a few lines that end without an exception when they have got what they are after.

A refusal is an OSError, a ValueError or `Refused`; anything else is a mistake in the catalogue. Every attack runs in a
child of its own. The words at its disposal are in `PRELUDE`; `H` holds the facts of tests/sandbox/host.py, never the
secret itself. All are harmless enough to succeed in a disposable system (tests/sandbox/outside.py), where each must.
"""

from dataclasses import dataclass
from typing import Any

from sandbox.probe import Level
from tests.sandbox.attacks_on_kernel import CALLS, KERNEL, NAMESPACES
from tests.sandbox.attacks_on_others import MEMORY, PROCESSES, SECRETS, SOCKETS

PRELUDE = r'''
import ctypes, fcntl, hashlib, json, mmap, os, platform, re, resource, select, signal, socket, stat, struct, subprocess
import sys, time
from pathlib import Path
libc = ctypes.CDLL(None, use_errno=True)
X86 = platform.machine() == "x86_64"
class Refused(Exception): pass
def must(true, why="not so"):
    if not true: raise Refused(why)
def checked(result):
    if result < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
def call(x86, arm64, *arguments):
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return checked(libc.syscall(ctypes.c_long(x86 if X86 else arm64), *words))
def reached(x86, arm64):
    """Success when the kernel itself has looked at the call, whatever it thinks of zeros."""
    if libc.syscall(ctypes.c_long(x86 if X86 else arm64), *[ctypes.c_long(0)] * 6) < 0:
        code = ctypes.get_errno()
        if code in (1, 38): raise OSError(code, os.strerror(code))
def loot(data):
    """Success when the secret is in it."""
    words = re.findall(rb"canary-[0-9a-f]{16}-end", data if isinstance(data, bytes) else str(data).encode())
    must(any(hashlib.sha256(word).hexdigest() == H["proof"] for word in words), "nothing found")
def loot_any(paths, most=2**16):
    for path in paths:
        try:
            with open(path, "rb") as file: return loot(file.read(most))
        except (OSError, Refused): pass
    raise Refused("nothing found")
def pids():
    return [int(p) for p in os.listdir("/proc") if p.isdecimal() and int(p) not in (1, os.getpid(), os.getppid())]
def victim(name): return H["victims"] + "/" + name
def memory_of(pid, most=2**24):
    """Search the writable memory of a process for the secret."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            begin, end = (int(part, 16) for part in line.split()[0].split("-"))
            if "rw" in line.split()[1] and end - begin < most:
                try:
                    memory.seek(begin)
                    return loot(memory.read(end - begin))
                except (OSError, Refused): pass
    raise Refused("nothing found")
'''

_TRY = r"""
def attempt(text):
    try:
        exec(text, dict(globals()))
    except (OSError, Refused, ImportError, subprocess.SubprocessError, ValueError) as problem:
        return f"refused: {problem}"
    except BaseException as problem:
        return f"not an attack: {problem!r}"
    return "GOT IN"
for name, text in ATTACKS.items():
    began = time.monotonic()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        signal.alarm(90)  # importing takes a while where others work too
        os.write(writer, attempt(text).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer: said = answer.read()
    _, status = os.waitpid(child, 0)
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    said = said or ("not an attack: it never ended" if number == signal.SIGALRM else f"refused: killed by {number}")
    print("@@" + json.dumps({"attack": name, "said": said, "seconds": time.monotonic() - began}), flush=True)
"""


@dataclass(frozen=True)
class Attack:
    """One way to get at something; `text` ends without an exception when it has worked."""

    group: str
    text: str


IMPOSSIBLE = {
    "kernel crypto sockets": "only a kernel with this family has a door to try",
    "bluetooth": "only a kernel with this family has a door to try",
    "calls of a third kind": "only a kernel with the x32 calls has a door to try",
}
"""Attacks that may fail without a sandbox too, and why."""

_WHERE = {
    "where the host keeps its files": "the kernel tells where a mounted folder comes from: names, never content",
}
SEEN: dict[Level, dict[str, str]] = {"full": _WHERE, "bubblewrap": {}, "reduced": {}, "none": {}}
"""What each level is known not to cover, and why; everything else must be refused."""

FILES = {
    "a file of the user": "loot(Path(H['canary']).read_text())",
    "a private key in a home": "loot(Path(H['key']).read_text())",
    "the key of the home that HOME names": "loot(Path.home().joinpath('.ssh/id_ed25519').read_text())",
    "a .env file": "loot(Path(H['env']).read_text())",
    "a file by another program": "loot(subprocess.run(['cat', H['canary']], capture_output=True, check=True).stdout)",
    "a file by a shell": "loot(subprocess.run(['sh', '-c', 'cat < ' + H['canary']], capture_output=True).stdout)",
    "a file by climbing": "loot(Path('inputs/' + '../' * 30 + H['canary'][1:]).read_text())",
    "a file through process 1's root": "loot(Path('/proc/1/root' + H['canary']).read_text())",
    "a file through its own root": "loot(Path('/proc/self/root' + H['canary']).read_text())",
    "a file through a link of its own": "os.symlink(H['canary'], 'outputs/l'); loot(Path('outputs/l').read_text())",
    "a file by its handle": """
h = ctypes.create_string_buffer(struct.pack('=Ii', 128, 0) + bytes(128)); mount = ctypes.c_int()
call(303, 264, -100, H['canary'].encode(), h, ctypes.byref(mount), 0)
fd = call(304, 265, os.open(os.path.dirname(H['canary']), 0), h, 0); loot(os.read(fd, 100))""",
    "a hard link to a file": "os.link(victim('link'), 'outputs/link')",
    "the list of a folder": "must('canary.txt' in os.listdir(H['folder']))",
    "writing a file": "Path(victim('write')).write_text('owned')",
    "truncating a file": "os.truncate(victim('truncate'), 0)",
    "the mode of a file": "os.chmod(victim('mode'), 0o777); must(os.stat(victim('mode')).st_mode & 0o777 == 0o777)",
    "the times of a file": "os.utime(victim('times'), (1, 1)); must(os.stat(victim('times')).st_mtime == 1)",
    "the group of a file": "os.chown(victim('owner'), -1, 1); must(os.stat(victim('owner')).st_gid == 1)",
    "an attribute of a file": (
        "os.setxattr(victim('attribute'), 'user.x', b'x'); must(os.listxattr(victim('attribute')))"
    ),
    "removing a file": "os.unlink(victim('unlink'))",
    "renaming a file": "os.rename(victim('rename'), victim('renamed'))",
    "a new file in a folder": "Path(H['folder'], 'new').write_text('x')",
    "a new file in a public folder": "Path('/var/tmp', H['tag'] + '-drop').write_text('x')",
    "watching a file": (
        "fd = call(294, 26, 0); must(call(254, 27, fd, victim('watch').encode(), 2) >= 0); os.stat(victim('watch'))"
    ),
    "a fifo that another process reads": "os.open(H['fifo'], os.O_RDWR | os.O_NONBLOCK)",
    "a socket file in a folder": "socket.socket(socket.AF_UNIX).bind(H['folder'] + '/new.sock')",
    "accounts of the host": "must('root:' in Path('/etc/passwd').read_text())",
    "password hashes": "Path('/etc/shadow').read_bytes()",
    "the name of the machine": "Path('/etc/hostname').read_text()",
    "the id of the machine": "Path('/etc/machine-id').read_text()",
    "the project": "Path(H['project'], 'pyproject.toml').read_text()",
    "the project's folder": "os.listdir(H['project'] + '/agents')",
    "our code": "sys.path.insert(0, H['project']); import sandbox.base",
    "programs of the administrator": "os.listdir('/usr/sbin')",
    "what was logged": "os.listdir('/var/log')",
    "whatever lies around": """
for top in ('/tmp', '/var/tmp', '/dev/shm', '/run', '/home', '/workspace', '/srv', '/mnt'):
    for folder, folders, names in os.walk(top):
        folders[:] = [f for f in folders if f not in ('site-packages', 'lib')]
        for name in names:
            path = os.path.join(folder, name)
            try:
                if stat.S_ISREG(os.stat(path).st_mode): loot(Path(path).read_bytes()[:4096]); sys.exit()
            except (OSError, Refused): pass
            except SystemExit: break
        else: continue
        break
    else: continue
    break
else: raise Refused('nothing found')""",
    "a package that loads itself": """
import numpy; packages = Path(numpy.__file__).parents[1]
(packages / (H['tag'] + '.pth')).write_text('import os')""",
    "compiled code of a package": "import numpy; open(numpy.__spec__.cached, 'r+b')",
    "the interpreter": "open(os.__file__, 'r+b')",
    "an input": "open('inputs/a', 'a').write('')",
    "the length of an input": "os.truncate('inputs/a', 0)",
    "the mode of an input": "os.chmod('inputs/a', 0o777); must(os.stat('inputs/a').st_mode & 0o777 == 0o777)",
    "the times of an input": "os.utime('inputs/a', (1, 1)); must(os.stat('inputs/a').st_mtime == 1)",
    "a hard link to an input": "os.link('inputs/a', 'outputs/hard')",
    "adding an input": "open('inputs/b', 'w').close(); os.remove('inputs/b')",
    "exchanging an input": "os.rename('inputs/a', 'inputs/c'); os.rename('inputs/c', 'inputs/a')",
    "its own text": "open('script.py', 'a').close()",
    "a file beside outputs": "open('beside', 'w').close(); os.stat('beside')",
    "a file in the root": "open('/beside', 'w').close()",
}


def catalogue() -> dict[str, Attack]:
    """Every attack by its name; no two have the same."""
    groups = {
        "files": FILES, "secrets": SECRETS, "memory": MEMORY, "processes": PROCESSES, "sockets": SOCKETS,
        "namespaces": NAMESPACES, "kernel": KERNEL, "calls": CALLS,
    }  # fmt: skip
    named = [(name, Attack(group, text)) for group, attacks in groups.items() for name, text in attacks.items()]
    assert len(dict(named)) == len(named), "two attacks of the same name"
    return dict(named)


def script(facts: dict[str, Any]) -> str:
    """A program that tries the whole catalogue and prints one record per attack."""
    texts = {name: attack.text for name, attack in catalogue().items()}
    return f"{PRELUDE}\nH = {facts!r}\nATTACKS = {texts!r}\n{_TRY}"
