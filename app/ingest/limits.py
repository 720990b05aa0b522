"""Every bound on what a sender may send, in one table that docs/limits.md prints."""

from __future__ import annotations

from typing import NamedTuple

from app import request_head
from app.ingest import body, committer, decode, group, plausibility
from app.ingest.influx import cutting
from app.ingest.influx import decode as influx_decode
from app.ingest.mqtt import inbox, sparkplug_wire


class Limit(NamedTuple):
    """setting: whose default in Settings is the bound, where it can be set. answer: what a sender is told then."""

    what: str
    bound: str
    answer: str
    setting: str | None = None


LIMITS: tuple[Limit, ...] = (
    Limit("Head of a request", f"{request_head.MOST_HEAD_BYTES >> 10} KiB", "431, the connection ends"),
    Limit("Time for the head to arrive", f"{request_head.MOST_HEAD_SECONDS:g} s", "the connection ends"),
    Limit("Body as sent", "", "413", "max_body_bytes"),
    Limit("Body after gunzip", "", "413; a bomb is never unpacked", "max_decompressed_bytes"),
    Limit("Members of a gzip body", f"{body.MOST_GZIP_MEMBERS:,}", "400"),
    Limit("Time for the body to arrive", f"{body.SECONDS_TO_ARRIVE} s", "408"),
    Limit(
        f"All bodies a process receives at a time; one of up to {body.ALWAYS_ROOM_BYTES >> 10} KiB always may",
        "",
        f"503, Retry-After {body.RETRY_AFTER_SECONDS}",
        "max_bytes_under_way",
    ),
    Limit("Readings or lines in a request", "", "422, for line protocol 413; nothing is stored", "max_rows"),
    Limit("Values in a JSON body", f"{decode.MOST_TOKENS:,}", "422, nothing is stored"),
    Limit("Values in a body of line protocol", f"{influx_decode.MOST_COMMAS:,}", "413, nothing is stored"),
    Limit("Length of a line of line protocol", f"{cutting.LONGEST_LINE:,} bytes", "the line is named"),
    Limit("Depth of a reading", "2: the reading and its `extra`", "the reading is named"),
    Limit("Name of a machine or channel", f"{plausibility.LONGEST_NAME} characters", "the reading is named"),
    Limit("Extra channels of a reading", f"{plausibility.MOST_EXTRA_CHANNELS}", "the reading is named"),
    Limit("Value of an extra channel", f"±{plausibility.LARGEST_EXTRA:g}", "the reading is named"),
    Limit("Time ahead of ours", "", "the reading is named", "max_future"),
    Limit("Time before ours", f"back to {plausibility.EARLIEST:%Y}", "the reading is named"),
    *(
        Limit(f"`{channel}`", f"{low:,.7g} to {high:,.7g} {unit}", "the reading is named")
        for channel, (low, high, unit) in plausibility.LIMITS.items()
    ),
    Limit(
        "Readings of today that wait for their commit",
        f"{committer.MOST_ROWS_WAITING:,} in {committer.MOST_REQUESTS_WAITING:,} requests",
        f"429, Retry-After {committer.RETRY_AFTER_SECONDS}",
    ),
    Limit(
        "Older readings that wait",
        f"{committer.MOST_BACKFILL_ROWS_WAITING:,}",
        f"429, Retry-After {committer.BACKFILL_RETRY_AFTER_SECONDS}",
    ),
    Limit("MQTT message", "", "refused with a reason, kept, acknowledged", "mqtt_max_message_bytes"),
    Limit("Metrics of a Sparkplug payload", f"{sparkplug_wire.MOST_METRICS:,}", "refused with a reason, kept"),
    Limit(
        "MQTT messages of QoS 0 that wait",
        f"{inbox.MOST_UNACKNOWLEDGED_WAITING:,} or {inbox.MOST_UNACKNOWLEDGED_BYTES >> 20} MiB",
        "what does not fit is lost and counted; QoS 1 waits in the broker",
    ),
    Limit(
        "Refused readings kept of a commit and sender",
        f"{group.MOST_LEDGER_ROWS:,}, the first {plausibility.LONGEST_PAYLOAD:,} characters of each",
        "all are named and counted",
    ),
)
