"""Bank transfers: files of payments out (pain.001), files of answers in (pain.002)."""
