"""Machines, and what happened to them: failures, services, fault codes."""
