"""A new node's home folder: empty but for a prompt that says where one is."""

from pathlib import Path

from ...store.folder import make_folder

# Debian's bash reads .bashrc for commands over SSH too: those must see nothing of it.
_BASH = r"""case $- in *i*) ;; *) return ;; esac
PS1='$TINYCLOUD_CLUSTER/$TINYCLOUD_NODE:\w\$ '
"""
# /etc/profile comes first and has set a prompt: ours must win.
_PROFILE = r"""if [ -n "$BASH_VERSION" ]; then
    . ~/.bashrc
else
    PS1='$TINYCLOUD_CLUSTER/$TINYCLOUD_NODE:$PWD$ '
fi
"""
_ZSH = r"""setopt prompt_subst
PS1='$TINYCLOUD_CLUSTER/$TINYCLOUD_NODE:%~%# '
"""


def make_home(path: Path) -> None:
    """Make a node's home folder, if there is none."""
    if path.is_dir():
        return
    unfinished = path.with_name("home.new")
    make_folder(unfinished)
    for name, text in ((".bashrc", _BASH), (".profile", _PROFILE), (".zshrc", _ZSH)):
        (unfinished / name).write_text(text)
    unfinished.rename(path)
