"""InfluxDB's way of sending readings: line protocol, and the few addresses that its clients call."""
