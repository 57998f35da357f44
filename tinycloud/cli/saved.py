"""Output of each node in files of its own: `DIR/NODE.out` and `DIR/NODE.err`."""

import os
from contextlib import suppress
from pathlib import Path

from ..cloud import Stage, Step
from ..errors import InvalidInput, MachineError
from ..node import Node
from ..result import Output, Result
from ..store.folder import SHORTAGES
from .outlet import Outlet

_ENDINGS = {"stdout": "out", "stderr": "err"}
_FRESH = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Saved:
    """Writes every byte that nodes print into files, private (0600) and made anew.

    What was there under such a name is removed first, never written to: so no link
    that others may have put there leads anywhere.
    """

    def __init__(self, path: Path, outlet: Outlet) -> None:
        self._path = path
        self._outlet = outlet
        self._folder = _folder(path)
        self._files: dict[tuple[str, str], _File] = {}

    def report(self, step: Step) -> None:
        """Remove what an earlier run left of a node that it will be."""
        if step.stage is Stage.PLANNED:
            for stream in _ENDINGS:
                self._remove(_file_name(step.node, stream))

    async def feed(self, output: Output) -> None:
        """Take a piece of output."""
        await self._outlet.put(self._file(output.node, output.stream).write, output.data)

    async def finish(self, result: Result) -> None:
        """Close a node's files; make those that nothing came for."""
        for stream in _ENDINGS:
            await self._outlet.put(self._file(result.node, stream).close, b"")
            del self._files[result.node.name, stream]

    async def end(self) -> None:
        """Close all files."""
        for file in self._files.values():
            await self._outlet.put(file.close, b"")
        self._files.clear()
        await self._outlet.flush()
        os.close(self._folder)

    def _file(self, node: Node, stream: str) -> "_File":
        key = node.name, stream
        if key not in self._files:
            name = _file_name(*key)
            self._files[key] = _File(self._path / name, name, self._folder)
        return self._files[key]

    def _remove(self, name: str) -> None:
        try:
            os.unlink(name, dir_fd=self._folder)
        except FileNotFoundError:
            return
        except OSError as problem:
            raise InvalidInput(
                f"can't replace {self._path / name}",
                cause=problem.strerror or str(problem),
                fix="move it out of the way, or give --output-dir another folder",
            ) from problem


def _file_name(node: str, stream: str) -> str:
    return f"{node}.{_ENDINGS[stream]}"


class _File:
    """A file that is made with the first that is written to it; for the outlet's thread."""

    def __init__(self, path: Path, name: str, folder: int) -> None:
        self._path = path
        self._name = name
        self._folder = folder
        self._descriptor = -1

    def write(self, data: bytes) -> None:
        try:
            self._open()
            left = memoryview(data)
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError as problem:
            raise self._failure(problem) from problem

    def close(self, _: bytes) -> None:
        try:
            self._open()
            os.close(self._descriptor)
        except OSError as problem:
            raise self._failure(problem) from problem

    def _open(self) -> None:
        if self._descriptor >= 0:
            return
        with suppress(FileNotFoundError):  # whatever came there in the meantime
            os.unlink(self._name, dir_fd=self._folder)
        self._descriptor = os.open(self._name, _FRESH, 0o600, dir_fd=self._folder)

    def _failure(self, problem: OSError) -> MachineError:
        return MachineError(
            f"can't write {self._path}",
            cause=problem.strerror or str(problem),
            fix=SHORTAGES.get(problem.errno or 0, "give --output-dir a folder that you may use"),
        )


def _folder(path: Path) -> int:
    """Return a descriptor of the folder, made private (0700) if it is not there."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(13, "it can't be written to")
    except OSError as problem:
        raise InvalidInput(
            f"can't use the folder {path}",
            cause=problem.strerror or str(problem),
            fix="give --output-dir a folder that you may write to",
        ) from problem
    return descriptor
