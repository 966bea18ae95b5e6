"""Schema versions, applied by `returns.migrate`."""
