"""A fleet with known truth: wear, load, seasons, faulty sensors, failures, services."""
