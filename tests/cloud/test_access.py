"""Which of the user's keys logs in, and which can't."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tinycloud import Cloud, Group, InvalidInput, Node, Status
from tinycloud.cloud.access import Access
from tinycloud.drivers.hosts import Hosts
from tinycloud.drivers.local import Local
from tinycloud.store import ClusterFolder

KINDS = [("ed25519", "RFC4716"), ("rsa", "RFC4716"), ("rsa", "PEM"), ("ecdsa", "PKCS8")]
Generate = Callable[..., Path]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of keys, still empty."""
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / ".ssh"
    folder.mkdir()
    return folder


@pytest.fixture
def generate(program: Callable[[str], str]) -> Generate:
    """Make a private key as OpenSSH does."""

    def make(path: Path, kind: str, form: str, passphrase: str = "") -> Path:
        words = ["-q", "-t", kind, "-m", form, "-N", passphrase, "-f", str(path)]
        subprocess.run([program("ssh-keygen"), *words], check=True)
        return path

    return make


def access(keyfile: Path | None = None, *, via: str | None = None, made: bool = False) -> Access:
    """Return what knows the keys to one machine."""
    group = Group("node", 1, Local() if made else Hosts("gate"), via=via)
    return Access((group,), ClusterFolder("rack"), keyfile)


@pytest.mark.parametrize(("kind", "form"), KINDS)
def test_a_key_without_a_passphrase(
    tmp_path: Path, generate: Generate, kind: str, form: str
) -> None:
    """It is handed out as it is, in whichever format it is kept."""
    key = generate(tmp_path / "key", kind, form)
    assert access(key).own_key() == key.read_bytes()


@pytest.mark.parametrize(("kind", "form"), KINDS)
def test_a_key_with_a_passphrase(tmp_path: Path, generate: Generate, kind: str, form: str) -> None:
    """It is refused before anything is begun, and the remedy said."""
    key = generate(tmp_path / "key", kind, form, "a long secret")
    with pytest.raises(InvalidInput, match=str(key)) as caught:
        access(key).own_key()
    assert "passphrase" in caught.value.cause
    assert "ssh-keygen -p" in caught.value.fix


def test_the_usual_keys_in_their_order(home: Path, generate: Generate) -> None:
    """The first of id_ed25519, id_ecdsa and id_rsa is the user's; other files are not."""
    generate(home / "id_other", "ed25519", "RFC4716")
    with pytest.raises(InvalidInput, match="no key to log in with"):
        access().own_key()
    for kind in ("rsa", "ecdsa", "ed25519"):
        key = generate(home / f"id_{kind}", kind, "RFC4716")
        assert access().own_key() == key.read_bytes()


def test_a_key_that_is_named(home: Path, tmp_path: Path, generate: Generate) -> None:
    """It goes before the usual ones, and one that is missing is an error, not passed over."""
    generate(home / "id_ed25519", "ed25519", "RFC4716")
    named = generate(tmp_path / "named", "ed25519", "RFC4716")
    assert access(named).own_key() == named.read_bytes()
    with pytest.raises(InvalidInput, match="none"):
        access(tmp_path / "none").own_key()


def test_a_key_that_is_named_from_home(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`~` is the home folder, and a relative path is of now, not of later."""
    monkeypatch.chdir(tmp_path)
    groups = [Group("node", 1, Hosts("gate"))]
    assert Cloud(groups, name="rack", keyfile="~/.ssh/key").keyfile == home / "key"
    assert Cloud(groups, name="rack", keyfile="key").keyfile == tmp_path / "key"


def test_machines_that_are_made_need_no_key_of_the_user(home: Path) -> None:
    """The user's key is looked for only where it is needed: at a bastion it is."""
    with ClusterFolder("rack").locked():
        own = ClusterFolder("rack").make_login_key()
    assert access(made=True).own_key() == own.private
    with pytest.raises(InvalidInput, match="no key to log in with"):
        access(made=True, via="gate").own_key()


def test_keys_are_never_shown(tmp_path: Path, generate: Generate, home: Path) -> None:
    """No key is in the text of what holds it."""
    key = generate(tmp_path / "key", "ed25519", "RFC4716")
    known = access(key, via="ada@gate")
    node = Node(tag="node", index=0, id="host-1", status=Status.RUNNING)
    route = known.route(node, known.own_key())
    assert route.hop is not None
    assert route.hop.bastion.name == "bastion ada@gate"
    assert "PRIVATE" not in f"{route!r}{known!r}{route.hop!r}"
