"""The `local` driver keeps the contract."""

from collections.abc import Collection
from pathlib import Path

import psutil
import pytest

from tinycloud import Driver, Node
from tinycloud.drivers.local import Local
from tinycloud.testing import DriverContract


class TestLocal(DriverContract):
    """Real processes with real SSH servers, in a state folder of each test's own."""

    ssh = True
    state: Path

    @pytest.fixture(autouse=True)
    def _know_the_state(self, state: Path) -> None:
        self.state = state

    def driver(self) -> Driver:
        return Local()

    async def lose(self, node: Node) -> None:
        for process in psutil.process_iter():
            if node.port in _ports(process):
                process.kill()

    async def leftovers(self, cluster: str) -> Collection[str]:
        files = [str(path) for path in self.state.rglob("*")]
        return files + [f"process {p.pid}" for p in psutil.process_iter() if self._has(p, cluster)]

    def _has(self, process: psutil.Process, cluster: str) -> bool:
        try:
            return (
                process.environ().get("TINYCLOUD_CLUSTER") == cluster
                or str(self.state) in process.cwd()
            )
        except (psutil.Error, OSError):
            return False


def _ports(process: psutil.Process) -> set[int]:
    try:
        found = process.net_connections("tcp")
    except (psutil.Error, OSError):
        return set()
    return {c.laddr.port for c in found if c.status == psutil.CONN_LISTEN}
