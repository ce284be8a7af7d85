"""The deliver worker on the embedded broker: alerts to a receiver that fails, a dead target beside it, killed in
mid-flight."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from streams.clock import now_ms
from streams.kafka.topics import ensure_topics
from tests.support.brokers import Broker, until
from tests.support.deliveries import ALERT, NEXT
from tests.support.delivering import alert, deliver, deliveries, in_order, publish, write_routes
from tests.support.receiver import Receiver, receiving
from tests.support.waiting import PATIENCE
from tests.support.workers import producing


def test_a_receiver_that_fails_twice_and_a_dead_one_beside_it(
    embedded_broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    settings = embedded_broker.settings(topic_prefix, partitions=2, session_timeout=6.0)

    async def trial() -> None:
        await ensure_topics(settings)
        failing = {0: (500, {}), 1: (429, {"Retry-After": "1"})}
        async with (
            receiving(lambda number: failing.get(number, (200, {}))) as receiver,
            producing(settings) as producer,
        ):
            write_routes(tmp_path, receiver.url, 'retry = { first = "1s", longest = "1s", give_up_after = "2s" }')
            async with deliveries(settings) as told:
                await publish(producer, settings, "alerts", "alert", ["a1"] * 3, [alert(1, n) for n in (1, 2, 3)])
                with deliver(settings, tmp_path):
                    await until(lambda: len(receiver.taken) >= 3, PATIENCE, "the receiver")
                    assert in_order(receiver) == {"a1": [1, 2, 3]}
                    assert {request.key for request in receiver.requests[:3]} == {"alert.a1.1"}
                    assert receiver.requests[2].at - receiver.requests[1].at >= 900, "the pause that it asked for"
                    assert [request.body["type"] for request in receiver.taken][-1] == "alert.closed"
                    await until(
                        lambda: {told.get(("living", "a1", n), {}).get("status") for n in (1, 2, 3)} == {"delivered"},
                        PATIENCE,
                        "the deliveries",
                    )
                    await until(
                        lambda: told.get(("dead", "a1", 1), {}).get("status") == "dead", PATIENCE, "the dead delivery"
                    )
                    assert told["dead", "a1", 1]["error"]
                    # An alert that comes meanwhile does not wait for the dead target.
                    await publish(producer, settings, "alerts", "alert", ["a2"], [alert(2, 1)])
                    await until(lambda: "a2" in in_order(receiver), PATIENCE, "the second alert")
                with deliver(settings, tmp_path) as again:  # what was told is not told again
                    await publish(producer, settings, "alerts", "alert", ["a1", "a3"], [alert(1, 3), alert(3, 1)])
                    await until(lambda: "a3" in in_order(receiver), PATIENCE, "the third alert")
                    assert sum(request.key == "alert.a1.3" for request in receiver.taken) == 1
                    again.send_signal(signal.SIGTERM)
                    assert again.wait(PATIENCE) == 0

    asyncio.run(trial())


async def test_forty_three_pilgrims_of_one_bus_are_one_message(
    memory_broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    settings = memory_broker.settings(topic_prefix, partitions=2, session_timeout=6.0)
    await ensure_topics(settings)
    async with receiving() as receiver, producing(settings) as producer:
        write_routes(tmp_path, receiver.url)
        with (tmp_path / "routes.toml").open("a") as file:
            file.write('[[storms]]\nhold = "2s"\nevery = "1s"\n')
        bus = [
            {**ALERT, "alert_id": f"{number:032x}", "customer_id": f"P{number}", "unit": "BUS-7"}
            for number in range(43)
        ]
        keys = [row["alert_id"] for row in bus]
        with deliver(settings, tmp_path):
            few = [{**row, "alert_id": f"{number + 100:032x}", "unit": "BUS-8"} for number, row in enumerate(bus[:2])]
            await publish(
                producer, settings, "alerts", "alert", keys[:23] + [row["alert_id"] for row in few], bus[:23] + few
            )
            await until(lambda: len(receiver.taken) >= 1, PATIENCE, "something to be told")
        with deliver(settings, tmp_path):  # killed in between
            await publish(producer, settings, "alerts", "alert", keys[23:], bus[23:])

            def all_are_members() -> bool:
                return any(request.body["data"].get("customers") == 43 for request in receiver.taken)

            await until(all_are_members, PATIENCE, "the incident to have all members")
            closed = [{**row, "version": 2, "closed_at": now_ms()} for row in bus]
            await publish(producer, settings, "alerts", "alert", keys, closed)

            def is_over() -> bool:
                return receiver.taken[-1].body["type"] == "incident.closed"

            await until(is_over, PATIENCE, "the incident to be over")
            await until(lambda: len(alone(receiver)) == 2, PATIENCE, "the two of the other bus")
        incidents = [request for request in receiver.taken if request.body["data"]["kind"] == "incident"]
        assert len({request.body["data"]["id"] for request in incidents}) == 1
        assert len({request.key for request in incidents}) <= 5, "no message each"
        assert {data["unit"] for data in alone(receiver)} == {"BUS-8"}
        assert "P1" not in str(incidents[0].body)


async def test_next_actions_wait_for_their_time_and_are_taken_back(
    memory_broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    settings = memory_broker.settings(topic_prefix, partitions=2, session_timeout=6.0)
    await ensure_topics(settings)
    soon = {**NEXT["actions"][0], "ends_at": None}
    later = {**NEXT["actions"][1], "begins_at": now_ms() + 3_600_000}

    def record(customer: str, version: int, *actions: dict[str, Any]) -> dict[str, Any]:
        return {"customer_id": customer, "actions": [tuple(one.values()) for one in actions], "version": version}

    async with receiving() as receiver, producing(settings) as producer:
        write_routes(tmp_path, receiver.url)
        text = (tmp_path / "routes.toml").read_text()
        only = '[[routes]]\nto = ["living"]\nkinds = ["next_action"]\nidentifiers = true\n'
        (tmp_path / "routes.toml").write_text(text[: text.index("[[routes]]")] + only)

        async def say(*rows: dict[str, Any]) -> None:
            await publish(
                producer, settings, "next-actions", "next_action", [row["customer_id"] for row in rows], [*rows]
            )

        with deliver(settings, tmp_path):
            await say(record("C-1", 1, later), record("C-2", 1, soon), record("C-3", 1, later))
            await until(lambda: len(receiver.taken) == 1, PATIENCE, "the one that is due")
        with deliver(settings, tmp_path):  # killed in between
            await say(record("C-1", 2, soon), record("C-2", 2), record("C-3", 2), record("C-4", 1, soon))
            told = {("C-2", "proposed"), ("C-1", "proposed"), ("C-2", "withdrawn"), ("C-4", "proposed")}

            def found() -> set[tuple[str, str]]:
                data = [request.body["data"] for request in receiver.taken]
                return {(one["customer_id"], one["state"]) for one in data}

            await until(lambda: found() >= told, PATIENCE, "what is due now, and what is over")
            assert found() == told, "of the third nothing was ever due"
        keys = [request.key for request in receiver.taken]
        assert len({*keys}) == 4
        assert all(key.startswith("next_action.") and "C-" not in key for key in keys)


def alone(receiver: Receiver) -> list[dict[str, Any]]:
    """The alerts that were told by themselves."""
    return [request.body["data"] for request in receiver.taken if request.body["data"]["kind"] == "alert"]


@pytest.mark.slow
def test_killed_in_mid_flight_nothing_is_missed_and_the_order_holds(
    embedded_broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    from tests.faults.deliver_trial import trial

    result = asyncio.run(trial(embedded_broker.settings(topic_prefix, partitions=2, session_timeout=6.0), tmp_path, 1))
    assert result.good, result.line()
