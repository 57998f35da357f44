"""The `hosts` driver keeps the contract of drivers."""

from collections.abc import Collection
from pathlib import Path

import pytest

from tinycloud import Driver
from tinycloud.drivers.hosts import Hosts
from tinycloud.store.folder import state_folder
from tinycloud.testing import DriverContract


class TestHosts(DriverContract):
    """Twenty hosts, of which the driver knows no more than their names."""

    @pytest.fixture(autouse=True)
    def _know_no_hosts(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))

    def driver(self) -> Driver:
        return Hosts("192.0.2.[1-20]", username="ada")

    async def leftovers(self, cluster: str) -> Collection[str]:
        return [path.name for path in state_folder().rglob(f"*{cluster}*")]
