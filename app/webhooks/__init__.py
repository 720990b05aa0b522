"""Signed webhooks: what happened here, told to the programs of others, and told again until it was heard."""
