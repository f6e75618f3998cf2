"""Attacks on the machine itself: namespaces, mounts, devices, settings and rare system calls (see attacks.py)."""

NAMESPACES = {
    "a user namespace": "call(272, 97, 0x10000000)",
    "a mount namespace": "call(272, 97, 0x20000)",
    "a network namespace": "call(272, 97, 0x40000000)",
    "a process namespace": "call(272, 97, 0x20000000)",
    "a user namespace by clone": "call(56, 220, 0x10000000 | 17, 0, 0, 0, 0) or os._exit(0)",
    "a user namespace by clone3": """
call(435, 435, struct.pack('=11Q', 0x10000000, 0, 0, 0, 17, *[0] * 6), 88) or os._exit(0)""",
    "the namespaces of process 1": "call(308, 268, os.open('/proc/1/ns/mnt', 0), 0)",
    "all namespaces of a bystander": "call(308, 268, os.pidfd_open(H['pid']), 0x20000)",
    "its own user map": "call(272, 97, 0x10000000); Path('/proc/self/uid_map').write_text(f'0 {H[\"uid\"]} 1')",
    "a file system of its own": """
os.mkdir('outputs/m')
checked(libc.mount(b'x', b'outputs/m', b'tmpfs', 0, None))
libc.umount2(b'outputs/m', 2)""",
    "another view of a folder": """
os.mkdir('outputs/b')
checked(libc.mount(b'/', b'outputs/b', None, 4096, None))
libc.umount2(b'outputs/b', 2)""",
    "making all writable": "checked(libc.mount(None, b'/', None, 0x20 | 0x1000, None))",
    "a fresh process list": """
os.mkdir('outputs/p')
checked(libc.mount(b'x', b'outputs/p', b'proc', 0, None))
libc.umount2(b'outputs/p', 2)""",
    "taking a mount away": "checked(libc.umount2(b'/proc', 2)) or libc.mount(b'proc', b'/proc', b'proc', 0, None)",
    "a mount by descriptor": "call(428, 428, -100, b'/', 1)",
    "an opened file system": "call(430, 430, b'tmpfs', 0)",
    "the attributes of a mount": "call(442, 442, -100, b'/', 0, struct.pack('=4Q', 0, 1, 0, 0), 32)",
    "another root": "os.chroot('outputs')",
    "where the host keeps its files": """
must(H['folder'] in Path('/proc/self/mountinfo').read_text() or os.path.exists(H['folder']))""",
}  # fmt: skip

KERNEL = {
    "the program that takes core dumps": "p = Path('/proc/sys/kernel/core_pattern'); p.write_text(p.read_text())",
    "what happens after a panic": "p = Path('/proc/sys/kernel/panic'); p.write_text(p.read_text())",
    "a setting of the kernel": "p = Path('/proc/sys/vm/swappiness'); p.write_text(p.read_text())",
    "devices in sysfs": "os.listdir('/sys/class/net')",
    "power": "os.open('/sys/power/state', os.O_RDWR)",
    "hardware events": "os.open('/sys/kernel/uevent_seqnum', os.O_RDONLY)",
    "the buses": "os.listdir('/sys/bus')",
    "a disk by a node of its own": """
os.mknod('outputs/disk', 0o60600, os.makedev(*H['disk_number']))
open('outputs/disk', 'rb').read(512)""",
    "a log by a node of its own": """
os.mknod('outputs/log', 0o20600, os.makedev(1, 11))
os.open('outputs/log', os.O_RDONLY)""",
    "a disk by its device": "open(H['disk'], 'rb').read(512)",
    "a loop device": "os.open('/dev/loop-control', os.O_RDWR)",
    "FUSE": "os.open('/dev/fuse', os.O_RDWR)",
    "virtual machines": "os.open('/dev/kvm', os.O_RDWR)",
    "the console": "os.open('/dev/console', os.O_WRONLY | os.O_NOCTTY)",
    "a terminal": "os.openpty()",
    "typing into a terminal": """
_, s = os.openpty(); os.setsid(); fcntl.ioctl(s, 0x540e, 0); fcntl.ioctl(s, 0x5412, b'x')""",
    "typing into what it was given": """
try: fcntl.ioctl(0, 0x5412, b'x')
except OSError as problem: must(problem.errno != 1, 'not permitted')""",
    "selecting on the console": """
try: fcntl.ioctl(0, 0x541c, bytes([2]))
except OSError as problem: must(problem.errno != 1, 'not permitted')""",
    "the clock": "time.clock_settime(time.CLOCK_REALTIME, time.clock_gettime(time.CLOCK_REALTIME))",
    "the speed of the clock": "checked(libc.adjtimex(struct.pack('=IxxxxQ', 0x2, 0) + bytes(192)))",
    "the name of the machine by call": "socket.sethostname(H['hostname'])",
    "the domain": "call(171, 162, b'example', 7)",
    "io_uring": "call(425, 425, 4, ctypes.create_string_buffer(120))",
    "a map of bpf": "call(321, 280, 0, struct.pack('=5I', 2, 4, 4, 1, 0) + bytes(108), 128)",
    "a program of bpf": """
code = ctypes.create_string_buffer(bytes.fromhex('b700000000000000' '9500000000000000'))
licence = ctypes.create_string_buffer(b'GPL')
call(321, 280, 5, struct.pack('=IIQQ', 1, 2, ctypes.addressof(code), ctypes.addressof(licence)) + bytes(104), 128)""",
    "counting events of the machine": "call(298, 241, struct.pack('=IIQ', 1, 112, 0) + bytes(96), -1, 0, -1, 0)",
    "watching a whole file system": "call(300, 262, 0, 0)",
    "the log by call": "checked(libc.klogctl(3, ctypes.create_string_buffer(8192), 8192))",
    "swap": "libc.swapon(b'/no/such/file', 0); must(ctypes.get_errno() not in (1, 38))",
    "restarting the machine": "libc.syscall(169 if X86 else 142, 0, 0, 0, 0); must(ctypes.get_errno() not in (1, 38))",
    "32-bit calls": """
must(X86, 'another processor'); code = mmap.mmap(-1, 4096, prot=7)
code.write(bytes.fromhex('53b814000000cd805bc3'))
must(ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))() > 0)""",
    "calls of a third kind": "must(X86, 'another processor'); checked(libc.syscall(0x40000000 | 39))",
    "a filter of its own that hides what happens": "call(317, 277, 2, 0, struct.pack('=I', 0x7fff0000))",
    "addresses that do not change": "call(135, 92, 0x0040000)",
    "segments of the processor": "call(154, -1, 1, struct.pack('=4I', 0, 0, 0, 0x51), 16)",
    "quotas": "libc.quotactl(0x800007 << 8, b'/dev/x', 0, None); must(ctypes.get_errno() not in (1, 38))",
    "accounting": "checked(libc.acct(None))",
    "a pipe over read-only pages": """
r, w = os.pipe(); pages = mmap.mmap(-1, 4096)
vector = struct.pack('QQ', ctypes.addressof(ctypes.c_char.from_buffer(pages)), 4096)
call(278, 75, w, vector, 1, 0)""",
}  # fmt: skip

# Called with zeros: the attack has worked when the kernel itself has looked at the call.
_CALLS = """
mount 165 40; umount2 166 39; unshare 272 97; setns 308 268; pivot_root 155 41; chroot 161 51; ptrace 101 117;
process_vm_readv 310 270; process_vm_writev 311 271; keyctl 250 219; add_key 248 217; request_key 249 218; bpf 321 280;
perf_event_open 298 241; userfaultfd 323 282; io_uring_setup 425 425; io_uring_enter 426 426; io_uring_register 427 427;
swapon 167 224; swapoff 168 225; settimeofday 164 170; clock_settime 227 112; clock_adjtime 305 266; clone3 435 435;
personality 135 92; open_by_handle_at 304 265; name_to_handle_at 303 264; capset 126 91; shmget 29 194; semget 64 190;
msgget 68 186; mq_open 240 180; fanotify_init 300 262; fanotify_mark 301 263; acct 163 89; setuid 105 146;
setgid 106 144; setgroups 116 159; setresuid 117 147; sethostname 170 161; open_tree 428 428; move_mount 429 429;
fsopen 430 430; fsmount 432 432; mount_setattr 442 442; pidfd_getfd 438 438; landlock_create_ruleset 444 444;
process_madvise 440 440; migrate_pages 256 238; move_pages 279 239; mbind 237 235; kcmp 312 272; vmsplice 278 75;
splice 275 76; syslog 103 116; seccomp 317 277; sched_setattr 314 274; mlockall 151 230; pidfd_getfd_again 438 438
"""
CALLS = {
    f"the call {row.split()[0]}": "reached({}, {})".format(*row.split()[1:])
    for row in _CALLS.replace("\n", " ").split(";")
    if not row.split()[0].endswith("_again")
}
