"""A key file that can't be used is the caller's mistake, not the nodes'."""

from pathlib import Path

import pytest

from tinycloud import Cloud, Group, InvalidInput
from tinycloud.drivers.local import Local

DAMAGED = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"


async def test_a_damaged_key_file(tmp_path: Path) -> None:
    """A damaged key raises `InvalidInput`, and no node is called unreachable for it."""
    key = tmp_path / "key"
    key.write_text(DAMAGED)
    key.chmod(0o600)
    async with Cloud([Group("worker", 2, Local())], name="damaged-key") as cloud:
        await cloud.launch()
        try:
            with pytest.raises(InvalidInput, match="private key"):
                await cloud.execute("true", keyfile=key)
            assert (await cloud.execute("true")).ok
        finally:
            await cloud.destroy()
