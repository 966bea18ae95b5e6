"""What a node's refusal of `eth_sendRawTransaction` means: one table for all clients.

Texts are matched without case and hyphens; the first line that fits decides. A node can be wrong or
lie, so no refusal is a verdict about an intent: it only says what to try next. What became of a
nonce is read from blocks.
"""

from __future__ import annotations

from enum import StrEnum

from chain.client import RpcError


class Fault(StrEnum):
    """What to do about a refusal."""

    KNOWN = "known"
    USED = "used"
    GAP = "gap"
    UNDERPRICED = "underpriced"
    CHEAP = "cheap"
    FUNDS = "funds"
    FULL = "full"
    NEVER = "never"
    LATER = "later"


#: (phrase, meaning, clients that say so)
TABLE: tuple[tuple[str, Fault, str], ...] = (
    ("already known", Fault.KNOWN, "Geth, Erigon, Reth RpcPoolError: the pool holds these bytes"),
    ("alreadyknown", Fault.KNOWN, "Nethermind AcceptTxResult.AlreadyKnown, spelled out since 2026"),
    ("already imported", Fault.KNOWN, "Anvil PoolError::AlreadyImported"),
    ("with same hash", Fault.KNOWN, "Erigon txpoolcfg.DuplicateHash"),
    ("known transaction", Fault.KNOWN, "Geth before 1.9, Besu"),
    ("nonce too low", Fault.USED, "Geth, Erigon, Reth, Anvil: the chain has used the nonce"),
    ("oldnonce", Fault.USED, "Nethermind AcceptTxResult.OldNonce"),
    ("nonce too high", Fault.GAP, "Geth, Anvil: an earlier nonce is missing"),
    ("noncegap", Fault.GAP, "Nethermind AcceptTxResult.NonceGap"),
    ("gapped nonce", Fault.GAP, "Geth and Reth, for accounts with delegated code"),
    ("too distant", Fault.GAP, "Besu NONCE_TOO_FAR_IN_FUTURE_FOR_SENDER"),
    ("replacement transaction underpriced", Fault.UNDERPRICED, "Geth, Erigon, Reth RpcPoolError"),
    ("replacementnotallowed", Fault.UNDERPRICED, "Nethermind AcceptTxResult.ReplacementNotAllowed"),
    ("could not replace existing tx", Fault.UNDERPRICED, "Erigon txpoolcfg.NotReplaced"),
    ("insufficient gas price to replace", Fault.UNDERPRICED, "Anvil PoolError"),
    ("less than block base fee", Fault.CHEAP, "Geth, Reth, Anvil ErrFeeCapTooLow"),
    ("below minimum required priority fee", Fault.CHEAP, "Reth PriorityFeeBelowMinimum"),
    ("transaction underpriced", Fault.CHEAP, "Geth, Reth: below the pool's minimum"),
    ("feetoolow", Fault.CHEAP, "Nethermind FeeTooLow and FeeTooLowToCompete"),
    ("fee too low", Fault.CHEAP, "Erigon txpoolcfg.FeeTooLow"),
    ("underpriced", Fault.CHEAP, "Erigon txpoolcfg.UnderPriced"),
    ("insufficient funds", Fault.FUNDS, "Geth, Erigon, Reth, Anvil"),
    ("insufficientfunds", Fault.FUNDS, "Nethermind AcceptTxResult.InsufficientFunds"),
    ("pool is full", Fault.FULL, "Geth ErrTxPoolOverflow, Erigon's sub-pools, Reth"),
    ("account limit exceeded", Fault.FULL, "Geth ErrAccountLimitExceeded"),
    ("in flight transaction limit", Fault.FULL, "Geth, for accounts with delegated code"),
    ("spammer", Fault.FULL, "Erigon: more of one account than its slots"),
    ("exceeds block gas limit", Fault.NEVER, "Geth, Reth ErrGasLimit"),
    ("gaslimitexceeded", Fault.NEVER, "Nethermind AcceptTxResult.GasLimitExceeded"),
    ("gas limit too high", Fault.NEVER, "Geth, Reth: above the most of EIP-7825"),
    ("gas limit is too high", Fault.NEVER, "Erigon txpoolcfg.GasLimitTooHigh"),
    ("exceeds max transaction gas limit", Fault.NEVER, "Reth MaxTxGasLimitExceeded"),
    ("greater than the block gas limit", Fault.NEVER, "Anvil TxGasLimitGreaterThanCap"),
    ("intrinsic gas too high", Fault.NEVER, "Anvil, Reth GasTooHigh: above the block's limit"),
    ("intrinsic gas too low", Fault.NEVER, "Geth, Reth, Anvil"),
    ("intrinsicgas", Fault.NEVER, "Erigon txpoolcfg.IntrinsicGas"),
    ("oversized data", Fault.NEVER, "Geth, Erigon, Reth ErrOversizedData"),
    ("exceeds the configured cap", Fault.LATER, "Geth and Reth: raise the node's rpc.txfeecap"),
)


def classify(error: RpcError) -> Fault:
    """The table's meaning of a refusal; what nobody knows is tried again later."""
    text = str(error).lower().replace("-", " ")
    return next((fault for phrase, fault, _ in TABLE if phrase in text), Fault.LATER)
