"""What a model said of each machine, and what it means."""
