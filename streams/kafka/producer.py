"""Faust's producer, as workers need it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from faust.transport.drivers import aiokafka as driver

from streams.kafka.consumer_thread import be_patient, faust_log


class Producer(driver.Producer):  # type: ignore[misc]
    """Faust's producer; what workers write goes through the aiokafka producer inside (streams.kafka.batch_producer)."""

    logger = faust_log

    def _settings_extra(self) -> Mapping[str, Any]:
        """Options of aiokafka: idempotent, so that the broker drops a batch that was sent again after a cut connection,
        however late the first copy comes. In a changelog or a compacted topic that copy, behind newer ones, would be
        the latest of its keys.

        Not on the embedded broker: it is on this machine, and its producer ids have not been tried.
        """
        if getattr(self.app, "embedded", False):
            return dict(super()._settings_extra())
        return {"acks": "all", "enable_idempotence": True}

    async def on_start(self) -> None:
        await super().on_start()
        be_patient(self._ensure_producer().client)
