"""The batch side seen from the service: what the worker does, and asking it to train."""
