"""Makes what the routes schedule, from ClickHouse: reports, and targets that were missed. Blocking: for a thread."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from streams.deliver.schedule import Slot
from streams.report.asking import asking
from streams.report.content import content
from streams.report.page import page, summary, title_of
from streams.report.parts import Words
from streams.report.pdf import PrintError, printed
from streams.report.period import Period, ended
from streams.settings import Settings

TIMEOUT = 120.0
"""Seconds without an answer of ClickHouse after which it is tried again later."""
RECENT_MS = 30 * 86_400_000
"""Breaches that were first seen longer ago are not sent: by then deliver may have forgotten that it sent them."""
MOST = 700_000
"""Bytes of a document in the state; a larger one goes out as its summary alone."""
_PERIODS = "2"  # the one that runs, and the one before, whose last answers come late
_DELIVERED = """
    SELECT thing_id, target, max(thing_version) FROM deliveries
    WHERE kind = {kind:String} AND has({ids:Array(String)}, thing_id) AND status = 'delivered'
    GROUP BY thing_id, target
"""

log = logging.getLogger(__name__)


class Breach(NamedTuple):
    """A target that was missed, as a thing to tell of; known: target -> the version that it has accepted."""

    id: str
    thing: dict[str, Any]
    known: Mapping[str, int]


class Maker:
    """Asks the server that the settings name, over a connection that is closed again."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def _client(self) -> Any:
        from sinks.clickhouse.client import connect

        return connect(self._settings.clickhouse_endpoint, self._settings.database, timeout=TIMEOUT)

    def known(self, kind: str, ids: Collection[str]) -> dict[str, dict[str, int]]:
        """Of things, what was delivered, by cx.deliveries: id -> target -> version. For who has lost their state."""
        with self._client() as client:
            return _known(client, kind, ids)

    def report(self, slot: Slot, period: Period, now: int) -> dict[str, Any]:
        """The report of a period as a thing to tell of. now: epoch ms."""
        before, words, clear = ended(slot.report.period, period.since), Words(slot.language), slot.report.identifiers
        with self._client() as client:
            told = content(asking(client), period, before, slot.unit)
        text = page(told, slot.language, datetime.fromtimestamp(now / 1000, UTC), clear)
        data, file = text.encode(), (f"{slot.report.name}-{period.since}.html", "text/html")
        if slot.report.attach == "pdf":
            try:
                data, file = printed(text), (f"{slot.report.name}-{period.since}.pdf", "application/pdf")
            except PrintError as error:
                log.warning("the report %s goes out as HTML: %s", slot.id, error)
        document = zlib.compress(data)
        if len(document) > MOST:
            log.warning("the report %s has %d bytes: its summary goes out alone", slot.id, len(document))
        return {
            "report_id": slot.id,
            "report": slot.report.name,
            "period": slot.report.period,
            "unit": slot.unit or None,
            "language": slot.language,
            "since": str(period.since),
            "last": str(period.until - timedelta(days=1)),
            "title": title_of(slot.unit, words),
            "summary": summary(told, words),
            "customer_id": "",
            "made_at": now,
            **({"document": document, "file": file} if len(document) <= MOST else {}),
        }

    def breaches(self, now: int) -> list[Breach]:
        """Targets that were missed beyond doubt, as far as they may be news; writes those down that nobody has seen."""
        from streams.targets import store
        from streams.targets.breaches import breaches

        with self._client() as client:
            found = breaches(store.judged(client, {"periods": _PERIODS}))
            if not found:
                return []
            store.observe(client, found, now)
            seen = store.observed(client, [one.breach_id for one in found])
            recent = [one for one in found if seen.get(one.breach_id, now) > now - RECENT_MS]
            known = _known(client, "breach", [one.breach_id for one in recent])
        return [
            Breach(
                one.breach_id,
                {
                    "breach_id": one.breach_id,
                    "metric": one.metric,
                    "unit": one.unit or None,
                    "period": one.period,
                    "starts": str(one.starts),
                    "wanted": one.target,
                    "actual": one.actual,
                    "low": one.low,
                    "high": one.high,
                    "n": one.n,
                    "reason": one.sentence,
                    "customer_id": "",
                    "observed_at": seen.get(one.breach_id, now),
                },
                known.get(one.breach_id, {}),
            )
            for one in recent
        ]


def _known(client: Any, kind: str, ids: Collection[str]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    if ids:
        for id_, target, version in client.query(_DELIVERED, {"kind": kind, "ids": [*ids]}).result_rows:
            found.setdefault(str(id_), {})[str(target)] = int(version)
    return found
