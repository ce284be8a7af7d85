"""Which events are traced, and what a trace adds to a record."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace.export import SpanExportResult

from streams import tracing as under_test
from streams.kafka.batch_producer import RECORD_OVERHEAD, _with_room
from streams.settings import Settings, SettingsError
from streams.spans import Remembered, passed_on, step
from streams.tracing import MOST_OF_A_GROUP, Tracing, tracing_of

PARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Kept:
    """An exporter that keeps spans."""

    def __init__(self) -> None:
        self.spans: list[Any] = []

    def export(self, spans: Any) -> SpanExportResult:
        self.spans += spans
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None: ...

    def force_flush(self, timeout_millis: int = 0) -> bool:
        return True


def batch(count: int, headers: dict[int, list[tuple[str, bytes]]] | None = None, first: int = 100) -> Any:
    offsets = range(first, first + count)
    return SpanBatch(topic="cx.stay", partition=1, offsets=offsets, timestamps=[0] * count, headers=headers or {})


class SpanBatch(SimpleNamespace):
    def __len__(self) -> int:
        return len(self.offsets)


def records(count: int, first: int = 100) -> Any:
    return SimpleNamespace(topic="cx.stay", partitions=[1] * count, offsets=list(range(first, first + count)))


def begun(share: float) -> tuple[Tracing, Kept]:
    kept: Any = Kept()
    return Tracing("test", share, kept), kept


@given(st.lists(st.integers(0, 50), max_size=20), st.floats(0.05, 0.9), st.integers())
def test_batches_do_not_change_which_events_are_sampled(sizes: list[int], share: float, seed: int) -> None:
    """The events of several batches are sampled as those of one that holds them all, by the same chance."""

    def chosen(batches: list[int]) -> list[int]:
        tracing, _ = begun(share)
        under_test.random.seed(seed)
        tracing._skip = tracing._gap() - 1
        found, base = [], 0
        for size in batches:
            found += [base + at for at in tracing._chosen(size)]
            base += size
        tracing.close()
        return found

    assert chosen(sizes) == chosen([sum(sizes)])


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 1.0])
def test_the_share_is_the_share(share: float) -> None:
    tracing, _ = begun(share)
    under_test.random.seed(7)
    tracing._skip = tracing._gap() - 1
    found = sum(len(tracing._chosen(100)) for _ in range(1000))
    tracing.close()
    assert abs(found - share * 100_000) <= 5 * (100_000 * share * (1 - share)) ** 0.5


@pytest.mark.parametrize(
    "said",
    [b"", b"00", b"garbage", PARENT[:-2] + b"00", b"ff" + PARENT[2:], b"00-" + b"0" * 32 + PARENT[35:], b"\xff\xfe"],
)
def test_what_is_no_sampled_trace_is_not_followed(said: bytes) -> None:
    """And a producer's decision not to sample holds, where enrich would sample everything."""
    tracing, kept = begun(1.0)
    assert tracing.group([batch(1, {0: [("traceparent", said)]})], begins=True) is None
    tracing.close()
    assert not kept.spans


def test_a_trace_goes_on_in_what_follows() -> None:
    tracing, kept = begun(0.0)
    spans = tracing.group([batch(3, {1: [("other", b"x"), ("traceparent", PARENT), ("tracestate", b"v=1")]})])
    assert spans is not None
    assert passed_on(records(3)) == {}
    with spans.handling():
        ((at, headers),) = passed_on(records(3)).items()
        assert passed_on(records(3, first=500)) == {}
    assert passed_on(records(3)) == {}
    tracing.close()
    (span,) = kept.spans
    own = f"{span.context.span_id:016x}".encode()
    assert (at, headers) == (1, [("traceparent", PARENT[:36] + own + b"-01"), ("tracestate", b"v=1")])
    assert f"{span.parent.span_id:016x}".encode() == PARENT[36:52]
    assert span.attributes["messaging.kafka.offset"] == 101


def test_a_step_is_a_child_of_each_span_and_goes_on_in_whoever_is_asked() -> None:
    tracing, kept = begun(0.0)
    with step("insert t", {"rihla.rows": 1}) as asked:
        assert asked is None, "nothing is handled"
    spans = tracing.group([batch(2, {at: [("traceparent", PARENT), ("tracestate", b"v=1")] for at in range(2)})])
    assert spans is not None
    with spans.handling(), step("insert t", {"rihla.rows": 2}) as asked:
        assert asked is not None
    assert passed_on(records(2)) == {}
    tracing.close()
    *steps, one, two = kept.spans
    assert {span.parent.span_id for span in steps} == {one.context.span_id, two.context.span_id}
    assert asked == {"traceparent": f"{PARENT[:36].decode()}{steps[-1].context.span_id:016x}-01", "tracestate": "v=1"}


def test_timers_begin_traces_linked_to_those_that_set_them() -> None:
    """Of the others the share is sampled: none here; the next, all."""
    tracing, kept = begun(0.0)
    spans = tracing.timers("timer t", [None, [("traceparent", PARENT)], None])
    assert spans is not None
    assert spans.headers().keys() == {1}
    with spans.handling():
        pass
    assert tracing.timers("timer t", [None]) is None
    tracing.close()
    (span,) = kept.spans
    assert span.parent is None
    assert [f"{link.context.trace_id:032x}" for link in span.links] == [PARENT[3:35].decode()]
    assert span.context.trace_id != span.links[0].context.trace_id
    every, _ = begun(1.0)
    spans = every.timers("timer t", [None] * (MOST_OF_A_GROUP + 1))
    assert spans is not None
    assert spans.headers().keys() == set(range(MOST_OF_A_GROUP))
    every.close()


def test_what_is_remembered_is_bounded() -> None:
    remembered = Remembered[int](most=2)
    for about in (1, 2, 1, 3):
        remembered.keep(about, [("traceparent", b"%d" % about)])
    assert [remembered.get(about) is not None for about in (1, 2, 3)] == [True, False, True]
    assert remembered.pop(1) is not None
    assert len(remembered) == 1


def test_what_raises_has_failed() -> None:
    tracing, kept = begun(1.0)
    spans = tracing.group([batch(2)], begins=True)
    assert spans is not None
    with pytest.raises(ZeroDivisionError), spans.handling():
        _ = 1 / 0
    tracing.close()
    assert [(span.status.status_code.name, span.status.description) for span in kept.spans] == [
        ("ERROR", "ZeroDivisionError")
    ] * 2


def test_the_cost_of_a_group_is_bounded() -> None:
    tracing, kept = begun(1.0)
    spans = tracing.group([batch(5000), batch(5000)], begins=True)
    assert spans is not None
    with spans.handling():
        pass
    tracing.close()
    assert len(kept.spans) == MOST_OF_A_GROUP


def test_headers_never_make_a_record_too_large() -> None:
    single = {0: [("traceparent", PARENT)], 1: [("traceparent", PARENT)]}
    room = 1000
    fits = b"x" * (room - len("traceparent") - len(PARENT) - 10)
    assert _with_room(room, [b"", b""], [fits, fits + b"x"], single) == {0: single[0]}
    assert RECORD_OVERHEAD >= 90


def test_off_by_default_and_refused_in_a_sentence() -> None:
    assert tracing_of(Settings(), "enrich") is None
    with pytest.raises(SettingsError, match=r"trace_sample: 1\.5 is not between 0 and 1"):
        Settings(trace_sample=1.5)
    program = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from streams.settings import Settings\nfrom streams.tracing import tracing_of\n"
        "try: tracing_of(Settings(trace_sample=0.1), 'enrich')\n"
        "except Exception as error: print(type(error).__name__, error.hint)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "RihlaError pip install 'rihla[otel]'", done.stderr


def test_opentelemetry_can_be_switched_off_by_its_own_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    tracing, kept = begun(1.0)
    spans = tracing.group([batch(1)], begins=True)
    assert spans is not None
    with spans.handling():
        assert not passed_on(records(1))[0], "no header"
    tracing.close()
    assert not kept.spans
