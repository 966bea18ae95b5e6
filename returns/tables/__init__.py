"""Every table, by what changes together. Importing this package fills the metadata."""

from returns.tables.books import (
    AuditRow,
    Event,
    IdempotencyRecord,
    InboxItem,
    JournalEntry,
    OutboxItem,
    Posting,
)
from returns.tables.cases import Authorization, DecisionRow, Hold, Leg, ReturnCase, ReturnLine
from returns.tables.chain import (
    Block,
    Chain,
    ChainEvent,
    IndexGap,
    IndexScan,
    TokenTransfer,
    WatchedContract,
)
from returns.tables.orders import ApiKey, Merchant, Order, OrderLine, Payment, PolicyRow
from returns.tables.reconciliation import Break, ReconciliationRun
from returns.tables.relay import (
    GasDay,
    Lane,
    RelayAttempt,
    RelayRule,
    RelaySlot,
    RelayTransaction,
)

__all__ = [
    "ApiKey",
    "AuditRow",
    "Authorization",
    "Block",
    "Break",
    "Chain",
    "ChainEvent",
    "DecisionRow",
    "Event",
    "GasDay",
    "Hold",
    "IdempotencyRecord",
    "InboxItem",
    "IndexGap",
    "IndexScan",
    "JournalEntry",
    "Lane",
    "Leg",
    "Merchant",
    "Order",
    "OrderLine",
    "OutboxItem",
    "Payment",
    "PolicyRow",
    "Posting",
    "ReconciliationRun",
    "RelayAttempt",
    "RelayRule",
    "RelaySlot",
    "RelayTransaction",
    "ReturnCase",
    "ReturnLine",
    "TokenTransfer",
    "WatchedContract",
]
