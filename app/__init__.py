"""The service: readings in, stored predictions and plans out. It never runs a model."""
