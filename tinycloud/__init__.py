"""Launch a small compute cluster, look at it, log in, run commands on all of it, destroy it.

What is public comes from `public` when it is first asked for: a node of the local driver, and
a command line that is interrupted at once, have no use for it.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .public import *  # noqa: F403  # it says itself what that is
    from .public import __all__ as __all__
else:

    def __getattr__(name: str) -> object:
        from importlib import import_module

        public = import_module(".public", __name__)
        if name != "__all__" and name not in public.__all__:
            raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
        return globals().setdefault(name, getattr(public, name))

    def __dir__() -> list[str]:
        return [*globals(), *__getattr__("__all__")]
