"""Pieces of a self-contained page: everything is escaped, nothing is loaded from anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape as _escape

from ...models.shown import shown

__all__ = [
    "columns",
    "definition",
    "figure",
    "listing",
    "page",
    "paragraph",
    "section",
    "table",
    "warning_list",
]

_STYLE = """
:root { --ink: #1a1a1a; --soft: #666; --line: #d8d8d8; --accent: #0072B2; }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: var(--ink);
  max-width: 62rem; margin: 2rem auto 4rem; padding: 0 1.2rem; background: #fff; }
h1 { font-size: 1.6rem; margin: 0 0 .2rem; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem; padding-bottom: .2rem;
  border-bottom: 2px solid var(--accent); }
p.lead { color: var(--soft); margin: 0 0 1rem; }
table { border-collapse: collapse; font-size: .86rem; margin: .4rem 0 1rem; }
.scroll, pre { overflow-x: auto; }
.columns { display: flex; flex-wrap: wrap; gap: 0 3rem; align-items: flex-start; }
th, td { padding: .22rem .9rem .22rem 0; text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
th { border-bottom: 1px solid var(--ink); font-weight: 600; }
td { border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; }
table.words th, table.words td { text-align: left; white-space: normal; vertical-align: top; }
caption { caption-side: top; text-align: left; font-weight: 600; padding: .3rem 0; }
figure { margin: 1rem 0 1.4rem; }
figure img { width: 100%; height: auto; }
figcaption { font-size: .86rem; color: var(--soft); }
.statement, .warnings { padding: .4rem 1rem; margin: 1rem 0; border-left: 4px solid var(--accent);
  background: #f3f8fc; }
.warnings { border-color: #D55E00; background: #fdf4ee; }
.warnings ul { margin: .2rem 0; padding-left: 1.2rem; }
@media print { body { margin: 0; max-width: none; } figure, table { break-inside: avoid; } }
"""


def escape(text: str, quote: bool = True) -> str:
    """Escape a text, with a true minus before numbers; what is not to be seen is spelled out."""
    return _escape(re.sub(r"(?<![\w\u2070-\u207f.-])-(?=\d)", "−", shown(text)), quote=quote)


def page(title: str, lead: str, body: Iterable[str]) -> str:
    """Put sections together to a page."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f'<h1>{escape(title)}</h1>\n<p class="lead">{escape(lead)}</p>\n'
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def section(title: str, *parts: str) -> str:
    """Head a group of pieces; nothing if there are none."""
    content = "\n".join(part for part in parts if part)
    return f"<section>\n<h2>{escape(title)}</h2>\n{content}\n</section>" if content else ""


def paragraph(text: str, *, emphasised: bool = False) -> str:
    """Write a paragraph, framed when it states a result."""
    kind = ' class="statement"' if emphasised else ""
    return f"<p{kind}>{escape(text)}</p>"


def listing(text: str) -> str:
    """Show lines as they are."""
    lines = (_escape(shown(line)) for line in text.expandtabs(4).splitlines())
    return f"<pre>{chr(10).join(lines)}</pre>"


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    caption: str = "",
    words: bool = False,
) -> str:
    """Write a table; the first column is left-aligned, with ``words`` all of them."""
    body = [
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    ]
    if not body:
        return ""
    titles = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    head = f"<thead><tr>{titles}</tr></thead>" if any(header) else ""
    label = f"<caption>{escape(caption)}</caption>" if caption else ""
    kind = ' class="words"' if words else ""
    return (
        f'<div class="scroll"><table{kind}>{label}{head}'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def columns(*parts: str) -> str:
    """Put pieces side by side where there is room."""
    return f'<div class="columns">{"".join(parts)}</div>' if any(parts) else ""


def definition(rows: Iterable[tuple[str, object]], *, caption: str = "") -> str:
    """Write names with their values."""
    return table(("", ""), rows, caption=caption, words=True)


def figure(address: str, alternative: str, caption: str) -> str:
    """Embed a picture given as a ``data:`` address."""
    return (
        f'<figure><img src="{escape(address, quote=True)}" alt="{escape(alternative, quote=True)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def warning_list(title: str, warnings: Sequence[str]) -> str:
    """List warnings; nothing if there are none."""
    if not warnings:
        return ""
    items = "".join(f"<li>{escape(text)}</li>" for text in warnings)
    return f'<div class="warnings"><strong>{escape(title)}</strong><ul>{items}</ul></div>'
