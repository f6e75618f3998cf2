"""`modelwright chat`: open the conductor, serve the chat, drain on SIGTERM."""

import asyncio
import signal
import socket
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from chat_app.conductor import Conductor, open_conductor
from chat_app.settings import Settings

GRACE_SECONDS = 3
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class ServeError(Exception):
    """The chat cannot be served as asked; the message says what would work."""


class _Server(uvicorn.Server):
    """uvicorn, but a signal drains the conductor at once, and `serve()` returns instead of raising the signal again."""

    def __init__(self, config: uvicorn.Config, conductor: Conductor, open_browser: bool) -> None:
        super().__init__(config)
        self._conductor = conductor
        self._open_browser = open_browser
        self._draining: asyncio.Task[None] | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def _stop(self) -> None:
        self.force_exit = self.should_exit  # a second Ctrl-C does not wait for open connections
        self.should_exit = True
        self._draining = self._draining or asyncio.get_running_loop().create_task(self._conductor.drain())

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.should_exit:
            return
        url = f"http://{_shown(self.config.host)}:{self.config.port}"
        sys.stdout.write(f"Modelwright is at {url}  (Ctrl-C ends it)\n")
        sys.stdout.flush()
        if self._open_browser:
            await asyncio.to_thread(webbrowser.open, url)


def serve(settings: Settings, host: str | None = None, port: int | None = None, *, open_browser: bool = False) -> None:
    """Serve until SIGINT or SIGTERM. Raises `ServeError`, OSError, and what `open_conductor` raises."""
    asyncio.run(
        _serve(settings.model_copy(update={"host": host or settings.host, "port": port or settings.port}), open_browser)
    )


async def _serve(settings: Settings, open_browser: bool) -> None:
    if settings.host not in LOOPBACK:
        raise ServeError(
            f"Without a login the chat listens on this computer only, not on {settings.host!r} (use 127.0.0.1)."
        )
    door = _listen(settings.host, settings.port)  # before anything else: a second server must not touch our projects
    async with open_conductor(settings) as conductor:
        from chat_app.app import create_app

        app = create_app(settings, conductor)
        await conductor.recover()
        config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_level="warning",
            lifespan="on",
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        server = _Server(config, conductor, open_browser)
        warming = asyncio.create_task(conductor.warm())
        try:
            await server.serve(sockets=[door])
        finally:
            warming.cancel()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ServeError(
            f"Port {port} cannot be used ({error.strerror}); is the chat running already? Try --port {port + 1}."
        ) from error


def _shown(host: str) -> str:
    return "localhost" if host in LOOPBACK else host


def main() -> None:
    """`python -m chat_app.serve`: the chat with the settings of the environment."""
    serve(Settings())


if __name__ == "__main__":
    main()
