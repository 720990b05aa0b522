"""Work orders: from the plan to what was found; the findings become the events that training learns from."""
