"""OpenSSH's key formats, as far as it takes to tell a whole key from a damaged one."""

import base64

# https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.key
_MAGIC = b"openssh-key-v1\0"
_BEGIN, _END = "-----BEGIN OPENSSH PRIVATE KEY-----", "-----END OPENSSH PRIVATE KEY-----"

# How many fields a key of each kind has, its name included (RFC 4253, 5656 and 8709;
# PROTOCOL.u2f for those on a token).
_FIELDS = {
    "ssh-ed25519": 2,
    "ssh-rsa": 3,
    "ecdsa-sha2-nistp256": 3,
    "ecdsa-sha2-nistp384": 3,
    "ecdsa-sha2-nistp521": 3,
    "sk-ssh-ed25519@openssh.com": 3,
    "sk-ecdsa-sha2-nistp256@openssh.com": 4,
}


def check_public_key(line: str) -> None:
    """Raise `ValueError` unless `line` is one whole public key of a kind we know."""
    kind, _, rest = line.partition(" ")
    blob, _, _ = rest.partition(" ")
    if kind not in _FIELDS:
        raise ValueError("it is no public key")
    fields = _strings(base64.b64decode(blob, validate=True))
    if fields[:1] != (kind.encode(),) or len(fields) != _FIELDS[kind] or not all(fields):
        raise ValueError("it is cut short")


def public_half(private: bytes) -> str:
    """Return the public key line of a private key without a passphrase; it has no comment.

    Raises `ValueError` unless the private key is whole.
    """
    begin, *body, end = private.decode("ascii").split("\n")[:-1] or ("", "")
    if (begin, end) != (_BEGIN, _END):
        raise ValueError("it is no OpenSSH private key")
    data = base64.b64decode("".join(body), validate=True)
    if not data.startswith(_MAGIC):
        raise ValueError("it is no OpenSSH private key")
    cipher, derivation, _, rest = _take(data[len(_MAGIC) :], 3)
    count = int.from_bytes(rest[:4], "big")
    public, private_part = _strings(rest[4:])
    if (cipher, derivation, count) != (b"none", b"none", 1) or not private_part:
        raise ValueError("it is not a single key without a passphrase")
    line = f"{_strings(public)[0].decode()} {base64.b64encode(public).decode()}"
    check_public_key(line)
    return line


def _take(data: bytes, count: int) -> tuple[bytes, ...]:
    """Return the first `count` strings (RFC 4251, 5) in `data`, and what follows them."""
    found = []
    for _ in range(count):
        length = int.from_bytes(data[:4].ljust(4, b"\xff"), "big")
        if len(data) < 4 + length:
            raise ValueError("it is cut short")
        found.append(data[4 : 4 + length])
        data = data[4 + length :]
    return (*found, data)


def _strings(data: bytes) -> tuple[bytes, ...]:
    """Return the strings that `data` consists of."""
    found: list[bytes] = []
    while data:
        one, data = _take(data, 1)
        found.append(one)
    return tuple(found)
