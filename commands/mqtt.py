"""`wearwatch mqtt`: the bridge from an MQTT broker."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Annotated

import typer

from app.settings import get_settings
from commands.console import database

app = typer.Typer()


@app.command()
def mqtt(
    url: Annotated[str | None, typer.Option(help="The broker: mqtt://host:1883, or mqtts:// for TLS.")] = None,
    topic: Annotated[list[str] | None, typer.Option(help="Template of topics with JSON; may be repeated.")] = None,
    sparkplug: Annotated[str | None, typer.Option(help="Sparkplug B group to follow; + for all.")] = None,
    register_machines: Annotated[
        bool | None, typer.Option(help="Whether messages may register unknown machines.")
    ] = None,
) -> None:
    """Bring readings from an MQTT broker in: JSON or Sparkplug B, acknowledged after the commit; Ctrl-C stops.

    Options go before the settings WEARWATCH_MQTT_*, which also hold the user, the password's file and TLS.

    Example: `wearwatch mqtt --url mqtt://broker --topic 'plant/{line}/{machine}/readings' --sparkplug +`
    """
    from app.ingest.mqtt.bridge import prepare
    from app.logs import configure_logs

    given = {
        "mqtt_url": url,
        "mqtt_topics": ",".join(topic) if topic else None,
        "mqtt_sparkplug_group": sparkplug,
        "mqtt_register_machines": register_machines,
    }
    said = {name: value for name, value in given.items() if value is not None}
    settings = get_settings().model_copy(update=said)
    configure_logs(settings)
    with_database = prepare(settings)
    with database() as (engine, _):
        bridge = with_database(engine)

        def stop(_: int, __: FrameType | None) -> None:
            bridge.stop()

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        bridge.run()
