"""Where rich draws tables and progress: text is shown as it is, never read as markup.

A rig's name such as ``[red]``, or one with an escape sequence, is a name.
"""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import Task, TextColumn
from rich.text import Text

from ..models.shown import shown

__all__ = ["ShownColumn", "ShownConsole"]


class ShownConsole(Console):
    """A console for which every string is plain text; arguments as of rich's own."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Make a string to be drawn, of tables' cells and titles, too."""
        return super().render_str(shown(text), **{**options, "markup": False, "emoji": False})


class ShownColumn(TextColumn):
    """A column of a progress display whose text is plain."""

    def render(self, task: Task) -> Text:
        """Text of one task."""
        return Text(shown(self.text_format.format(task=task)))
