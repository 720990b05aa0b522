"""The outcome ledger: what became of every warning and every failure, kept for good."""
