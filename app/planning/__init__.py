"""From risk to work: when to service which machine, and why."""
