"""Attacks on what belongs to others: their secrets, their memory, their processes, their sockets (see attacks.py)."""

from tools.samples import SAMPLES

SECRETS = {
    "our environment": "loot(repr(dict(os.environ)))",
    "the environment of who started it": "loot(Path(f'/proc/{os.getppid()}/environ').read_bytes())",
    "the environment of process 1": "loot(Path('/proc/1/environ').read_bytes())",
    "the environment of a bystander": "loot(Path(f'/proc/{H[\"pid\"]}/environ').read_bytes())",
    "any environment": "loot_any(f'/proc/{pid}/environ' for pid in [1, *pids()])",
    "any command line": "loot_any(f'/proc/{pid}/cmdline' for pid in [1, *pids()])",
    "a removed file that a bystander holds": (
        "loot_any(f'/proc/{pid}/fd/{n}' for pid in pids() for n in range(3, 9) "
        "if 'held' in os.readlink(f'/proc/{pid}/fd/{n}'))"
    ),
    "the folder of a bystander": "os.readlink(f'/proc/{H[\"pid\"]}/cwd')",
    "what was left open for it": """
for fd in range(3, 256):
    try: loot(os.read(fd, 4096)); break
    except (OSError, Refused): pass
else: raise Refused('nothing found')""",
    "what was left in its memory": "memory_of(os.getpid())",
    "a key in the keyring": """
buffer = ctypes.create_string_buffer(100)
call(250, 219, 11, H['serial'], buffer, 100, 0); loot(buffer.raw)""",
    "asking for a key": """
buffer = ctypes.create_string_buffer(100)
n = call(249, 218, b'user', H['tag'].encode(), None, 0)""",
    "what the kernel has logged": "fd = os.open('/dev/kmsg', os.O_RDONLY | os.O_NONBLOCK); os.read(fd, 8192)",
    "a file of another run": """
loot_any(f'/proc/{p}/cwd/{name}' for p in pids() for name in ('private.txt', 'outputs/private.txt'))""",
    "labels by a name that a sample has": """
import sklearn
Path(sklearn.__file__).parent.joinpath('datasets/data/iris.csv').read_bytes()""",
    "a copy of a sample": """
import scipy
Path(scipy.__file__).parent.joinpath('io/arff/tests/data/iris.arff').read_text()""",
    "the sealed labels of a run": """
tops = (H['sealed'], '..', '/workspace', '/tmp', '/var', '/run', os.path.expanduser('~'))
paths = [os.path.join(folder, name) for top in tops for folder, _, names in os.walk(top) for name in names]
loot_any(path for path in paths if 'label' in path)""",
    **{f"labels of the sample {name}": f"import sklearn.datasets as d; d.load_{name}()" for name in SAMPLES},
}  # fmt: skip

MEMORY = {
    "memory of a bystander": "memory_of(H['pid'])",
    "memory of process 1": "open('/proc/1/mem', 'rb')",
    "memory of who started it": """
status = Path(f'/proc/{os.getppid()}/status').read_text(); memory_of(int(re.search(r'PPid:\\s(\\d+)', status)[1]))""",
    "reading another process's memory": """
a = ctypes.create_string_buffer(8); here = struct.pack('QQ', ctypes.addressof(a), 8)
line = next(l for l in open(f'/proc/{H["pid"]}/maps') if 'rw' in l)
begin = int(line.split('-')[0], 16)
call(310, 270, H['pid'], here, 1, struct.pack('QQ', begin, 8), 1, 0)""",
    "tracing a bystander": "call(101, 117, 0x4206, H['pid'], 0, 0); os.kill(H['pid'], 0)",
    "being traced": "call(101, 117, 0, 0, 0, 0)",
    "System V shared memory": """
libc.shmat.restype = ctypes.c_void_p
place = libc.shmat(H['segment'], None, 0); must(place not in (None, 2**64 - 1), 'no such segment')
loot(ctypes.string_at(place, 100))""",
    "new System V shared memory": "checked(libc.shmget(0, 4096, 0o1600))",
    "POSIX shared memory": "loot(Path('/dev/shm', H['tag']).read_text())",
    "a message queue": """
queue = checked(libc.mq_open(('/' + H['tag']).encode(), os.O_RDWR, 0, None)); buffer = ctypes.create_string_buffer(8192)
checked(libc.mq_receive(queue, buffer, 8192, None)); loot(buffer.raw)
checked(libc.mq_send(queue, buffer.raw, len(buffer.value), 0))""",
    "memory that no limit counts": "os.memfd_create('x')",
    "a program that is in no file": """
fd = os.memfd_create('x'); os.write(fd, Path('/bin/true').read_bytes()); os.set_inheritable(fd, True)
must(subprocess.run([f'/proc/self/fd/{fd}'], pass_fds=[fd]).returncode == 0)""",
    "secret memory": "call(447, 447, 0)",
    "page faults of its own": "call(323, 282, 1)",
    "page faults by the device": "os.open('/dev/userfaultfd', os.O_RDWR)",
    "addresses of the kernel": "must(any(int(l.split()[0], 16) for l in open('/proc/kallsyms')), 'only zeros')",
    "pages of the machine": "open('/proc/kpagecount', 'rb').read(8)",
    "advice on another's memory": """
fd = os.pidfd_open(H['pid']); call(440, 440, fd, struct.pack('QQ', 0, 0), 1, 21, 0)""",
}

PROCESSES = {
    "a signal to a bystander": "os.kill(H['pid'], 0)",
    "a signal to a thread of a bystander": "call(200, 130, H['pid'], 0)",
    "a queued signal to a bystander": "call(129, 138, H['pid'], 0, struct.pack('=iii', 0, 0, -1) + bytes(116))",
    "a signal by descriptor": "signal.pidfd_send_signal(os.pidfd_open(H['pid']), 0)",
    "a signal to every process that it sees": "must(any(not os.kill(pid, 0) for pid in pids()))",
    "a descriptor of a bystander": "call(438, 438, os.pidfd_open(H['pid']), 0, 0)",
    "the list of processes": "must(H['pid'] in pids())",
    "slowing a bystander down": "os.setpriority(os.PRIO_PROCESS, H['pid'], 5)",
    "the limits of a bystander": "resource.prlimit(H['pid'], resource.RLIMIT_NOFILE, (64, 64))",
    "the cores of a bystander": "os.sched_setaffinity(H['pid'], os.sched_getaffinity(H['pid']))",
    "the schedule of a bystander": "os.sched_setscheduler(H['pid'], os.SCHED_BATCH, os.sched_param(0))",
    "giving a bystander to the OOM killer": "open(f'/proc/{H[\"pid\"]}/oom_score_adj', 'w').write('1000')",
    "renaming a bystander": "open(f'/proc/{H[\"pid\"]}/comm', 'r+b')",
    "saving itself from the OOM killer": ("f = open('/proc/self/oom_score_adj', 'w'); f.write('0'); f.close()"),
    "comparing with a bystander": "call(312, 272, os.getpid(), H['pid'], 2, 0, 0)",
    "its own cores": "os.sched_setaffinity(0, {0})",
    "a schedule before all others": "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))",
    "being nicer to itself": "os.setpriority(os.PRIO_PROCESS, 0, -5)",
    "disk time before all others": "call(251, 30, 1, 0, 1 << 13 | 4)",
    "more memory": "resource.setrlimit(resource.RLIMIT_DATA, (-1, -1))",
    "more descriptors": "resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))",
    "more processes": "resource.setrlimit(resource.RLIMIT_NPROC, (4096, 4096))",
    "a core dump": """
resource.setrlimit(resource.RLIMIT_CORE, (2**26, 2**26)); os.chdir('outputs')
if os.fork() == 0: os.abort()
os.wait(); must([f for f in os.listdir('.') if 'core' in f], 'no core')""",
    "leaving its control group": """
import glob
for path in glob.glob('/sys/fs/cgroup/*/cgroup.procs') + ['/sys/fs/cgroup/cgroup.procs']:
    try: Path(path).write_text('0'); break
    except OSError: pass
else: raise Refused('none')""",
    "who releases a control group": "Path('/sys/fs/cgroup/memory/release_agent').open('r+')",
    "root": "os.setuid(0); must(open('/proc/self/uid_map').read().split()[:2] == ['0', '0'])",
    "root by group": "os.setgid(0); os.setgroups([0]); must(0 in os.getgroups())",
    "every user id": "must(any(libc.setresuid(u, u, u) == 0 for u in (0, 1, 33, 4242, 65534)))",
    "capabilities": """
call(126, 91, struct.pack('=Ii', 0x20080522, 0), struct.pack('=6I', 1 << 21, 1 << 21, 0, 0, 0, 0))""",
    "a program of root's": """
done = subprocess.run([H['tool']], capture_output=True, text=True, check=True)
must('uid=0' in done.stdout or 'euid=0' in done.stdout)""",
    "a program with more rights": """
p = subprocess.Popen(['su', '-c', 'true'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
try:
    select.select([p.stdout, p.stderr], [], [], 2)
    status = Path(f'/proc/{p.pid}/status').read_text()
    must(p.poll() == 0 or re.search(r'Uid:\\s\\d+\\s0\\s', status) and os.path.exists('/etc/shadow'))
finally: p.kill()""",
    "capabilities in a file of its own": """
Path('outputs/tool').write_bytes(Path('/bin/true').read_bytes()); os.chmod('outputs/tool', 0o755)
os.setxattr('outputs/tool', 'security.capability', struct.pack('<IIIII', 0x2000001, 0xffffffff, 0, 0xffffffff, 0))""",
}

SOCKETS = {
    "TCP to this machine": "loot(socket.create_connection(('127.0.0.1', H['tcp']), 5).recv(100))",
    "TCP over IPv6": "loot(socket.create_connection(('::1', H['tcp6']), 5).recv(100))",
    "TCP without connecting": """
s = socket.socket(); s.sendto(b'x', socket.MSG_FASTOPEN, ('127.0.0.1', H['tcp'])); loot(s.recv(100))""",
    "TCP by a shell": """
done = subprocess.run(['bash', '-c', f'cat < /dev/tcp/127.0.0.1/{H["tcp"]}'], capture_output=True, timeout=9)
loot(done.stdout)""",
    "UDP": """
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5); s.sendto(b'x', ('127.0.0.1', H['udp']))
loot(s.recv(100))""",
    "a server of its own": "socket.create_server(('0.0.0.0', 0))",
    "a server of its own over IPv6": "socket.create_server(('::', 0), family=socket.AF_INET6)",
    "names": "must(socket.getaddrinfo('example.com', 80))",
    "the metadata service of a cloud": "loot(socket.create_connection(('169.254.169.254', 80), 5).recv(100))",
    "ping": "socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)",
    "raw packets": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).bind((0, 0))",
    "what the kernel announces": "socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 15).bind((0, 1))",
    "vsock": "socket.socket(socket.AF_VSOCK)",
    "the vsock device": "fcntl.ioctl(os.open('/dev/vsock', 0), 0x7b9, bytes(4))",
    "kernel crypto sockets": "socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)",
    "bluetooth": "checked(libc.socket(31, 3, 1))",
    "express data path": "checked(libc.socket(44, 3, 0))",
    "multipath TCP": "checked(libc.socket(2, 1, 262))",
    "any other family at all": "must([1 for f in range(2, 46) for k in (1, 2, 3, 5) if libc.socket(f, k, 0) >= 0])",
    "a Unix socket in a folder": "s = socket.socket(socket.AF_UNIX); s.connect(H['unix']); loot(s.recv(100))",
    "a Unix socket by a link": """
os.symlink(H['unix'], 'outputs/s'); s = socket.socket(socket.AF_UNIX); s.connect('outputs/s'); loot(s.recv(100))""",
    "a Unix socket from inside its folder": """
os.chdir(os.path.dirname(H['unix'])); s = socket.socket(socket.AF_UNIX); s.connect('docker.sock'); loot(s.recv(100))""",
    "a datagram socket in a folder": """
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'x', H['unix_datagram'])""",
    "an abstract Unix socket": "s = socket.socket(socket.AF_UNIX); s.connect('\\0' + H['tag']); loot(s.recv(100))",
    "the network of another process": "call(308, 268, os.open(f'/proc/{H[\"pid\"]}/ns/net', 0), 0)",
    "the interfaces of the host": """
must(os.readlink('/proc/self/ns/net') == H['host_net'] and socket.socket(socket.AF_INET))""",
    "connections of the host": "must(f'{H[\"tcp\"]:04X}' in Path('/proc/net/tcp').read_text())",
    "Unix sockets of the host": "must(H['tag'] in Path('/proc/net/unix').read_text())",
    "a network card of its own": """
fcntl.ioctl(os.open('/dev/net/tun', os.O_RDWR), 0x400454ca, struct.pack('16sH22x', b'mw0', 0x1002))""",
    "an address for a card": """
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
fcntl.ioctl(s, 0x8916, struct.pack('16sHH4s8x', b'lo:9', 2, 0, bytes([127, 0, 0, 9])))""",
}  # fmt: skip
