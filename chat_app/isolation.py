"""Opens the sandbox that the settings name; every door gets its own from here."""

from chat_app.settings import SandboxChoice, Settings
from sandbox.base import Sandbox
from sandbox.choose import open_sandbox
from sandbox.elsewhere import open_elsewhere


def open_for(settings: Settings, choice: SandboxChoice | None = None) -> Sandbox:
    """The one that was chosen, or that of the settings. Raises `SandboxUnavailable`; never falls back to another."""
    wanted = choice or settings.sandbox
    if wanted == "docker" or wanted == "e2b":
        return open_elsewhere(wanted, settings.elsewhere)
    return open_sandbox() if wanted == "auto" else open_sandbox(wanted)
