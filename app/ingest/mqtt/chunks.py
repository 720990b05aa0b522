"""Messages that were read -> batches for the committer, and what to do with those that cannot be stored. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from app.errors import WearwatchError
from app.ingest.actions import received
from app.ingest.columns import NO_ROWS, join
from app.ingest.decode import Decoded
from app.ingest.group import MOST_LEDGER_ROWS, Batch
from app.ingest.mqtt.inbox import Message
from app.ingest.mqtt.sparkplug import Read
from app.ingest.plausibility import LONGEST_PAYLOAD, Rejection
from app.security.principal import Principal


@dataclass(frozen=True)
class Chunk:
    """Messages that are stored together; `is_refusal` where only the fact that one was refused is stored."""

    reads: Sequence[Read]
    batch: Batch
    is_refusal: bool = False


def in_chunks(reads: Sequence[Read], sender: Principal) -> list[Chunk]:
    """No more rows in each than the ledger of refused readings takes of a batch, so that each refusal is kept."""
    chunks: list[Chunk] = []
    start = rows = 0
    for end, read in enumerate(reads):
        if rows and rows + read.decoded.count > MOST_LEDGER_ROWS:
            chunks.append(_chunk(reads[start:end], sender))
            start, rows = end, 0
        rows += read.decoded.count
    return [*chunks, _chunk(reads[start:], sender)] if rows else chunks


def divided(chunk: Chunk, sender: Principal, error: Exception) -> list[Chunk]:
    """Halves of a chunk that the database refuses for what it holds; a single message is refused whole."""
    if len(chunk.reads) > 1:
        middle = len(chunk.reads) // 2
        halves = (chunk.reads[:middle], chunk.reads[middle:])
        return [part for half in halves for part in in_chunks(half, sender)]
    [read] = chunk.reads
    message: Message = read.ticket
    reason = f"the database cannot store this message ({type(error).__name__})"
    payload = f"{message.topic} {message.body[:LONGEST_PAYLOAD].decode(errors='replace')}"
    refused = Decoded(NO_ROWS, np.empty(0, np.int64), [Rejection(0, None, reason, None, payload)], 1)
    return [Chunk(chunk.reads, received(refused, sender), is_refusal=True)]


def passes(error: Exception) -> bool:
    """Whether waiting helps: the database is away, full or not of this version, or too much waits already."""
    return isinstance(error, WearwatchError | SQLAlchemyError) and not isinstance(error, DataError | IntegrityError)


def _chunk(reads: Sequence[Read], sender: Principal) -> Chunk:
    parts = [read.decoded.columns for read in reads if len(read.decoded.columns)]
    columns = join(parts) if parts else NO_ROWS
    rejected = [each for read in reads for each in read.decoded.rejected]
    decoded = Decoded(columns, np.arange(len(columns)), rejected, len(columns) + len(rejected))
    return Chunk(reads, received(decoded, sender))
