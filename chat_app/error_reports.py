"""Errors of the product, told to Sentry where its key is set: which error, and where in the code; nothing else.

The message of an exception may quote a cell or a path, so it stays here. What is sent is written down field by field
from what the library made; whatever it adds beside that in a later version does not leave.
"""

import sys
from importlib import metadata
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from chat_app.settings import Settings

FRAME = ("function", "module", "lineno", "in_app")
KEPT = ("event_id", "timestamp", "platform", "level", "release", "environment")
OURS = ("agents", "tools", "sandbox", "prompts", "chat_app")
FLUSH_SECONDS = 2.0


class ErrorReports:
    """A client of its own: nothing of the process is patched, and no other error is listened to."""

    def __init__(self, dsn: str) -> None:
        from sentry_sdk import Client, Scope

        self._client = Client(
            dsn=dsn,
            release=f"modelwright@{metadata.version('modelwright')}",
            environment="production",
            server_name="",
            default_integrations=False,
            auto_enabling_integrations=False,
            auto_session_tracking=False,
            send_client_reports=False,
            include_local_variables=False,
            include_source_context=False,
            max_breadcrumbs=0,
            enable_metrics=False,
            enable_logs=False,
            spotlight=False,
            debug=False,
            http_proxy="",
            https_proxy="",
            shutdown_timeout=FLUSH_SECONDS,
            before_send=lambda event, _: scrubbed(event),  # type: ignore[arg-type, return-value]  # a TypedDict of theirs
        )
        self._scope = Scope(client=self._client)

    @classmethod
    def of(cls, settings: "Settings") -> Self | None:
        """None without a key."""
        dsn = settings.sentry_dsn.get_secret_value()
        return cls(dsn) if dsn else None

    def report(self, error: BaseException) -> None:
        """In the background; never raises."""
        from sentry_sdk.scope import use_scope

        with use_scope(self._scope):  # the library looks for its client there
            self._scope.capture_exception(error)

    def close(self) -> None:
        """Send what waits, for `FLUSH_SECONDS` at most."""
        self._client.close(timeout=FLUSH_SECONDS)


def scrubbed(event: Any) -> dict[str, Any]:
    """The event with its type of error and its places in the code; nothing that could hold data, a name or a key."""
    kept = {name: event[name] for name in KEPT if name in event}
    errors = [_error(one) for one in event.get("exception", {}).get("values", ())]
    return {**kept, "exception": {"values": errors}, "tags": {"python": sys.version.split()[0], "os": sys.platform}}


def _error(found: dict[str, Any]) -> dict[str, Any]:
    frames = [_frame(one) for one in (found.get("stacktrace") or {}).get("frames", ())]
    said = {"type": found.get("type"), "module": found.get("module"), "value": "(left out)"}
    return {**said, "stacktrace": {"frames": frames}}


def _frame(found: dict[str, Any]) -> dict[str, Any]:
    return {**{name: found[name] for name in FRAME if name in found}, "filename": place(found.get("abs_path") or "")}


def place(path: str) -> str:
    """A file as it is called within our packages or within a library; of any other only its name."""
    parts = PurePath(path).parts
    if "site-packages" in parts:
        return "/".join(parts[len(parts) - parts[::-1].index("site-packages") :])
    ours = [at for at, part in enumerate(parts[:-1]) if part in OURS]
    return "/".join(parts[ours[-1] :]) if ours else PurePath(path).name


def report_now(error: BaseException, settings: "Settings") -> None:
    """From a door that is about to end the program: sent before this returns, or not at all."""
    reports = ErrorReports.of(settings)
    if reports is not None:
        reports.report(error)
        reports.close()
