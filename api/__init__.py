"""Lets people in: HTTP, pages, incoming webhooks, command line. No business rules."""
