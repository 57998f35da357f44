"""Known hosts, read as OpenSSH reads them: `ssh-keygen -F` is the judge."""

import os
import re
import string
import subprocess
from collections.abc import Callable
from pathlib import Path

import asyncssh
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinycloud.errors import InvalidInput
from tinycloud.ssh import known_hosts
from tinycloud.ssh.known_hosts import AUTHORITY, REVOKED, read_known_hosts


def public_key() -> str:
    """Return the public key line of a new key, without a comment."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    return " ".join(key.export_public_key().decode().split()[:2])


KEYS = [public_key() for _ in range(3)]
Ask = Callable[..., str | None]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of known hosts, still to be written."""
    return tmp_path / "known_hosts"


@pytest.fixture
def ask(file: Path) -> Ask:
    """Return what lines tell of a host, without the words on where they stand."""

    def answer(lines: str, address: str, port: int = 22) -> str | None:
        file.write_text(lines)
        told = read_known_hosts(file).host_key(address, port)
        return told and re.sub(r" \S+ line \d+$", "", told, flags=re.MULTILINE)

    return answer


@pytest.fixture(scope="session")
def keygen(program: Callable[[str], str]) -> Callable[..., set[int]]:
    """Ask OpenSSH which lines of a file are about a host."""

    def found(file: Path, address: str, port: int) -> set[int]:
        name = address if port == 22 else f"[{address}]:{port}"
        done = subprocess.run(
            [program("ssh-keygen"), "-F", name, "-f", file],
            capture_output=True,
            text=True,
            check=False,
        )
        return {int(number) for number in re.findall(r"found: line (\d+)", done.stdout)}

    return found


def test_a_plain_line(ask: Ask) -> None:
    """A host's line gives its key; that of another gives nothing."""
    assert ask(f"gate {KEYS[0]} a comment\n", "gate") == KEYS[0]
    assert ask(f"gate {KEYS[0]}\n", "gat") is None
    assert ask("", "gate") is None


def test_where_a_key_stands_is_its_comment(file: Path) -> None:
    """A key carries its file and line, for messages."""
    file.write_text(f"# keys\n\ngate {KEYS[0]} old words\n")
    assert read_known_hosts(file).host_key("gate") == f"{KEYS[0]} {file} line 3"


def test_several_names_and_keys(ask: Ask) -> None:
    """A line may have several names, and a name several lines."""
    lines = f"gate,10.0.0.1 {KEYS[0]}\nother {KEYS[1]}\ngate {KEYS[2]}\n"
    assert ask(lines, "gate") == f"{KEYS[0]}\n{KEYS[2]}"
    assert ask(lines, "10.0.0.1") == KEYS[0]


def test_a_port_has_lines_of_its_own(ask: Ask) -> None:
    """A key of port 22 says nothing of another port, which may be another machine."""
    lines = f"gate {KEYS[0]}\n[gate]:2222 {KEYS[1]}\n"
    assert ask(lines, "gate") == KEYS[0]
    assert ask(lines, "gate", 2222) == KEYS[1]
    assert ask(lines, "gate", 2200) is None


def test_ipv6(ask: Ask) -> None:
    """Addresses with colons are names like others."""
    lines = f"fe80::1%eth0 {KEYS[0]}\n[::1]:2222 {KEYS[1]}\n"
    assert ask(lines, "fe80::1%eth0") == KEYS[0]
    assert ask(lines, "::1", 2222) == KEYS[1]
    assert ask(lines, "::1") is None


def test_authorities_and_revoked_keys_hold_for_every_port(ask: Ask) -> None:
    """Their marker stays with them; the plain key beside them is about port 22 alone."""
    lines = f"gate {KEYS[0]}\n@cert-authority *ate {KEYS[1]}\n@revoked * {KEYS[2]}\n"
    marked = f"{AUTHORITY} {KEYS[1]}\n{REVOKED} {KEYS[2]}"
    assert ask(lines, "gate") == f"{KEYS[0]}\n{marked}"
    assert ask(lines, "gate", 2222) == f"{REVOKED} {KEYS[2]}\n{AUTHORITY} {KEYS[1]}"


def test_patterns(ask: Ask) -> None:
    """`*` and `?` stand for anything, `!` excepts; brackets stand for themselves."""
    lines = f"*.example.org,!db?.example.org {KEYS[0]}\n[10.0.0.?]:2222 {KEYS[1]}\n"
    assert ask(lines, "web.example.org") == KEYS[0]
    assert ask(lines, "WEB.Example.org") == KEYS[0]
    assert ask(lines, "db1.example.org") is None
    assert ask(lines, "db12.example.org") == KEYS[0]
    assert ask(lines, "10.0.0.7", 2222) == KEYS[1]
    assert ask(lines, "10.0.0.77", 2222) is None
    assert ask(lines, "0", 2222) is None


def test_hashed_names(file: Path, program: Callable[[str], str], ask: Ask) -> None:
    """Names that ssh-keygen has hashed are found, and no others."""
    file.write_text(f"gate,10.0.0.1 {KEYS[0]}\n[gate]:2222 {KEYS[1]}\n")
    subprocess.run([program("ssh-keygen"), "-H", "-f", file], capture_output=True, check=True)
    lines = file.read_text()
    assert "gate" not in lines
    assert ask(lines, "gate") == KEYS[0]
    assert ask(lines, "Gate") == KEYS[0]
    assert ask(lines, "10.0.0.1") == KEYS[0]
    assert ask(lines, "gate", 2222) == KEYS[1]
    assert ask(lines, "10.0.0.1", 2222) is None


@pytest.mark.parametrize(
    "line",
    [
        "gate",
        "gate ssh-ed25519",
        "gate ssh-ed25519 AAAA",
        "gate ssh-ed25519 !!!!",
        f"gate ssh-rsa {KEYS[0].split()[1]}",
        "gate 1024 35 1234567890",
        f"@unknown gate {KEYS[0]}",
        f"@revoked {KEYS[0]}",
        f"#gate {KEYS[0]}",
        f"|1|x|y {KEYS[0]}",
        f"|1|AAAA {KEYS[0]}",
        f"|2|AAAA|AAAA {KEYS[0]}",
    ],
)
def test_lines_that_say_nothing_are_passed_over(ask: Ask, line: str) -> None:
    """A line that can't be read gives no key, and keeps none from being found."""
    assert ask(f"{line}\ngate {KEYS[1]}\n", "gate") == KEYS[1]


def test_any_bytes(file: Path) -> None:
    """Comments may hold anything, and lines may end as on Windows."""
    file.write_bytes(
        f"gate {KEYS[0]} ".encode() + b"\xff\x00\xfe\r\n" + f"b {KEYS[1]}\r\n".encode()
    )
    known = read_known_hosts(file)
    assert (known.host_key("gate") or "").startswith(KEYS[0])
    assert (known.host_key("b") or "").startswith(KEYS[1])


def test_the_usual_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a file, the user's own is read and the machine's; neither need exist."""
    monkeypatch.setenv("HOME", str(tmp_path))
    machine = tmp_path / "ssh_known_hosts"
    user = tmp_path / ".ssh" / "known_hosts"
    assert known_hosts.default_files() == (user, Path("/etc/ssh/ssh_known_hosts"))
    monkeypatch.setattr(known_hosts, "default_files", lambda: (user, machine))
    assert read_known_hosts().host_key("gate") is None
    user.parent.mkdir()
    user.write_text(f"gate {KEYS[0]}\n")
    machine.write_text(f"gate {KEYS[1]}\n")
    assert read_known_hosts().host_key("gate") == (
        f"{KEYS[0]} {user} line 1\n{KEYS[1]} {machine} line 1"
    )


def test_a_file_that_was_named_has_to_be_there(tmp_path: Path) -> None:
    """One that is missing, or no file, is an error with a remedy: not a host without a key."""
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(InvalidInput, match=re.escape(str(path))) as caught:
            read_known_hosts(path)
        assert caught.value.cause
        assert caught.value.fix


def test_reading_writes_nothing(ask: Ask, file: Path) -> None:
    """The file and its folder are as before."""
    ask(f"gate {KEYS[0]}\n", "gate")
    before = [(path.name, path.stat().st_mtime_ns) for path in file.parent.iterdir()]
    os.utime(file, ns=(1, 1))
    read_known_hosts(file).host_key("gate")
    assert file.stat().st_mtime_ns == 1
    assert [path.name for path in file.parent.iterdir()] == [name for name, _ in before]


NAMES = ("gate", "gate.example.org", "db1.example.org", "10.0.0.1", "::1", "GATE")
PATTERNS = (*NAMES, "*", "ga?e", "*.example.org", "10.0.0.*", "[gate]:2222", "[*]:2222", "!gate")


@st.composite
def lines(draw: st.DrawFn) -> str:
    """Draw a line of known hosts, as people and ssh write them."""
    marker = draw(st.sampled_from(["", "", "@cert-authority ", "@revoked ", "@odd "]))
    hosts = ",".join(draw(st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3)))
    blank = draw(st.sampled_from([" ", "\t", "  "]))
    comment = draw(st.text(alphabet=string.ascii_letters + " ", max_size=5))
    return f"{marker}{hosts}{blank}{draw(st.sampled_from(KEYS))}{blank}{comment}"


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    text=st.lists(lines(), max_size=5),
    address=st.sampled_from(NAMES),
    port=st.sampled_from([22, 2222]),
)
def test_as_openssh_finds_them(
    file: Path, keygen: Callable[..., set[int]], text: list[str], address: str, port: int
) -> None:
    """The lines about a host are those that `ssh-keygen -F` finds, marker or not."""
    file.write_text("".join(f"{line}\n" for line in text))
    told = read_known_hosts(file).host_key(address, port) or ""
    ours = {int(line.rpartition(" ")[2]) for line in told.splitlines()}
    theirs = keygen(file, address.lower(), port)
    if port != 22:  # what holds for every port ssh-keygen finds under the bare name
        marked = {n for n, line in enumerate(text, 1) if line.startswith(("@cert", "@revoked"))}
        theirs |= keygen(file, address.lower(), 22) & marked
    assert ours == theirs
