"""What the client raises, each with one clear sentence.

ClientError
├── NotAReading     what was given cannot be a reading, whoever reads it; nothing was queued
├── QueueFull       the disk queue has no room; nothing was queued
├── QueueFailed     the disk did not take it; nothing was queued
├── QueueInUse      another client has this queue
└── Closed          the client was closed
"""

from __future__ import annotations


class ClientError(Exception):
    """Base of the tree."""


class NotAReading(ClientError, ValueError):
    pass


class QueueFull(ClientError):
    pass


class QueueFailed(ClientError):
    pass


class QueueInUse(ClientError):
    pass


class Closed(ClientError):
    pass
