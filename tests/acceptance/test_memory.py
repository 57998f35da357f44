"""Memory stays bounded whatever a node prints."""

import subprocess
from pathlib import Path

import pytest
from cli.running import MEASURED

MB = 1_000_000
MEBIBYTES = 143
"""Less than 150 MB."""

LINES, NO_LINES = "yes some words | head -c {}", "head -c {} /dev/zero"


def peak(process: "subprocess.Popen[bytes]") -> int:
    """Return the peak memory of a program, in MiB, once it has ended well."""
    _, told = process.communicate()
    assert process.returncode == 0, told
    return int(told.splitlines()[-1])


@pytest.mark.parametrize("command", [LINES, NO_LINES], ids=["lines", "zeros"])
@pytest.mark.parametrize("size", [300 * MB, pytest.param(1000 * MB, marks=pytest.mark.exhaustive)])
@pytest.mark.usefixtures("rack")
def test_output_of_a_gigabyte(command: str, size: int) -> None:
    """1 GB of output passes through less than 150 MB, in a pipe."""
    words = ["execute", "rack", "worker", "0", "-e", command.format(size)]
    process = subprocess.Popen([*MEASURED, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    taken = 0
    while data := process.stdout.read(MB):
        taken += len(data)
    assert peak(process) < MEBIBYTES
    assert taken >= size


@pytest.mark.usefixtures("rack")
@pytest.mark.parametrize("words", [["--json"], ["--gather"], ["--events"]], ids=str)
def test_output_that_is_told_otherwise(words: list[str], tmp_path: Path) -> None:
    """200 MB stay out of memory as well where results are kept until the end."""
    command = LINES.format(200 * MB)
    where = ("worker", "0", "--output-dir", str(tmp_path))
    process = subprocess.Popen(
        [*MEASURED, "execute", "rack", *where, *words, "-e", command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert peak(process) < MEBIBYTES
    assert (tmp_path / "worker-0.out").stat().st_size == 200 * MB
