"""Which processor an instance type has: its name says so (AWS, instance type naming)."""

import re

ARM, INTEL = "arm64", "x86_64"

# The letter after the generation is the processor, and `g` is Graviton; `gb` is Grace.
_ARM = re.compile(r"a1|[a-z]+\d+g[a-z]*(-.*)?|[a-z]+\d+[a-z]*-gb\d+")


def architecture(instance_type: str) -> str:
    """Return the architecture that images for this type have."""
    return ARM if _ARM.fullmatch(instance_type.partition(".")[0]) else INTEL
