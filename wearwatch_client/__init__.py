"""A client for sensors and gateways: readings are on disk when they are added, and sent until they are stored.

Python 3.11 or newer and nothing else; the folder can be installed alone with `pip install ./wearwatch_client`.
"""

from wearwatch_client.client import Client, Stats
from wearwatch_client.errors import ClientError, Closed, NotAReading, QueueFailed, QueueFull, QueueInUse

__all__ = ["Client", "ClientError", "Closed", "NotAReading", "QueueFailed", "QueueFull", "QueueInUse", "Stats"]
