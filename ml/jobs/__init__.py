"""What the worker does: roll up, train, score, plan. Thin: the work itself stands in the rooms beside."""
