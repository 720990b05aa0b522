"""The command line's rooms; wearwatch.py puts them together."""
