"""A chart of what was measured, as SVG: bars for each contender, a panel for each size."""

from collections.abc import Iterator, Mapping
from html import escape

from table import LIBRARY, PROGRAM, Found, median

LABELS, PANEL, GAP, ROW, BAR, HEAD = 130, 180, 50, 20, 13, 44

_STYLE = """\
text { font: 12px system-ui, sans-serif; fill: #333 }
.head { font-weight: bold }
.bar { fill: #9aa5b1 } .ours { fill: #1b7f5c }
@media (prefers-color-scheme: dark) { text { fill: #ddd } .bar { fill: #6b7681 } }
"""


def chart(found: Mapping[int, Found]) -> str:
    """Return a chart of nodes a second over new connections, and below over open ones."""
    names = list(dict.fromkeys(name for some in found.values() for name in some))
    warm = [n for n in names if any(median(f.get(n, ()), "warm_seconds") for f in found.values())]
    below = HEAD + ROW * len(names) + 12
    width = LABELS + len(found) * (PANEL + GAP)
    height = below + HEAD + ROW * len(warm)
    parts = [
        *_block(found, names, "seconds", "over new connections", 0),
        *_block(found, warm, "warm_seconds", "over open connections", below),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}">\n<style>\n{_STYLE}</style>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _block(
    found: Mapping[int, Found], names: list[str], what: str, title: str, top: int
) -> Iterator[str]:
    """Yield one row of panels."""
    yield _text(0, top + 14, f"nodes a second, {title}", kind="head")
    for index, name in enumerate(names):
        yield _text(0, top + HEAD + ROW * index + BAR - 2, name)
    for number, (count, some) in enumerate(found.items()):
        left = LABELS + number * (PANEL + GAP)
        yield _text(left, top + 34, f"{count} nodes", kind="head")
        rates = {
            name: count / seconds for name in names if (seconds := median(some.get(name, ()), what))
        }
        for name, rate in rates.items():
            y = top + HEAD + ROW * names.index(name)
            width = PANEL * rate / max(rates.values())
            kind = "bar ours" if name in (LIBRARY, PROGRAM) else "bar"
            yield f'<rect class="{kind}" x="{left}" y="{y}" width="{width:.1f}" height="{BAR}"/>'
            yield _text(left + width + 4, y + BAR - 2, f"{rate:.0f}")


def _text(x: float, y: int, text: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.0f}" y="{y}"{named}>{escape(text)}</text>'
