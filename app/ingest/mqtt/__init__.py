"""Readings from an MQTT broker: message -> rows -> committed -> only then acknowledged."""
