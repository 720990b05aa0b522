"""A simulated plant that lives on under a policy: what it shows, who decides, and what that costs."""
