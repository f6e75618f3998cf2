"""The `modelwright` command: put the application's own folders first on the import path, then start it."""

import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_BUNDLE = _HERE / "_modelwright"  # a wheel keeps the folders in here; a checkout keeps them beside this file
sys.path.insert(0, str(_BUNDLE if _BUNDLE.is_dir() else _HERE))


def main() -> None:
    """Start the command line."""
    try:
        from chat_app.cli import main as run

        run()
    except KeyboardInterrupt:  # Ctrl-C while the command is still being loaded
        sys.exit(130)
