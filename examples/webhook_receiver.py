"""Receives Wearwatch's webhooks and prints the IBM Maximo work order that each is; needs Python alone.

  WEBHOOK_SECRET=whsec_... python examples/webhook_receiver.py --port 9000

Put your call to Maximo where the order is printed. docs/webhooks.md and docs/cmms.md say what is behind this.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import os
import sqlite3
import sys
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

TOLERANCE_SECONDS = 5 * 60
LARGEST_BODY = 1 << 20
STATUS = {
    "proposed": "WAPPR",
    "accepted": "APPR",
    "scheduled": "APPR",
    "in_progress": "INPRG",
    "done": "COMP",
    "cancelled": "CAN",
}
WORK_TYPE = {"routine": "PM", "failed": "EM"}


def is_authentic(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """By Standard Webhooks: a signature of id, time and body as they came, not older than a few minutes."""
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    expected = b"v1," + base64.b64encode(signed)
    given = headers.get("webhook-signature", "").encode().split(b" ")
    return any(hmac.compare_digest(expected, each) for each in given)


def maximo_order(order: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of WORKORDER. SITEID and ASSETNUM are the plant's own names here; map them where yours differ."""
    found = order["finding"] or {}
    status = STATUS[order["state"]]
    # Maximo cancels nothing that was begun.
    if status == "CAN" and order["started_at"]:
        status = "CLOSE"
    mapped = {
        "externalrefid": f"wearwatch-{order['id']}",
        "siteid": order["site"],
        "assetnum": order["machine"],
        "description": order["work"] or "Service proposed by Wearwatch",
        "status": status,
        "worktype": WORK_TYPE.get(found.get("outcome"), "PM" if order["plan_id"] else "CM"),
        "targcompdate": order["due_at"],
        "schedstart": order["scheduled_start"],
        "schedfinish": order["scheduled_end"],
        "actstart": order["started_at"],
        "actfinish": order["ended_at"],
        "problemcode": found.get("mode"),
    }
    return {name: value for name, value in mapped.items() if value is not None}


class Known:
    """What was received, on disk: the same message or an older version of an order is not worked at again."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path)
        self._database.execute("CREATE TABLE IF NOT EXISTS messages (id TEXT PRIMARY KEY)")
        self._database.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, version INTEGER)")

    def take(self, message_id: str, message: Mapping[str, Any]) -> bool:
        """Whether it is news. What is done with it belongs into this transaction, or into a queue beside it."""
        with self._database as transaction:
            if transaction.execute("INSERT OR IGNORE INTO messages VALUES (?)", [message_id]).rowcount == 0:
                return False
            if not message["type"].startswith("work_order."):
                return True
            order = message["data"]
            newer = "INSERT INTO orders VALUES (:id, :version) ON CONFLICT (id) DO UPDATE SET version = :version"
            given = {"id": order["id"], "version": order["version"]}
            return transaction.execute(f"{newer} WHERE :version > version", given).rowcount > 0


def handler(secret: str, known: Known) -> type[BaseHTTPRequestHandler]:
    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", "0"))
            body = self.rfile.read(min(length, LARGEST_BODY))
            if not is_authentic(secret, self.headers, body, time.time()):
                self.send_error(401)
                return
            message = json.loads(body)
            if known.take(self.headers["webhook-id"], message):
                is_order = message["type"].startswith("work_order.")
                print(json.dumps(maximo_order(message["data"]) if is_order else message), flush=True)
            self.send_response(204)
            self.end_headers()

        def log_request(self, code: object = "-", size: object = "-") -> None:
            """Without the query, where a token may stand."""
            print(f"{self.command} {self.path.partition('?')[0]} {code}", file=sys.stderr)

    return Receiver


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--known", type=Path, default=Path("received.sqlite"), help="what was received, kept here")
    given = parser.parse_args()
    secret = os.environ.get("WEBHOOK_SECRET", "")
    if not secret.startswith("whsec_"):
        sys.exit("Set WEBHOOK_SECRET to the secret that making the webhook answered with.")
    server = HTTPServer((given.host, given.port), handler(secret, Known(given.known)))
    print(f"listening on http://{given.host}:{server.server_port}/", file=sys.stderr, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
