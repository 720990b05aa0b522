"""Where the broker is and who we are to it: settings -> options, with one sentence for what cannot be."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from app.errors import BadInput
from app.settings import Settings

PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True)
class Access:
    host: str
    port: int
    client_id: str
    username: str | None
    password: str | None
    tls: ssl.SSLContext | None

    def __repr__(self) -> str:
        return f"Access({self.host}:{self.port}, {self.client_id})"


def access(settings: Settings) -> Access:
    """Raises BadInput."""
    scheme, host, port = _address(settings.mqtt_url)
    # Compose files hand on variables that are not set as empty ones.
    username, password = settings.mqtt_username or None, _password(settings) or None
    if password is not None and username is None:
        raise BadInput("WEARWATCH_MQTT_USERNAME is missing; a password alone says nothing to a broker.")
    tls = _tls(settings) if scheme == "mqtts" else None
    if tls is None and (settings.mqtt_ca_file or settings.mqtt_cert_file):
        raise BadInput(
            "WEARWATCH_MQTT_URL begins with mqtt://, which is not encrypted; certificates need mqtts://."
        )
    return Access(host, port, settings.mqtt_client_id, username, password, tls)


def _address(url: str) -> tuple[str, str, int]:
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise BadInput("WEARWATCH_MQTT_URL is no address like mqtt://broker:1883.") from error
    if parts.username or parts.password:
        # Addresses end up in logs and process lists.
        raise BadInput(
            "WEARWATCH_MQTT_URL holds a user or password; use WEARWATCH_MQTT_USERNAME and ..._PASSWORD_FILE."
        )
    if parts.scheme not in PORTS or not parts.hostname or parts.path.strip("/") or parts.query:
        raise BadInput("WEARWATCH_MQTT_URL is an address like mqtt://broker:1883 or mqtts://broker:8883.")
    return parts.scheme, parts.hostname, port or PORTS[parts.scheme]


def _password(settings: Settings) -> str | None:
    if settings.mqtt_password_file is None:
        return settings.mqtt_password.get_secret_value() if settings.mqtt_password else None
    if settings.mqtt_password is not None:
        raise BadInput("Set WEARWATCH_MQTT_PASSWORD or WEARWATCH_MQTT_PASSWORD_FILE, not both.")
    try:
        return settings.mqtt_password_file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"WEARWATCH_MQTT_PASSWORD_FILE cannot be read: {_why(error)}.") from error


def _tls(settings: Settings) -> ssl.SSLContext:
    ca_file: Path | None = settings.mqtt_ca_file
    try:
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except (OSError, ssl.SSLError) as error:
        raise BadInput(f"WEARWATCH_MQTT_CA_FILE cannot be used: {_why(error)}.") from error
    if settings.mqtt_cert_file:
        try:
            context.load_cert_chain(settings.mqtt_cert_file, settings.mqtt_key_file)
        except (OSError, ssl.SSLError) as error:
            raise BadInput(f"WEARWATCH_MQTT_CERT_FILE or ..._KEY_FILE cannot be used: {_why(error)}.") from error
    return context


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
