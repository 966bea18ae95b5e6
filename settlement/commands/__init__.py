"""Use cases: each reads, asks the chain if it must, and changes the books in one transaction."""
