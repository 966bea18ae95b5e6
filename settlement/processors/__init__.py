"""Payment processors behind one interface."""
