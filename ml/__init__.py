"""The batch side: features, models and jobs. It imports app and is never imported by it."""
