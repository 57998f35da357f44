"""How much is under way at once: shared by all nodes, so that it stays bounded for many."""

import asyncio
from dataclasses import dataclass, field

FILES_PER_NODE = 8
"""Files under way at once to or from one node: each waits for answers most of the time."""

FOLDERS_PER_NODE = 4
"""Folders that are read at once from one node."""

REQUESTS_PER_FILE = 16
"""Requests under way at once for one large file: 4 MiB, what a long fast line holds."""


@dataclass(frozen=True, slots=True)
class Windows:
    """What there may be at once: open files, open folders, and blocks of 256 KiB in memory."""

    files: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(128))
    folders: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(64))
    blocks: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(192))
