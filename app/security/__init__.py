"""Who may do what: API keys, people's sign-in, one declared policy per route."""
