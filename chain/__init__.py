"""Speaks EVM: signs, verifies, sends, listens. The only folder that knows web3 and eth-account."""
