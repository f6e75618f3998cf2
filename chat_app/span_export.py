"""Spans to a collector and to Langfuse, errors to Sentry; each is off without its key.

Langfuse is told through its OpenTelemetry address, in the attributes that it documents, so that one set of spans serves
both. Nothing here reads the environment: a header that OTEL_EXPORTER_OTLP_HEADERS holds for one collector must not
reach another.
"""

import asyncio
import base64
import logging
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib import metadata
from urllib.parse import urlsplit

import httpx
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NoOpTracer

from agents.tracing import Tracing
from chat_app.error_reports import ErrorReports
from chat_app.settings import Settings
from chat_app.tracing import host

_logger = logging.getLogger(__name__)
SEND_SECONDS = 3.0
"""For one batch of spans; one that cannot be sent is dropped."""
CLOSE_SECONDS = 4.0
"""What the end of the program waits for traces that are still to be sent."""
LANGFUSE_PATH = "/api/public/otel/v1/traces"


@asynccontextmanager
async def open_tracing(settings: Settings) -> AsyncIterator[Tracing]:
    """As the settings say; what is still to be sent is sent at the end, as long as `CLOSE_SECONDS` last."""
    exporters = _exporters(settings)
    errors = ErrorReports.of(settings)
    provider = _provider(exporters) if exporters else None
    try:
        yield Tracing(
            provider.get_tracer("modelwright") if provider else NoOpTracer(),
            errors.report if errors else Tracing().report,
            settings.trace_content,
        )
    finally:
        closings = [provider.shutdown] if provider else []
        closings += [errors.close] if errors else []
        await asyncio.to_thread(_within, CLOSE_SECONDS, closings)


def _within(seconds: float, closings: Sequence[Callable[[], None]]) -> None:
    """All at once, each in a thread that the program's end does not wait for."""
    threads = [threading.Thread(target=closing, daemon=True) for closing in closings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds)


def _exporters(settings: Settings) -> list[SpanProcessor]:
    collector, langfuse = _collector(settings), _langfuse(settings)
    found: list[SpanProcessor] = [_batched(collector)] if collector else []
    return [*found, _AroundCalls(_batched(langfuse))] if langfuse else found


def _collector(settings: Settings) -> "_Sender | None":
    if not settings.otlp_endpoint:
        return None
    return _Sender(traces_address(settings.otlp_endpoint), headers_in(settings.otlp_headers.get_secret_value()))


def _langfuse(settings: Settings) -> "_Sender | None":
    if not settings.langfuse_public_key:
        return None
    pair = f"{settings.langfuse_public_key}:{settings.langfuse_secret_key.get_secret_value()}"
    headers = {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return _Sender(settings.langfuse_host.rstrip("/") + LANGFUSE_PATH, headers)


def try_out(settings: Settings) -> list[str]:
    """What is wrong with each receiver of spans, found out by sending it none; [] when all take them."""
    problems = []
    for sender in (_collector(settings), _langfuse(settings)):
        if sender is not None:
            if problem := sender.send(()):
                problems.append(f"{sender.host} does not take spans ({problem})")
            sender.shutdown()
    return problems


def _batched(sender: SpanExporter) -> BatchSpanProcessor:
    return BatchSpanProcessor(
        sender,
        max_queue_size=4096,
        schedule_delay_millis=2000,
        max_export_batch_size=256,
        export_timeout_millis=SEND_SECONDS * 1000,
    )


def _provider(processors: Sequence[SpanProcessor]) -> TracerProvider:
    facts = {"service.name": "modelwright", "service.version": metadata.version("modelwright")}
    provider = TracerProvider(sampler=ALWAYS_ON, resource=Resource(facts), shutdown_on_exit=False)
    for processor in processors:
        provider.add_span_processor(processor)
    return provider


def traces_address(endpoint: str) -> str:
    """Where a collector takes spans: the path /v1/traces, unless the endpoint names a path of its own."""
    return endpoint.rstrip("/") + "/v1/traces" if urlsplit(endpoint).path in ("", "/") else endpoint


def headers_in(text: str) -> dict[str, str]:
    """`name=value` with commas between, as OpenTelemetry writes headers."""
    pairs = (pair.partition("=") for pair in text.split(",") if "=" in pair)
    return {name.strip().lower(): value.strip() for name, _, value in pairs if name.strip()}


class _Sender(SpanExporter):
    """Posts spans as OTLP over HTTP, once; the first batch that is not taken is said in the log, later ones are not.

    Not the library's own exporter: it adds the headers that the environment holds to whatever it is given.
    """

    def __init__(self, address: str, headers: Mapping[str, str]) -> None:
        self._address = address
        self._headers = {**headers, "content-type": "application/x-protobuf"}
        self._client = httpx.Client(timeout=SEND_SECONDS, trust_env=False)
        self._said = False

    @property
    def host(self) -> str:
        """Who is told."""
        return host(self._address)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        problem = self.send(spans)
        if problem and not self._said:
            self._said = True
            _logger.warning("Traces cannot be sent to %s (%s); work goes on without.", self.host, problem)
        return SpanExportResult.FAILURE if problem else SpanExportResult.SUCCESS

    def send(self, spans: Sequence[ReadableSpan]) -> str:
        """Why they were not taken; "" when they were."""
        body: bytes = encode_spans(spans).SerializePartialToString()
        try:
            answer = self._client.post(self._address, content=body, headers=self._headers)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:  # ValueError: a header that cannot be one
            return type(error).__name__
        return "" if answer.is_success else f"status {answer.status_code}"

    def shutdown(self) -> None:
        self._client.close()


class _AroundCalls(SpanProcessor):
    """Lets through calls of models and the spans around them; a turn that asks no model is no trace for Langfuse."""

    def __init__(self, inner: SpanProcessor) -> None:
        self._inner = inner
        self._with_calls: set[int] = set()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self._inner.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        trace = span.context.trace_id if span.context else 0
        if "gen_ai.request.model" in (span.attributes or {}):
            self._with_calls.add(trace)
            self._inner.on_end(span)
        elif trace in self._with_calls and span.name != "sandbox":
            self._inner.on_end(span)
        if span.parent is None:
            self._with_calls.discard(trace)

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._inner.force_flush(timeout_millis)
