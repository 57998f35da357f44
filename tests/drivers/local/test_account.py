"""The user that nodes belong to."""

import os
import pwd
from collections.abc import Callable

import pytest

from tinycloud.drivers.local import account


def _found(shell: str) -> Callable[[int], pwd.struct_passwd]:
    return lambda number: pwd.struct_passwd(("ada", "x", number, number, "", "/home/ada", shell))


@pytest.mark.parametrize(
    ("shell", "taken"),
    [("/bin/bash", "/bin/bash"), ("/no/such/shell", "/bin/sh"), ("/usr/sbin/nologin", "/bin/sh")],
)
def test_account(monkeypatch: pytest.MonkeyPatch, shell: str, taken: str) -> None:
    """The login shell is the user's own, where one can work with it."""
    monkeypatch.setattr(pwd, "getpwuid", _found(shell))
    assert account.username.__wrapped__() == "ada"
    assert account.login_shell.__wrapped__() == taken


def test_nameless_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number without a name will do, as in a container."""

    def nobody(number: int) -> None:
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert account.username.__wrapped__() == str(os.getuid())
    assert account.login_shell.__wrapped__() == "/bin/sh"
