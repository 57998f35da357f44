"""The drivers that other tests use keep the contract."""

import pytest
from machines import Memory, MemoryContract, MemoryNode, Provider, Troubled

from tinycloud import Driver, PerNode


class InMemory(MemoryContract):
    """Gives each test a provider of its own."""

    @pytest.fixture(autouse=True)
    def _account(self) -> None:
        self.provider = Provider()


class TestMemory(InMemory):
    """A driver of groups."""

    def driver(self) -> Driver:
        return Memory(self.provider)


class TestPerNode(InMemory):
    """A driver of groups made of drivers of single machines."""

    def driver(self) -> Driver:
        return PerNode(lambda spec, index: MemoryNode(self.provider, spec, index))


class TestTroubled(InMemory):
    """A driver that could get into trouble, and does not."""

    def driver(self) -> Driver:
        return Troubled(Memory(self.provider))
