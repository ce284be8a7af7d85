"""Traces for an OpenTelemetry collector: what becomes of an event, from its producer to its table.

A sampled event's record carries W3C's `traceparent` in a Kafka header. Whoever handles it makes a span and passes the
trace on in the records that follow from it (docs/operations.md says which). Without RIHLA_TRACE_SAMPLE nothing of
OpenTelemetry is imported, and a group of records costs the question whether there is a Tracing. streams.spans has the
spans that are open, and what follows from them.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from streams.errors import RihlaError
from streams.settings import Settings
from streams.spans import TRACEPARENT, TRACESTATE, About, Headers, Place, Spans, fail, headers_of, nowhere

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span, SpanContext

MOST_OF_A_GROUP = 64
"""Sampled records of a group that get a span: the cost is bounded even where a producer samples everything."""
STOP_SECONDS = 3.0
"""How long a process that ends waits for its last spans to be sent."""
_NS = 1_000_000_000


class Batch(Protocol):
    """What is asked of a RecordBatch (streams.kafka.progress)."""

    topic: str
    partition: int
    offsets: Sequence[int]
    timestamps: Sequence[int]
    headers: dict[int, list[tuple[str, bytes]]]

    def __len__(self) -> int: ...


class Tracing:
    """Samples, makes spans and sends them, for one process. Sending has a thread; while the collector is away spans are
    dropped, and nothing waits."""

    def __init__(self, service: str, share: float, exporter: SpanExporter | None = None) -> None:
        """service: the name of the worker or command. share: of the events that come without a trace, in [0, 1].

        exporter: by default OTLP over HTTP, with the settings that OpenTelemetry's own variables give it.
        Raises RihlaError if OpenTelemetry is not installed.
        """
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
        except ImportError as error:
            raise RihlaError(f"trace_sample needs OpenTelemetry: {error}", "pip install 'rihla[otel]'") from None
        # An operator's own name wins, as OpenTelemetry's users expect; `rihla-sink` tells one worker from another.
        named = {} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": f"rihla-{service}"}
        self._provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("rihla")
        self._propagator = TraceContextTextMapPropagator()
        self._share = share
        self._skip = self._gap() - 1
        """Records until the next that is sampled by chance."""

    def group(self, batches: Iterable[Batch], *, begins: bool = False) -> Spans | None:
        """Spans, begun now, of the sampled records of a group; None where there are none.

        begins: whether records without a trace are sampled here, as those of a producer that traces nothing.
        """
        spans: dict[Place, Span] = {}
        for batch in batches:
            contexts = self._sampled(batch)
            if begins:
                contexts |= {at: None for at in self._chosen(len(batch)) if not _has_trace(batch.headers.get(at, ()))}
            for at, context in contexts.items():
                if len(spans) >= MOST_OF_A_GROUP:
                    break
                spans[batch.topic, batch.partition, batch.offsets[at]] = self._process(batch, at, context)
        return Spans(spans, self._tracer) if spans else None

    def sending(self, topic: str, count: int) -> Spans | None:
        """Spans, begun now, of records sampled among those that are to be sent to a topic; by row."""
        from opentelemetry.trace import SpanKind

        rows = self._chosen(count)
        about = {"messaging.system": "kafka", "messaging.operation.type": "send", "messaging.destination.name": topic}
        started = [
            (row, self._tracer.start_span(f"send {topic}", nowhere(), SpanKind.PRODUCER, about))
            for row in rows[:MOST_OF_A_GROUP]
        ]
        return Spans(dict(started), self._tracer) if started else None

    def request(self, route: str, headers: Mapping[str, str], began: float, events: int) -> Spans | None:
        """The span of an HTTP request that brought events, if it is sampled: by its own `traceparent`, or by chance.

        route: the collector's name for it. began: its arrival, as time.time() has it. The span's row is 0.
        """
        from opentelemetry.trace import SpanKind

        context = self._context({name: headers[name] for name in (TRACEPARENT, TRACESTATE) if name in headers})
        if context is None and (TRACEPARENT in headers or not self._chosen(1)):
            return None
        about: dict[str, str | int] = {"http.request.method": "POST", "rihla.route": route, "rihla.events": events}
        start = int(began * _NS)
        span = self._tracer.start_span(f"POST {route}", context or nowhere(), SpanKind.SERVER, about, None, start)
        return Spans({0: span}, self._tracer)

    def timers(self, name: str, set_by: Sequence[Headers | None]) -> Spans | None:
        """Spans, begun now, of timers that go off together, each of which begins a trace; by row.

        set_by: of each timer, the trace of the event that set it, to which it is linked. Of those of which none is
        known the share is sampled. The event's trace is not gone on with: it may be days old.
        """
        from opentelemetry.trace import Link, SpanKind

        chosen = {*self._chosen(sum(headers is None for headers in set_by))}
        spans: dict[int, Span] = {}
        unknown = 0
        for row, headers in enumerate(set_by):
            if headers is None:
                unknown += 1
            if len(spans) >= MOST_OF_A_GROUP or (headers is None and unknown - 1 not in chosen):
                continue
            setter = None if headers is None else self._span_of(headers)
            links = [] if setter is None else [Link(setter)]
            spans[row] = self._tracer.start_span(
                name, nowhere(), SpanKind.INTERNAL, {"rihla.timers": len(set_by)}, links
            )
        return Spans(spans, self._tracer) if spans else None

    def outcome(self, name: str, headers: Headers, began: float, about: About, failed: str | None = None) -> Headers:
        """The span of something that a trace had begun and that has ended by now, as a message that was sent. Returns
        the headers by which the trace goes on from it.

        headers: by which the trace comes. began: as time.time() has it. failed: why, in a word.
        """
        from opentelemetry.trace import SpanKind

        context, start = self._context(_said(headers)) or nowhere(), int(began * _NS)
        span = self._tracer.start_span(name, context, SpanKind.CLIENT, dict(about), None, start)
        if failed is not None:
            fail(span, failed)
        span.end()
        return headers_of(span)

    async def start(self) -> None:
        """Nothing: it is a service for its end."""

    async def stop(self) -> None:
        """Send what is left, for STOP_SECONDS at most."""
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Send what is left, for STOP_SECONDS at most. Blocks. To be called once."""
        ending = threading.Thread(target=self._provider.shutdown, daemon=True, name="last spans")
        ending.start()
        ending.join(STOP_SECONDS)

    def _process(self, batch: Batch, at: int, context: Context | None) -> Span:
        from opentelemetry.trace import SpanKind

        now = time.time()
        about: dict[str, str | int] = {
            "messaging.system": "kafka",
            "messaging.operation.type": "process",
            "messaging.destination.name": batch.topic,
            "messaging.destination.partition.id": str(batch.partition),
            "messaging.kafka.offset": batch.offsets[at],
            "messaging.batch.message_count": len(batch),
            "rihla.waited_ms": max(round(now * 1000) - batch.timestamps[at], 0),
        }
        start = int(now * _NS)
        name = f"process {batch.topic}"
        return self._tracer.start_span(name, context or nowhere(), SpanKind.CONSUMER, about, None, start)

    def _sampled(self, batch: Batch) -> dict[int, Context | None]:
        """The records of a batch that carry a sampled trace, each with the context to go on from."""
        found: dict[int, Context | None] = {}
        for at, headers in batch.headers.items():
            if _has_trace(headers):
                context = self._context(_said(headers))
                if context is not None:
                    found[at] = context
        return found

    def _context(self, said: Mapping[str, str]) -> Context | None:
        """Where to go on from; None if that is no trace, or one that is not sampled."""
        from opentelemetry.trace import get_current_span

        if not said:
            return None
        context = self._propagator.extract(dict(said), nowhere())
        span = get_current_span(context).get_span_context()
        return context if span.is_valid and span.trace_flags.sampled else None

    def _span_of(self, headers: Headers) -> SpanContext | None:
        from opentelemetry.trace import get_current_span

        context = self._context(_said(headers))
        return None if context is None else get_current_span(context).get_span_context()

    def _chosen(self, count: int) -> list[int]:
        """Positions of the next `count` records that are sampled by chance. The cost is that of those chosen."""
        chosen: list[int] = []
        while self._skip < count:
            chosen.append(int(self._skip))
            self._skip += self._gap()
        self._skip -= count
        return chosen

    def _gap(self) -> float:
        """Distance to the next sampled record: geometrically distributed."""
        if self._share >= 1:
            return 1
        if self._share <= 0:
            return math.inf
        return int(math.log(1 - random.random()) / math.log1p(-self._share)) + 1


def tracing_of(settings: Settings, service: str) -> Tracing | None:
    """The Tracing that settings ask for: none by default. Raises RihlaError if OpenTelemetry is not installed."""
    return None if settings.trace_sample is None else Tracing(service, settings.trace_sample)


def _has_trace(headers: Headers) -> bool:
    return any(name == TRACEPARENT for name, _ in headers)


def _said(headers: Headers) -> dict[str, str]:
    return {name: value.decode("latin-1") for name, value in headers if name in (TRACEPARENT, TRACESTATE)}
