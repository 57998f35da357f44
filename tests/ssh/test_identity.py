"""What a host must prove before anything goes to it, against Debian's sshd."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncssh
import pytest
from openssh import OpenSSH, openssh

from tinycloud.errors import TinycloudError, Untrusted
from tinycloud.ssh.connect import connect
from tinycloud.ssh.identity import identity

Program = Callable[[str], str]


def public(key: asyncssh.SSHKey) -> str:
    """Return the public key line of a key, without a comment."""
    return " ".join(key.export_public_key().decode().split()[:2])


def other_key(kind: str = "ssh-ed25519") -> str:
    """Return the public key line of a key that no server here has."""
    return public(asyncssh.generate_private_key(kind))


async def proven(server: OpenSSH, host_key: str | None, *, accept_new: bool = False) -> str:
    """Connect to a server that must prove this; return what it proved."""
    link, proof = await connect(
        server.node(), key=server.login_key, host_key=host_key, accept_new=accept_new
    )
    await link.close()
    return proof


async def refusal(server: OpenSSH, host_key: str | None, *, accept_new: bool = False) -> Untrusted:
    """Return the error for a server that can't prove this; nobody has tried to log in there."""
    before = server.log.read_text().count("Accepted publickey")
    with pytest.raises(Untrusted) as caught:
        await proven(server, host_key, accept_new=accept_new)
    assert caught.value.fix
    assert server.log.read_text().count("Accepted publickey") == before
    return caught.value


async def test_any_of_several_keys(sshd: OpenSSH) -> None:
    """One key of many is enough, also beside kinds that nobody can use; it is what is proven."""
    odd = "ssh-odd AAAAB3NzaC1vZGQAAAADAAAA"
    known = "\n".join([odd, other_key(), other_key("ecdsa-sha2-nistp256"), sshd.host_key])
    assert await proven(sshd, known) == public(sshd.host)


async def test_a_key_with_a_comment(sshd: OpenSSH) -> None:
    """What follows a key says where it stands, and is no part of it."""
    assert await proven(sshd, f"{public(sshd.host)} /a/file line 7") == public(sshd.host)


async def test_a_changed_key(sshd: OpenSSH) -> None:
    """Both fingerprints are named, and where the known one stands; nothing says to delete it."""
    known = other_key()
    error = await refusal(sshd, f"{known} /home/ada/.ssh/known_hosts line 12")
    assert error.what == "worker-0 did not prove its identity"
    assert sshd.host.get_fingerprint() in error.cause
    expected = asyncssh.import_public_key(known).get_fingerprint()
    assert f"{expected} of /home/ada/.ssh/known_hosts line 12" in error.cause
    assert "known_hosts line 12" in error.fix
    assert "ssh-keygen -R" not in error.fix


async def test_a_changed_key_is_never_accepted(sshd: OpenSSH) -> None:
    """To accept new keys is not to accept another key of a host that has one."""
    for known in (other_key(), other_key("ecdsa-sha2-nistp256"), f"@cert-authority {other_key()}"):
        error = await refusal(sshd, known, accept_new=True)
        assert error.what == "worker-0 did not prove its identity"


async def test_a_key_of_another_kind(sshd: OpenSSH) -> None:
    """A host of which only a key of another kind is known has not proven itself."""
    error = await refusal(sshd, other_key("ecdsa-sha2-nistp256"))
    assert f"showed ssh-ed25519 {sshd.host.get_fingerprint()}" in error.cause


async def test_a_host_with_no_kind_of_key_that_we_take(program: Program) -> None:
    """Nothing is proven without a key; that the server leaves at once changes nothing."""
    with openssh(program("sshd"), "HostKeyAlgorithms ssh-rsa", late=True) as server:
        server.set_host_key(asyncssh.generate_private_key("ssh-rsa"))
        server.start()
        with pytest.raises(TinycloudError):
            await proven(server, None, accept_new=True)
        assert "Accepted" not in server.log.read_text()


@pytest.mark.parametrize("kind", ["ssh-rsa", "ecdsa-sha2-nistp384"])
async def test_kinds_of_keys(program: Program, kind: str) -> None:
    """RSA and ECDSA keys are proven too, and among several kinds it is the known one."""
    with openssh(program("sshd"), late=True) as server:
        server.set_host_key(asyncssh.generate_private_key(kind))
        server.start()
        assert await proven(server, server.host_key) == public(server.host)
        assert await proven(server, None, accept_new=True) == public(server.host)


async def test_the_kind_that_is_known_is_asked_for(program: Program, tmp_path: Path) -> None:
    """A host with keys of several kinds shows the one that is known, though others are cheaper."""
    known = asyncssh.generate_private_key("ecdsa-sha2-nistp256")
    (tmp_path / "second").touch(mode=0o600)
    (tmp_path / "second").write_bytes(known.export_private_key())
    with openssh(program("sshd"), f"HostKey {tmp_path}/second") as server:
        assert await proven(server, public(known)) == public(known)
        assert await proven(server, server.host_key) == public(server.host)


async def test_an_unknown_key(sshd: OpenSSH) -> None:
    """It is told apart from a changed one, and its fingerprint can be compared."""
    error = await refusal(sshd, None)
    assert error.what == "the host key of worker-0 is not known"
    assert f"ssh-ed25519 {sshd.host.get_fingerprint()}" in error.cause
    assert "--accept-new" in error.fix


async def test_an_unknown_key_is_accepted_by_explicit_wish(sshd: OpenSSH) -> None:
    """It is then the proven one; so it is where only revoked keys are known."""
    assert await proven(sshd, None, accept_new=True) == public(sshd.host)
    revoked = f"@revoked {other_key()}"
    assert await proven(sshd, revoked, accept_new=True) == public(sshd.host)


async def test_a_revoked_key(sshd: OpenSSH) -> None:
    """It proves nothing: not beside the same key as a good one, and not as a new one."""
    revoked = f"@revoked {public(sshd.host)} /a/file line 3"
    for known, accept_new in ((f"{sshd.host_key}\n{revoked}", False), (revoked, True)):
        error = await refusal(sshd, known, accept_new=accept_new)
        assert error.what == "worker-0 showed a revoked host key"
        assert f"{sshd.host.get_fingerprint()} of /a/file line 3" in error.cause


def test_a_damaged_key() -> None:
    """Half a key proves nothing, and no key at all is not known."""
    with pytest.raises(Untrusted, match="damaged"):
        identity("ssh-ed25519 AAAA", "worker-0")
    assert not identity(None, "worker-0").is_known
    assert not identity("", "worker-0").is_known


@contextmanager
def certified(
    program: Program, folder: Path, authority: asyncssh.SSHKey, *options: str
) -> Iterator[OpenSSH]:
    """Run an sshd whose host key `authority` has signed, with these options of ssh-keygen."""
    (folder / "ca").touch(mode=0o600)
    (folder / "ca").write_bytes(authority.export_private_key())
    certificate = f"HostCertificate {folder}/host-cert.pub"
    with openssh(program("sshd"), certificate, late=True) as server:
        (folder / "host.pub").write_text(server.host_key)
        words = ["-s", "ca", "-h", "-I", "id", *options, "host.pub"]
        subprocess.run([program("ssh-keygen"), "-q", *words], cwd=folder, check=True)
        server.start()
        yield server


async def test_a_certificate(program: Program, tmp_path: Path) -> None:
    """A host proves itself by a certificate of a known authority, whatever its key is."""
    authority = asyncssh.generate_private_key("ssh-ed25519")
    with certified(program, tmp_path, authority, "-n", "127.0.0.1") as server:
        known = f"@cert-authority {public(authority)}"
        assert await proven(server, known) == public(server.host)
        assert await proven(server, f"{known}\n{other_key()}") == public(server.host)
        assert await proven(server, server.host_key) == public(server.host)


async def test_a_certificate_by_somebody_else(program: Program, tmp_path: Path) -> None:
    """A certificate of an unknown or a revoked authority proves nothing."""
    authority = asyncssh.generate_private_key("ssh-ed25519")
    with certified(program, tmp_path, authority, "-n", "127.0.0.1") as server:
        error = await refusal(server, f"@cert-authority {other_key()}")
        assert f"certificate by ssh-ed25519 {authority.get_fingerprint()}" in error.cause
        line = public(authority)
        error = await refusal(server, f"@cert-authority {line}\n@revoked {line}")
        assert error.what == "worker-0 showed a revoked host key"


@pytest.mark.parametrize(
    "options", [("-n", "another.example.org"), ("-n", "127.0.0.1", "-V", "20200101:20200201")]
)
async def test_a_certificate_that_does_not_hold(
    program: Program, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """One for another host, or of another time, proves nothing, and the error says which."""
    authority = asyncssh.generate_private_key("ssh-ed25519")
    with certified(program, tmp_path, authority, *options) as server:
        error = await refusal(server, f"@cert-authority {public(authority)}")
        assert "a certificate that can't be used: Certificate" in error.cause


async def test_a_host_without_a_certificate(sshd: OpenSSH) -> None:
    """Where an authority vouches for a host, a bare key of it is not enough."""
    error = await refusal(sshd, f"@cert-authority {other_key()}", accept_new=True)
    assert f"showed ssh-ed25519 {sshd.host.get_fingerprint()}" in error.cause
