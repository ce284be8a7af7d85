"""A managed Apache Kafka: one JVM, broker and controller in one (KRaft), its log in a folder that survives it.

The jars come from Maven Central, by `deploy/kafka/pom.xml`, into `deploy/kafka/lib`; RIHLA_KAFKA_LIB names another
folder.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import uuid
from collections.abc import Sequence
from pathlib import Path

from streams.embedded.broker import BrokerError, BrokerProcess
from streams.embedded.ports import HOST, free_ports

JARS_VARIABLE = "RIHLA_KAFKA_LIB"
POM = Path(__file__).resolve().parents[2] / "deploy" / "kafka" / "pom.xml"
HEAP = "512m"
MAVEN_SECONDS = 600
FORMAT_SECONDS = 600
OUTPUT_SHOWN = 2000  # characters of what a program that failed has said

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
# Topics are made by name (streams.kafka.topics): a misspelt one must not appear by itself.
auto.create.topics.enable=false
# One node: nothing can be replicated, and nobody else is worth waiting for.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
message.max.bytes=16777216
log.cleaner.dedupe.buffer.size=16777216
num.network.threads=2
num.io.threads=2
num.recovery.threads.per.data.dir=2
"""

LOGGING = """\
status=warn
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d %p %m (%c)%n
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
"""


class Kafka(BrokerProcess):
    """An Apache Kafka broker on this machine.

    folder: takes its log segments, its properties and what it prints; one that holds a log is gone on with.
    jars: folder of the jars; ensure_jars() by default. port: any free one by default.
    """

    name = "the managed Kafka"
    stop_seconds = 300.0  # killed before its end, it checks all its segments at the next start
    heap = HEAP

    def __init__(self, folder: Path, jars: Path | None = None, port: int | None = None) -> None:
        super().__init__(folder / "kafka.log", port)
        self.folder = folder
        self._jars = jars

    def command(self) -> Sequence[str]:
        """See BrokerProcess.command; writes the properties, and formats the folder when it is new."""
        properties = self._configure()
        if not (self.folder / "data" / "meta.properties").exists():
            self._format(properties)
        return [*self._java(), f"-Xmx{self.heap}", f"-Xms{self.heap}", "kafka.Kafka", str(properties)]

    def _configure(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "log4j2.properties").write_text(LOGGING)
        properties = self.folder / "server.properties"
        # The controller's port may differ from start to start: it alone votes, and the voters stand in this file.
        ports = free_ports(1)
        properties.write_text(
            PROPERTIES.format(host=HOST, port=self.port, controller_port=ports[0], data=self.folder / "data")
        )
        return properties

    def _format(self, properties: Path) -> None:
        # An id may begin with a hyphen, which by itself would be taken for an option.
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        command = [*self._java(), "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(properties)]
        code, said = _run(command, FORMAT_SECONDS)
        if code:
            raise BrokerError(f"{self.name}: its folder {self.folder} could not be formatted: {said}")

    def _java(self) -> list[str]:
        java = shutil.which("java")
        if java is None:
            raise BrokerError(f"{self.name} needs Java 17 or later (no `java` on the PATH)")
        jars = ensure_jars() if self._jars is None else self._jars
        logging = f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}"
        return [java, "-XX:+UseSerialGC", logging, "-cp", f"{jars}/*"]


def ensure_jars() -> Path:
    """Folder of Kafka's jars: RIHLA_KAFKA_LIB, or deploy/kafka/lib, resolved with Maven when it is empty.

    Raises BrokerError with what to do when there are none and they cannot be had.
    """
    named = os.environ.get(JARS_VARIABLE)
    if named:
        if not _has_kafka(Path(named)):
            raise BrokerError(f"{JARS_VARIABLE}={named} holds no kafka_*.jar")
        return Path(named)
    folder = POM.parent / "lib"
    if _has_kafka(folder):
        return folder
    maven = shutil.which("mvn")
    if not POM.exists() or maven is None:
        what = "Maven (`mvn`) to fetch Kafka's jars" if POM.exists() else "the source tree's deploy/kafka/pom.xml"
        raise BrokerError(f"the managed Kafka needs {what}, or {JARS_VARIABLE} to name a folder of them")
    command = [maven, "-B", "-q", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
    code, said = _run(command, MAVEN_SECONDS)
    if code or not _has_kafka(folder):
        raise BrokerError(f"Maven could not fetch Kafka's jars: {said}")
    return folder


def _run(command: Sequence[str], seconds: float) -> tuple[int, str]:
    """Exit status of a program and the end of its output; the program is ended after this many seconds."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return -1, f"it took longer than {seconds:.0f} s"
    return done.returncode, (done.stdout + done.stderr).strip()[-OUTPUT_SHOWN:]


def _has_kafka(folder: Path) -> bool:
    return any(folder.glob("kafka_*.jar"))
