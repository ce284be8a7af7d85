"""Open spans of what is handled together, and how a trace goes on from them: to records, to steps, to timers.

Spans name topics, partitions and offsets; never a key, an identifier or a text. streams.tracing decides which records
have one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

Headers = Sequence[tuple[str, bytes]]
"""Headers of a record by which its trace goes on."""
Place = tuple[str, int, int]
"""Topic, partition and offset of a record."""
About = Mapping[str, str | int]
"""Attributes of a span."""

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
REMEMBERED = 10_000
"""Traces that a process keeps for what comes later; some 300 bytes each."""

K = TypeVar("K", bound=Hashable)


class Columns(Protocol):
    """What is asked of Records (streams.kafka.progress)."""

    topic: str

    @property
    def partitions(self) -> Sequence[int]: ...

    @property
    def offsets(self) -> Sequence[int]: ...


class Spans:
    """Open spans: of sampled records by place; of records that are to be sent, or of timers, by row."""

    def __init__(self, spans: Mapping[Any, Span], tracer: Tracer) -> None:
        self._spans, self._tracer = spans, tracer
        self._topics = {place[0] for place in spans if isinstance(place, tuple)}

    def headers(self) -> dict[Any, Headers]:
        """The headers by which each trace goes on, by place or row."""
        return {of: headers_of(span) for of, span in self._spans.items()}

    def of(self, records: Columns) -> dict[int, Headers]:
        """The headers by which the traces of records go on, by their position."""
        if records.topic not in self._topics:
            return {}
        found = self.headers()
        places = zip(records.partitions, records.offsets, strict=True)
        return {
            at: found[records.topic, partition, offset]
            for at, (partition, offset) in enumerate(places)
            if (records.topic, partition, offset) in found
        }

    def refuse(self, place: Place, reason: str) -> None:
        """Note that the record at a place became a dead letter, if it has a span."""
        if place in self._spans:
            self._spans[place].set_attribute("rihla.refused", reason)
            fail(self._spans[place], reason)

    @contextmanager
    def handling(self) -> Iterator[None]:
        """While the block runs these are the spans of `passed_on` and `step`; at its end they end, as failed if it
        raises."""
        token = _handling.set(self)
        try:
            yield
        except BaseException as error:
            for span in self._spans.values():
                fail(span, type(error).__name__)
            raise
        finally:
            _handling.reset(token)
            for span in self._spans.values():
                span.end()

    def children(self, name: str, about: About) -> Spans:
        """Spans, begun now, of a step on the way of each of these to somebody else: a database, a receiver."""
        from opentelemetry.trace import SpanKind, set_span_in_context

        return Spans(
            {
                of: self._tracer.start_span(name, set_span_in_context(span, nowhere()), SpanKind.CLIENT, about)
                for of, span in self._spans.items()
            },
            self._tracer,
        )


class Remembered(Generic[K]):
    """By what it is about: the trace that a later step is to be linked to, or goes on from. In memory, the last ones
    only: after a restart or a rebalance a step is traced without."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._headers: OrderedDict[K, Headers] = OrderedDict()
        self._most = most

    def __len__(self) -> int:
        return len(self._headers)

    def keep(self, about: K, headers: Headers) -> None:
        """Remember a trace; the oldest is forgotten where there are too many."""
        self._headers[about] = headers
        self._headers.move_to_end(about)
        if len(self._headers) > self._most:
            self._headers.popitem(last=False)

    def get(self, about: K) -> Headers | None:
        """The trace, if it is known."""
        return self._headers.get(about)

    def pop(self, about: K) -> Headers | None:
        """The trace, if it is known; it is forgotten."""
        return self._headers.pop(about, None)


_handling: ContextVar[Spans | None] = ContextVar("spans of the group that is handled", default=None)


def passed_on(records: Columns) -> dict[int, Headers]:
    """The headers by which the traces of records of the group that is handled go on, by position; usually none."""
    spans = _handling.get()
    return {} if spans is None else spans.of(records)


@contextmanager
def step(name: str, about: About) -> Iterator[dict[str, str] | None]:
    """A step that all records of the group that is handled take together: in each of their traces a span of its own.

    Yields the trace headers of one of those spans, for HTTP requests made in the block; None where none of the group is
    traced.
    """
    spans = _handling.get()
    if spans is None:
        yield None
        return
    children = spans.children(name, about)
    *_, last = children.headers().values()
    with children.handling():
        yield {said: value.decode("latin-1") for said, value in last} or None


def nowhere() -> Context:
    """A context without a span: what a library may have put into the current one is no parent of ours."""
    from opentelemetry.context import Context

    return Context()


def headers_of(span: Span) -> Headers:
    """The headers of a record that follows from what a span is about."""
    from opentelemetry.trace import format_span_id, format_trace_id

    context = span.get_span_context()
    if not context.is_valid:  # OTEL_SDK_DISABLED
        return ()
    parent = f"00-{format_trace_id(context.trace_id)}-{format_span_id(context.span_id)}-{context.trace_flags:02x}"
    state = context.trace_state.to_header()
    return [(TRACEPARENT, parent.encode()), *([(TRACESTATE, state.encode())] if state else [])]


def fail(span: Span, why: str) -> None:
    """Note that what a span is about has failed."""
    from opentelemetry.trace import Status, StatusCode

    span.set_status(Status(StatusCode.ERROR, why))
