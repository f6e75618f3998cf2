"""Opens what the settings say about traces and errors; the libraries behind it are loaded only then."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from agents.tracing import Tracing
from chat_app.settings import Settings


@asynccontextmanager
async def tracing_of(settings: Settings) -> AsyncIterator[Tracing]:
    """Spans and errors go where the settings say, without a key nowhere. At the end the rest is sent or given up."""
    if not settings.traced:
        yield Tracing()
        return
    from chat_app.span_export import open_tracing

    async with open_tracing(settings) as tracing:
        yield tracing


def destinations(settings: Settings) -> Iterator[str]:
    """Who is told of what, in words, without any key."""
    if settings.otlp_endpoint:
        yield f"spans go to {host(settings.otlp_endpoint)}"
    if settings.langfuse_public_key:
        words = ", with their words" if settings.trace_content else ""
        yield f"calls of models go to Langfuse at {host(settings.langfuse_host)}{words}"
    if settings.sentry_dsn.get_secret_value():
        yield f"errors go to Sentry at {host(settings.sentry_dsn.get_secret_value())}"


def host(address: str) -> str:
    """Host and port, without a key that stands before them."""
    return urlsplit(address).netloc.rpartition("@")[2]
