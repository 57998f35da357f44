"""The cluster's own login key."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tinycloud.errors import InvalidInput
from tinycloud.store.keys import login_key, make_login_key
from tinycloud.store.openssh import check_public_key, public_half


def test_a_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    """The key is one file that we alone can read; asked for again it is the same."""
    made = make_login_key(tmp_path, "tinycloud-voltron")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["key"]
    assert make_login_key(tmp_path, "tinycloud-voltron") == made
    assert login_key(tmp_path, "tinycloud-voltron") == made
    assert made.private == (tmp_path / "key").read_bytes()


def test_the_public_half_is_what_openssh_says(
    tmp_path: Path, program: Callable[[str], str]
) -> None:
    """ssh-keygen reads the same public key from the file."""
    made = make_login_key(tmp_path, "tinycloud-voltron")
    command = [program("ssh-keygen"), "-y", "-f", str(tmp_path / "key")]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert said.split()[:2] == made.public.split()[:2]
    assert made.public.split()[2] == "tinycloud-voltron"


def test_the_private_half_is_never_shown(tmp_path: Path) -> None:
    """A key's repr names the public half alone."""
    made = make_login_key(tmp_path, "x")
    assert "PRIVATE" not in repr(made)
    assert made.public in repr(made)


def test_a_key_that_was_never_made_is_none(tmp_path: Path) -> None:
    """No file is no key; only a damaged file is an error."""
    assert login_key(tmp_path, "x") is None


def test_a_key_cut_at_any_byte_is_damaged(tmp_path: Path) -> None:
    """However little is missing, the key is refused, and it is not made anew over it."""
    private = make_login_key(tmp_path, "x").private
    path = tmp_path / "key"
    for length in range(len(private)):
        path.write_bytes(private[:length])
        with pytest.raises(InvalidInput, match="the login key is damaged"):
            make_login_key(tmp_path, "x")
    assert path.read_bytes() == private[:-1]


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """A key is as good as its secrecy."""
    make_login_key(tmp_path, "x")
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(InvalidInput, match="open to others"):
        login_key(tmp_path, "x")


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_public_keys_of_all_kinds_are_known_as_whole(
    tmp_path: Path, program: Callable[[str], str], kind: str
) -> None:
    """A public key as ssh-keygen writes it is whole; cut anywhere within, it is not."""
    path = tmp_path / "id"
    keygen = program("ssh-keygen")
    subprocess.run([keygen, "-q", "-t", kind, "-N", "", "-C", "", "-f", path], check=True)
    line = path.with_suffix(".pub").read_text().strip()
    check_public_key(line)
    check_public_key(f"{line} me@home")
    for length in range(len(line)):
        with pytest.raises(ValueError, match=r"cut short|no public key|base64|padding"):
            check_public_key(line[:length])
    assert public_half(path.read_bytes()) == " ".join(line.split()[:2])


def test_a_key_with_a_passphrase_is_not_ours(tmp_path: Path, program: Callable[[str], str]) -> None:
    """The cluster's own key has none: one that has was put there by somebody else."""
    path = tmp_path / "key"
    command = [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "secret", "-f", str(path)]
    subprocess.run(command, check=True)
    with pytest.raises(InvalidInput, match="passphrase"):
        login_key(tmp_path, "x")
