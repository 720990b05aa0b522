"""CSV files as the three imports read them: a checked header, rows with line numbers, a report of refused lines."""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from app.errors import BadInput

Progress = Callable[[float], None]
Row = tuple[int, list[str]]

# Spreadsheets of many countries write semicolons; the header tells, since no column name holds one.
DELIMITERS = ",;\t"
# A longer line is not a row of ours but a file without line ends.
LONGEST_LINE_BYTES = 1 << 20
LINES_PER_PROGRESS = 2_000


@dataclass(frozen=True)
class ImportReport:
    """What became of the rows of a file. `read` counts all of them; refused ones are named in `report_path`."""

    read: int
    added: int
    already_there: int
    rejected: int
    report_path: Path | None
    merged: int = 0
    conflicts: int = 0
    notes: tuple[str, ...] = ()


class Rejects:
    """Writes `<file>.rejected.csv` beside the file, from the first refused line on."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(path.name + ".rejected.csv")
        self.count = 0
        self._file: IO[str] | None = None

    def add(self, line: int, reason: str) -> None:
        self.count += 1
        self.note(line, reason)

    @property
    def written(self) -> bool:
        return self._file is not None

    def note(self, line: int, reason: str) -> None:
        """Something to know about a line that was not refused."""
        if self._file is None:
            self._open()
        csv.writer(self._file).writerow([line, reason])  # type: ignore[arg-type]

    def _open(self) -> None:
        try:
            self._file = self.path.open("w", encoding="utf-8", errors="backslashreplace", newline="")
        except OSError as error:
            raise BadInput(f"The report {self.path} cannot be written: {error.strerror}.") from error
        csv.writer(self._file).writerow(["line", "reason"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()


class CsvRows:
    """The rows of one open file: iterate for (line number, cells in the order of `columns`), `reject` what is bad.

    Lines that cannot be read, or have another number of cells than the header, are rejected here; blank lines do
    not count. A row's line number is that of its last line.
    """

    def __init__(self, path: Path, file: IO[bytes], rejects: Rejects, progress: Progress) -> None:
        self.path = path
        self.rejects = rejects
        self.read = 0
        self.columns: list[str] = []
        self._file = file
        self._progress = progress
        self._size = max(path.stat().st_size, 1)
        self._bytes = 0
        self._line = 0
        self._fault: str | None = None
        self._reader = self._open_reader()

    def __iter__(self) -> Iterator[Row]:
        width = len(self.columns)
        first = self._line
        for cells in self._rows():
            if cells:
                self.read += 1
                fault = self._fault or _width_fault(cells, width)
                if fault:
                    lines = self._line - first
                    swallowed = f" A quote left open swallowed the {lines} lines up to here." if lines > 1 else ""
                    self.reject(self._line, fault + swallowed)
                else:
                    yield self._line, cells
            self._fault = None
            first = self._line
        if self.read == 0:
            raise BadInput(f"{self.path.name} has a header but no rows.")
        self._progress(1.0)

    def reject(self, line: int, reason: str) -> None:
        self.rejects.add(line, reason)

    def note(self, line: int, reason: str) -> None:
        """Name a line in the report without refusing it."""
        self.rejects.note(line, reason)

    def report(
        self, added: int, already_there: int, *, merged: int = 0, conflicts: int = 0, notes: tuple[str, ...] = ()
    ) -> ImportReport:
        path = self.rejects.path if self.rejects.written else None
        return ImportReport(self.read, added, already_there, self.rejects.count, path, merged, conflicts, notes)

    def check_columns(self, needed: Collection[str], optional: Collection[str] | None) -> None:
        """Raises BadInput where a needed column is missing, one comes twice or, given `optional`, is unknown."""
        name = self.path.name
        missing = [column for column in needed if column not in self.columns]
        if missing:
            has = ", ".join(self.columns)
            raise BadInput(f"{name} lacks the column {' and '.join(missing)}; its header is: {has[:300]}.")
        for column in self.columns:
            if not column:
                raise BadInput(f"{name} has a column without a name.")
            if self.columns.count(column) > 1:
                raise BadInput(f"{name} has the column {column!r} twice.")
            if optional is not None and column not in needed and column not in optional:
                hint = did_you_mean(column, [*needed, *optional])
                raise BadInput(f"{name} has the unknown column {column!r}{hint}.")

    def _open_reader(self) -> Iterator[list[str]]:
        header = next(self._lines(), "").removeprefix("\ufeff")
        if not header.strip():
            raise BadInput(f"{self.path.name} {'has no header line' if header else 'is empty'}.")
        if self._fault:
            raise BadInput(f"{self.path.name} is not a CSV file in UTF-8.")
        delimiter = max(DELIMITERS, key=header.count)
        try:
            cells = next(csv.reader([header], delimiter=delimiter))
        except csv.Error as error:
            raise BadInput(f"The header of {self.path.name} cannot be read: {error}.") from error
        self.columns = [cell.strip() for cell in cells]
        return csv.reader(self._lines(), delimiter=delimiter, strict=True)

    def _rows(self) -> Iterator[list[str]]:
        while True:
            try:
                yield next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._fault = f"The line cannot be read: {error}."
                yield [""]

    def _lines(self) -> Iterator[str]:
        while raw := self._file.readline(LONGEST_LINE_BYTES):
            self._line += 1
            self._bytes += len(raw)
            if self._line % LINES_PER_PROGRESS == 0:
                self._progress(min(self._bytes / self._size, 1.0))
            if b"\0" in raw:
                self._fault = "The line holds a NUL character."
            try:
                yield raw.decode()
            except UnicodeDecodeError:
                self._fault = "The line is not UTF-8."
                yield raw.decode(errors="replace")


@contextmanager
def open_csv(
    path: Path, needed: Collection[str], progress: Progress, *, optional: Collection[str] | None = None
) -> Iterator[CsvRows]:
    """Open a file and check its header. Without `optional`, any column beyond the needed ones is welcome."""
    rejects = Rejects(path)
    try:
        file = path.open("rb")
        rejects.path.unlink(missing_ok=True)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from error
    with file, rejects:
        rows = CsvRows(path, file, rejects, progress)
        rows.check_columns(needed, optional)
        yield rows


def did_you_mean(name: str, known: Collection[str]) -> str:
    """`; did you mean temperature_c?` or nothing; a word to append to a sentence about an unknown name."""
    close = get_close_matches(name[:100].lower(), known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}" if close else ""


def _width_fault(cells: list[str], width: int) -> str | None:
    return None if len(cells) == width else f"The line has {len(cells)} cells, the header has {width}."
