"""What people see: pages, charts and the live stream."""
