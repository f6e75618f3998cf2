"""In a container with an engine's default settings no namespace can be made: the reduced level is found and holds."""

import json
import os
import resource
import shutil
import subprocess
import sys
from textwrap import dedent

import pytest

from sandbox import mounts
from sandbox.probe import NAMES
from tests.sandbox.host import PROJECT
from tests.sandbox.test_levels import KINDS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
# The engine wants one kind of control groups and limits that it may set; neither matters to what is tested.
_AROUND = """
mount --make-rprivate / && umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec "$@"
"""
_SURVEY = """
import json
from sandbox.probe import probe, survey
print(json.dumps({"best": probe().level, "all": [[i.level, i.name, i.reason, i.advice] for i in survey()]}))
"""


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The words that run something in a container made of this machine's own programs, all read-only."""
    podman = shutil.which("podman")
    if podman is None or os.geteuid() != 0:
        pytest.skip("needs root and podman")
    root = tmp_path_factory.mktemp("container")
    root.chmod(0o755)
    for folder in ("usr", "proc", "sys", "dev", "tmp", "etc", "run", "root", "var/tmp"):
        (root / folder).mkdir(parents=True, mode=0o755)
    for folder in ("tmp", "var/tmp"):
        (root / folder).chmod(0o1777)
    for shortcut in ("lib", "lib64", "bin", "sbin"):
        (root / shortcut).symlink_to(f"usr/{shortcut}")
    shutil.copy("/etc/ld.so.cache", root / "etc")
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    shown = mounts.without_nested({"/usr", str(PROJECT), *map(os.path.realpath, (sys.base_prefix, sys.prefix))})
    limits = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
    least = {name: min(resource.getrlimit(kind)[1], 20_000) for name, kind in limits.items()}
    around = ["unshare", "-m", "sh", "-c", dedent(_AROUND), "sh"]
    words = [
        *(*around, podman, "--cgroup-manager", "cgroupfs", "run", "--rm", "--cgroups=disabled", "--network", "none"),
        *(f"--ulimit={name}={most}:{most}" for name, most in least.items()),
        *(f"--volume={path}:{path}:ro" for path in shown),
        *("--env", "PYTHONDONTWRITEBYTECODE=1", "--workdir", str(PROJECT), "--rootfs", str(root)),
    ]
    tried = subprocess.run([*words, "/bin/true"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"no container can be started here: {tried.stderr.strip().rpartition(chr(10))[2]}")
    return words


def said_in(container: list[str], *arguments: str) -> str:
    done = subprocess.run([*container, sys.executable, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_reduced_level_is_found_and_the_others_say_what_they_lack(container: list[str]) -> None:
    said = json.loads(said_in(container, "-c", _SURVEY))
    assert said["best"] == "reduced"
    full, _, reduced = said["all"]
    assert full[0] == "none"
    assert "refused" in full[2]
    assert "--cap-add SYS_ADMIN" in full[3]
    assert reduced[:2] == ["reduced", NAMES["reduced"]]


def test_every_first_step_ends_as_it_should(container: list[str]) -> None:
    report = json.loads(said_in(container, "-m", "tests.sandbox.first_steps", "reduced"))
    assert {name: report[name]["kind"] for name in KINDS} == KINDS, report
    assert report["bring"]["files"] == ["sub/copy.txt"]
    assert "0" not in {line.split()[2] for line in report["at once"]}
    assert report["left behind"] == []
