"""Tables for the terminal: without frames, so that nine columns of figures fit into 80 characters, none cut."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table


def plain_table(*columns: str) -> Table:
    """A header that does not fit breaks between words, a cell anywhere."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    return table
