"""Every table, by what changes together. Importing this package fills the metadata."""

from returns.tables.banking import (
    BankAccount,
    BankFile,
    BankMovement,
    BankStatusFile,
    BankTransfer,
    PayeeAccount,
)
from returns.tables.books import (
    AuditRow,
    Event,
    IdempotencyRecord,
    InboxItem,
    JournalEntry,
    LedgerSeal,
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
from returns.tables.charges import OrderCharge
from returns.tables.credits import CreditHold, CreditLot, CreditUse
from returns.tables.lists import ListEntry, ListImport
from returns.tables.orders import (
    ApiKey,
    Dispute,
    Merchant,
    Order,
    OrderLine,
    Payment,
    PolicyActivation,
    PolicyRow,
)
from returns.tables.quotes import RateQuote
from returns.tables.reconciliation import Break, ReconciliationRun
from returns.tables.relay import (
    GasDay,
    Lane,
    RelayAttempt,
    RelayRule,
    RelaySlot,
    RelayTransaction,
)
from returns.tables.reviews import Appeal, Evidence, Proposal, ReviewLabel
from returns.tables.signals import Signal
from returns.tables.webhooks import WebhookDelivery, WebhookEndpoint, WebhookSecret

__all__ = [
    "ApiKey",
    "Appeal",
    "AuditRow",
    "Authorization",
    "BankAccount",
    "BankFile",
    "BankMovement",
    "BankStatusFile",
    "BankTransfer",
    "Block",
    "Break",
    "Chain",
    "ChainEvent",
    "CreditHold",
    "CreditLot",
    "CreditUse",
    "DecisionRow",
    "Dispute",
    "Event",
    "Evidence",
    "GasDay",
    "Hold",
    "IdempotencyRecord",
    "InboxItem",
    "IndexGap",
    "IndexScan",
    "JournalEntry",
    "Lane",
    "LedgerSeal",
    "Leg",
    "ListEntry",
    "ListImport",
    "Merchant",
    "Order",
    "OrderCharge",
    "OrderLine",
    "OutboxItem",
    "PayeeAccount",
    "Payment",
    "PolicyActivation",
    "PolicyRow",
    "Posting",
    "Proposal",
    "RateQuote",
    "ReconciliationRun",
    "RelayAttempt",
    "RelayRule",
    "RelaySlot",
    "RelayTransaction",
    "ReturnCase",
    "ReturnLine",
    "ReviewLabel",
    "Signal",
    "TokenTransfer",
    "WatchedContract",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookSecret",
]
