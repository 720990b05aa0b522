"""Hazard models: every one predicts, per interval, the probability of failing given survival so far."""
