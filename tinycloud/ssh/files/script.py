"""The shell scripts that run on nodes: constant, but for what is fed to them.

The node's user may have any login shell: so each is one line in single quotes without
a backslash or an exclamation mark, and file names reach it over its standard input.
"""

import secrets
import shlex

from .parts import DOUBTFUL

STAGE = ".tinycloud-stage-"
"""What the folders begin with that files are unpacked in, before each goes to its place.
The name of the machine follows, since homes are shared, and the process that owns it."""

PLACE = b"place"
"""The member of an archive that says where the others go."""

END = b"end\n"
"""What comes over standard error when everything has been printed."""

REFUSED = 97
"""The exit status of a script that could not begin; what it printed says why."""

_BEGIN = """
cd || exit 1; LC_ALL=C; export LC_ALL;
exec 3<&0 </dev/null;
IFS= read -r root <&3 && IFS= read -r mode <&3 && IFS= read -r count <&3 || exit 1;
"""

# Names come first; then standard input is a leash: if it ends before we said `bye`, all
# of the session's process group is to end. `head` takes no more than it is told to, or
# waits for more: nothing follows until `end` came.
_NAMED = """
( head -c "$count" <&3; exec >&-; IFS= read -r bye <&3 || kill -TERM 0 ) |
{ %s; echo end >&2; }
"""

# GNU's stat and busybox's understand -c, that of BSD and macOS -f.
_SURVEY = (
    f"""
new=old;
if test -d "$root"; then :; else
 new=new; mkdir -p "$root" && chmod "$mode" "$root" || exit {REFUSED};
fi;
cd "$root" || exit {REFUSED};
for stage in "{STAGE}$(uname -n)"-*; do
 if test -d "$stage"; then kill -0 "${{stage##*-}}" 2>/dev/null || rm -rf "./$stage"; fi;
done;
if stat -c %s / >/dev/null 2>&1; then how=-c what="%s %Y %f %d %Z %n";
else how=-f what="%z %m %Xp %d %c %N"; fi;
tar=notar; command -v tar >/dev/null 2>&1 && tar=tar;
echo "tinycloud $new $tar $(date +%s) $(pwd)";
"""
    + _NAMED % 'xargs -0 stat "$how" "$what" 2>/dev/null'
)

_HASHES = (
    """
cd "$root" || exit 1;
if command -v sha256sum >/dev/null 2>&1; then sum=sha256sum; else sum="shasum -a 256"; fi;
echo tinycloud;
"""
    + _NAMED % "xargs -0 $sum 2>/dev/null"
)

# A part of another version of the same file is of no use to anybody.
_LEFTOVERS = (
    """
if command -v sha256sum >/dev/null 2>&1; then sum=sha256sum; else sum="shasum -a 256"; fi;
export sum;
echo tinycloud;
"""
    + _NAMED
    % f"""
xargs -0 /bin/sh -c '
for part do for found in "${{part%-*}}"-*; do
 test -f "$found" || continue;
 size=$(( $(wc -c <"$found") - {DOUBTFUL} ));
 if test "$found" = "$part" && test "$size" -gt 0; then
  hash=$(head -c "$size" "$found" | $sum);
  echo "$size ${{hash%% *}} ${{found##*/}}";
 elif test "$found" = "$part"; then :;
 else rm -f "$found"; fi;
done; done' sh
"""
)

_PACK = f"""
cd "$root" || exit {REFUSED};
command -v tar >/dev/null 2>&1 || exit {REFUSED};
echo tinycloud;
{_NAMED % "xargs -0 tar -cf - 2>/dev/null"}
"""

# The archive's last member is a script that puts the others in their places. Where the
# archive is cut short, tar fails or there is no such script, and nothing is put anywhere.
_UNPACK = f"""
cd || exit 1; LC_ALL=C; export LC_ALL;
IFS= read -r root && IFS= read -r id && cd "$root" || exit 1;
stage="{STAGE}$(uname -n)-$id-$$";
trap "exit 1" HUP INT TERM PIPE;
trap 'rm -rf "./$stage"' EXIT;
mkdir -m 700 "$stage" && tar -xpof - -C "$stage" && /bin/sh "$stage/{PLACE.decode()}" "$stage"
"""


def _line(script: str) -> str:
    return f"exec /bin/sh -c {shlex.quote(' '.join(script.split()))}"


SURVEY = _line(_BEGIN + _SURVEY)
"""Makes `root` if need be; prints what it has of the files named, and what tools there are."""

HASHES = _line(_BEGIN + _HASHES)
"""Prints the SHA-256 of the files named."""

LEFTOVERS = _line(_BEGIN + _LEFTOVERS)
"""Prints what there is of the unfinished files named."""

PACK = _line(_BEGIN + _PACK)
"""Prints the files named, as one archive or several."""

UNPACK = _line(_UNPACK)
"""Unpacks an archive and puts what is in it in place; leaves nothing else behind."""


def words(root: bytes, mode: int, names: bytes) -> bytes:
    """Return what all others have to be told: the folder, its mode if made, and names."""
    return b"%s\n%o\n%d\n" % (root, mode, len(names)) + names


def archive_head(root: bytes) -> bytes:
    """Return what `UNPACK` has to be told before the archive."""
    return b"%s\n%s\n" % (root, secrets.token_hex(4).encode())


def word(path: bytes) -> bytes:
    """Return a path as one word of a script for `sh`."""
    return b"'" + path.replace(b"'", b"'\\''") + b"'"
