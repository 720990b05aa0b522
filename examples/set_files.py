"""Reading a public set's files, plain or gzipped, and saying in one sentence what is wrong with them."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn, TextIO


def stop(sentence: str) -> NoReturn:
    """Leave with a non-zero exit and one sentence."""
    raise SystemExit(f"error: {sentence}")


def open_set_file(folder: Path, name: str, origin: str) -> TextIO:
    """`folder/name` or `folder/name.gz`."""
    if not folder.is_dir():
        stop(f"{folder} is not a folder. {origin}")
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="")
    stop(f"neither {name} nor {name}.gz is in {folder}. {origin}")


def table(
    folder: Path, name: str, columns: Sequence[str], origin: str, *, separator: str = ","
) -> Iterator[dict[str, str]]:
    """The rows of a CSV file that must have these columns."""
    with open_set_file(folder, name, origin) as file:
        try:
            reader = csv.DictReader(file, delimiter=separator)
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            if missing:
                stop(f"{name} has no column {', '.join(missing)}.")
            for row in reader:
                if any(row[column] is None for column in columns):
                    stop(f"{name}, line {reader.line_num}: too few fields.")
                yield row
        except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
            stop(f"{name} cannot be read: {error}.")


def write(out: Path, name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Write a CSV file into `out`, made if missing; the number of rows."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with (out / name).open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            count = 0
            for row in rows:
                writer.writerow(row)
                count += 1
    except OSError as error:
        stop(f"{out / name} cannot be written: {error.strerror}.")
    print(f"{out / name}: {count:,} rows")
    return count
