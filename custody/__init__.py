"""Who holds the token and under which rule it may move."""
