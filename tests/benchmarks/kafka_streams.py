"""The stitch job on Kafka Streams (peers/kafka_streams), built by Maven where there is Java."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from schemas.records import raw

PROJECT = Path(__file__).parent / "peers" / "kafka_streams"
ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "build" / "kafka_streams"
RECORDS = ("interaction", "journey", "customer", "case", "move")
TUNED_JVM = ("-XX:+UseSerialGC", "-Dorg.apache.avro.specific.use_custom_coders=true")
TUNED = (
    "max.poll.records=8000",
    "linger.ms=100",
    "batch.size=1048576",
    "buffer.memory=134217728",
    "statestore.cache.max.bytes=268435456",
)
"""Large batches, and a cache that holds what is folded between two commits."""


class BuildError(RuntimeError):
    """Maven could not build the peer."""


def available() -> bool:
    """Whether there are Java and Maven."""
    return all(shutil.which(command) for command in ("java", "mvn"))


def build() -> None:
    """Compile it, with its libraries beside it. Raises BuildError."""
    schemas = BUILT / "avro"
    schemas.mkdir(parents=True, exist_ok=True)
    for name in RECORDS:
        (schemas / f"{name}.avsc").write_text(json.dumps(without_logical_types(raw(name))))
    done = subprocess.run(
        ["mvn", "--batch-mode", "--quiet", "--file", str(PROJECT / "pom.xml"), "package"],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise BuildError(f"Maven could not build {PROJECT}: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def without_logical_types(schema: Any) -> Any:
    """A schema whose times are plain numbers: Avro's compiler generates coders for no record with logical types. The
    fingerprint is the same."""
    if isinstance(schema, list):
        return [without_logical_types(each) for each in schema]
    if isinstance(schema, dict):
        return {key: without_logical_types(value) for key, value in schema.items() if key != "logicalType"}
    return schema


def command(brokers: str, prefix: str, folder: Path, tuned: bool) -> list[str]:
    """The command line of the peer."""
    return [
        *("java", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", *(TUNED_JVM if tuned else ())),
        *("-cp", f"{BUILT / 'classes'}:{BUILT / 'lib'}/*", "peer.Stitch"),
        *(brokers, prefix, str(folder), str(ROOT)),
        *(TUNED if tuned else ()),
    ]
