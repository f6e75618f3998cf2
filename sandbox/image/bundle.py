"""The keeper and what it needs as one file that any Python from 3.10 on runs: nothing of ours has to be installed."""

import io
import zipfile
from functools import cache
from pathlib import Path

_MODULES = ("__init__", "kernel", "seccomp", "syscalls", "watch", "image/__init__", "image/apart", "image/keeper")
_START = "import sys\n\nfrom sandbox.image.keeper import main\n\nmain(sys.argv[1:])\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)


@cache
def bundle() -> bytes:
    """A zip archive to start with `python -I FILE FOLDER`; the same bytes every time."""
    here = Path(__file__).parent.parent
    texts = {f"sandbox/{name}.py": (here / f"{name}.py").read_text() for name in _MODULES}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in {**texts, "__main__.py": _START}.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), text)
    return packed.getvalue()
