"""The scripts by which a node comes to have a host key of its own.

cloud-init deletes `ssh_host_*key*` on the first boot of a new machine. So a machine
made from the image of a node drops that node's key, and shows the one planted in it.
"""

import shlex

KEY = "/etc/ssh/ssh_host_tinycloud_ed25519_key"
PLANTED = "/etc/ssh/ssh_host_ed25519_key"
DROP_IN = "/etc/ssh/sshd_config.d/00-tinycloud.conf"

_MAKE = f"""
umask 077
if ! ssh-keygen -y -P '' -f {KEY} >/dev/null 2>&1; then
    rm -f {KEY}.new {KEY}.new.pub
    ssh-keygen -q -t ed25519 -N '' -C '' -f {KEY}.new </dev/null
    rm -f {KEY}.new.pub
    mv -f {KEY}.new {KEY}
fi
ssh-keygen -y -P '' -f {KEY}
"""

# sshd takes the first of several host keys of one kind, and has its drop-ins read by a
# line in its configuration, which old ones lack. A key that is not there is passed over.
_SETTINGS = f"HostKey {KEY}\nHostKey {PLANTED}\nHostCertificate {KEY}-cert.pub\n"

_SHOW = f"""
umask 022
settings={shlex.quote(_SETTINGS)}
printf '%s\\n' "$certificate" >{KEY}-cert.pub.new
mv -f {KEY}-cert.pub.new {KEY}-cert.pub
mkdir -p {DROP_IN.rpartition("/")[0]}
printf '%s' "$settings" >{DROP_IN}.new
mv -f {DROP_IN}.new {DROP_IN}
in_force() {{
    sshd -T -C user=root,host=localhost,addr=127.0.0.1 | grep -qix 'hostkey {KEY}'
}}
if ! in_force; then
    cp -p /etc/ssh/sshd_config /etc/ssh/sshd_config.new
    {{ printf '%s' "$settings"; cat /etc/ssh/sshd_config; }} >/etc/ssh/sshd_config.new
    mv -f /etc/ssh/sshd_config.new /etc/ssh/sshd_config
    in_force
fi
for file in /etc/ssh/ssh_host_*_key; do
    case $(ssh-keygen -y -P '' -f "$file" 2>/dev/null) in
        "$planted"*) rm -f "$file" "$file.pub" ;;
    esac
done
"""

# Without systemd it is the one among our ancestors that listens; where there is none,
# each connection gets an sshd of its own, which reads its configuration anew.
_RELOAD = """
if [ -d /run/systemd/system ]; then
    systemctl reload ssh.service 2>/dev/null || systemctl reload sshd.service 2>/dev/null && exit
fi
process=$$
while [ "$process" -gt 1 ]; do
    case $(tr '\\0' ' ' <"/proc/$process/cmdline") in
        'sshd: '*'[listener]'*) kill -HUP "$process"; break ;;
    esac
    while read -r name value _; do
        [ "$name" != PPid: ] || process=$value
    done <"/proc/$process/status"
done
"""


def making() -> str:
    """Return the script that makes the key, if there is none, and prints its public line."""
    return _MAKE


def showing(certificate: str, planted: str) -> str:
    """Return the script that has sshd show that key and its certificate, and no planted key."""
    given = f"certificate={shlex.quote(certificate)}; planted={shlex.quote(planted)}\n"
    return f"{given}{_SHOW}{_RELOAD}"
