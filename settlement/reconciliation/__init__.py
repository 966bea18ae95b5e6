"""Orders and ledger, processors and chain compared; what differs is a break."""
