"""Exchange rates: where they come from, and what an amount is worth at which of them."""
