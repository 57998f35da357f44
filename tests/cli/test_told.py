"""What a driver warns of while it works is told to the user, as it happens."""

import subprocess
import sys

import pytest

_WARNING = """
import logging
from tinycloud.cli import say
say.MANNER.quiet, say.MANNER.debug = {quiet}, {debug}
say.prepare()
logging.getLogger("tinycloud.drivers.aws.launching").warning("no t3.medium in %s", "us-east-1a")
logging.getLogger("tinycloud.drivers.aws.launching").info("all is well")
logging.getLogger("somebody.else").warning("look at me")
"""


@pytest.mark.parametrize(
    ("quiet", "debug", "lines"),
    [
        (False, False, ["no t3.medium in us-east-1a"]),
        (True, False, []),
        (
            False,
            True,
            [
                "WARNING tinycloud.drivers.aws.launching: no t3.medium in us-east-1a",
                "INFO tinycloud.drivers.aws.launching: all is well",
                "WARNING somebody.else: look at me",
            ],
        ),
    ],
)
def test_warnings_of_drivers_are_told(quiet: bool, debug: bool, lines: list[str]) -> None:
    """Each is one line, once; with --quiet there is none, and with --debug the log has it."""
    code = _WARNING.format(quiet=quiet, debug=debug)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == lines
    assert done.stdout == ""
