"""Text from others, made safe to show."""

import re

# C0 and C1 controls, line and paragraph separators, what changes the reading order,
# and surrogates: whatever moves the cursor, breaks a line or lets text pose as other text.
_UNSAFE = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069"
    "\ud800-\udfff]"
)


def printable(text: str) -> str:
    """Return one line of `text` in which control characters appear as escapes; tabs stay."""
    return _UNSAFE.sub(lambda found: found.group().encode("unicode_escape").decode(), text)
