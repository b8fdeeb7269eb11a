"""The tables that a run prints."""

from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.figures import Figure
from benchmarks.results import Results, machine, versions

_OTHER = {"instructions": "instructions a request", "throughput": "requests a second"}
_WIDE = 110
"""Columns of a terminal below which a table leaves columns out."""


def show(results: Results, console: Console) -> None:
    """Print all tables."""
    figures = list(results.figures.values())
    added = [one for one in figures if one.unit == "us" and "bare" in one.parts]
    if added:
        console.print(_added(added, narrow=console.width < _WIDE))
    for group, title in _OTHER.items():
        found = [one for one in figures if one.library == group]
        if found:
            console.print(_paired(found, title))
    once = [one for one in figures if one.library in {"spread", "revocations", "login", "import"}]
    if once:
        console.print(_single(once))
    console.print(_targets(results))
    console.print(", ".join(f"{name} {number}" for name, number in versions().items()), style="dim")
    console.print(", ".join(f"{name} {value}" for name, value in machine().items()), style="dim")


def _added(figures: Iterable[Figure], *, narrow: bool) -> Table:
    table = Table(title="CPU microseconds added to a request, over the bare route")
    table.add_column("what", overflow="fold")
    for name in ("added", "quartiles") if narrow else ("bare", "protected", "added", "quartiles", "rounds"):
        table.add_column(name, justify="right", no_wrap=True)
    last = None
    for one in figures:
        if one.library != last:
            table.add_section()
            table.add_row(f"[bold]{one.library}")
        last = one.library
        added = (f"{one.median:.1f}", f"{one.low:.1f} to {one.high:.1f}")
        row = (f"{one.parts['bare']:.1f}", f"{one.parts['protected']:.1f}", *added, str(one.samples))
        table.add_row(escape(one.label), *(added if narrow else row))
    return table


def _paired(figures: Iterable[Figure], title: str) -> Table:
    table = Table(title=title)
    table.add_column("what")
    for name in ("bare", "protected", "result", "quartiles"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in figures:
        table.add_row(
            one.label,
            f"{one.parts['bare']:,.0f}",
            f"{one.parts['protected']:,.0f}",
            _number(one.median, one.unit),
            "" if one.samples == 1 else f"{one.low:.2f} to {one.high:.2f}",
        )
    return table


def _single(figures: Iterable[Figure]) -> Table:
    table = Table(title="revocations, login and import")
    table.add_column("what")
    table.add_column("median", justify="right", no_wrap=True)
    table.add_column("quartiles", justify="right", no_wrap=True)
    for one in figures:
        table.add_row(one.label, _number(one.median, one.unit), f"{one.low:.2f} to {one.high:.2f}")
    return table


def _number(value: float, unit: str) -> str:
    return f"{value:+,.0f} {unit}" if unit == "instructions" else f"{value:.2f} {unit}"


def _targets(results: Results) -> Table:
    table = Table(title="targets")
    for name in ("figure", "target", "measured", "met"):
        table.add_column(name, overflow="fold")
    words = {True: "[green]yes", False: "[red]no", None: "[dim]-"}
    for one in results.verdicts():
        table.add_row(one.name, one.target, one.measured, words[one.met])
    return table
