"""The words of the domain: one spelling each, used by tables, API and rules alike."""

from enum import StrEnum


class Remedy(StrEnum):
    """What the customer gets for a line."""

    FIAT_REFUND = "fiat_refund"
    CRYPTO_REFUND = "crypto_refund"
    STORE_CREDIT = "store_credit"
    NOTHING = "nothing"


class Disposition(StrEnum):
    """What becomes of the token of a line."""

    VAULT = "vault"
    BURN = "burn"
    KEEP = "keep"
    RELEASE = "release"


#: A pair that is not listed is refused, whatever proposes it.
ALLOWED_PAIRS: frozenset[tuple[Remedy, Disposition]] = frozenset(
    {
        (Remedy.FIAT_REFUND, Disposition.VAULT),
        (Remedy.FIAT_REFUND, Disposition.BURN),
        (Remedy.FIAT_REFUND, Disposition.KEEP),
        (Remedy.CRYPTO_REFUND, Disposition.VAULT),
        (Remedy.STORE_CREDIT, Disposition.VAULT),
        (Remedy.STORE_CREDIT, Disposition.BURN),
        (Remedy.STORE_CREDIT, Disposition.KEEP),
        (Remedy.NOTHING, Disposition.KEEP),
        (Remedy.NOTHING, Disposition.RELEASE),
    }
)


class Verdict(StrEnum):
    """What a decision says. A model may move it down this list, never up."""

    APPROVE = "approve"
    REVIEW = "review"
    DENY = "deny"


class Tender(StrEnum):
    """How (a part of) an order was paid."""

    CARD = "card"
    WALLET = "wallet"
    BANK = "bank"
    GIFT_CARD = "gift_card"
    STORE_CREDIT = "store_credit"


#: The remedy that gives a tender back the way it came.
ORIGINAL: dict[Tender, Remedy] = {
    Tender.CARD: Remedy.FIAT_REFUND,
    Tender.BANK: Remedy.FIAT_REFUND,
    Tender.WALLET: Remedy.CRYPTO_REFUND,
    Tender.GIFT_CARD: Remedy.STORE_CREDIT,
    Tender.STORE_CREDIT: Remedy.STORE_CREDIT,
}

#: Tenders that a payment processor gives back; the others are credit of our own, or the chain's.
BY_PROCESSOR = (Tender.CARD, Tender.BANK)


class Split(StrEnum):
    """In which order the tenders of a purchase are given back, where it was paid by several."""

    PROPORTIONAL = "proportional"
    MONEY_FIRST = "money_first"
    CREDIT_FIRST = "credit_first"


class Fallback(StrEnum):
    """What becomes of a refund whose payment method does not exist any more."""

    PERSON = "person"
    STORE_CREDIT = "store_credit"


class Reason(StrEnum):
    """Why a customer returns, in the shop's words."""

    WRONG_TOKEN = "wrong_token"  # noqa: S105
    NOT_AS_DESCRIBED = "not_as_described"
    COUNTERFEIT = "counterfeit"
    METADATA_BROKEN = "metadata_broken"
    UNREVEALED = "unrevealed"
    UTILITY_MISSING = "utility_missing"
    DOUBLE_PURCHASE = "double_purchase"
    ACCIDENTAL = "accidental"
    UNAUTHORISED = "unauthorised"
    PRICE_REGRET = "price_regret"
    OTHER = "other"


class Want(StrEnum):
    """What the writer of a message wants."""

    REFUND = "refund"
    RETURN = "return"
    EXCHANGE = "exchange"
    STATUS = "status"
    OTHER = "other"
    UNKNOWN = "unknown"


class Bucket(StrEnum):
    """Whose matter a reason is, in the four words of help desks."""

    OUR_FAULT = "OUR_FAULT"
    PRODUCT_ISSUES = "PRODUCT_ISSUES"
    CUSTOMER = "CUSTOMER"
    UNKNOWN = "UNKNOWN"


class SignalAbout(StrEnum):
    """Whom a marketplace tells something about."""

    TOKEN = "token"  # noqa: S105
    CUSTOMER = "customer"
    WALLET = "wallet"
    ORDER = "order"


class LineState(StrEnum):
    """Where a return line is; `returns.lifecycle` says which moves exist."""

    REQUESTED = "requested"
    DENIED = "denied"
    IN_REVIEW = "in_review"
    AWAITING_EVIDENCE = "awaiting_evidence"
    APPEALED = "appealed"
    APPROVED = "approved"
    AWAITING_SIGNATURE = "awaiting_signature"
    DEPOSITING = "depositing"
    IN_CUSTODY = "in_custody"
    COMMITTING = "committing"
    SETTLING = "settling"
    SETTLED = "settled"
    RETURNING = "returning"
    RETURNED = "returned"
    RECLAIMED = "reclaimed"
    CANCELED = "canceled"
    EXPIRED = "expired"
    NEEDS_ATTENTION = "needs_attention"


class EvidenceKind(StrEnum):
    """What a person asked to see, and what was given."""

    ASKED = "asked"
    GIVEN = "given"


class ProposalState(StrEnum):
    """An approval above the limit: open until a second person, or another decision, closes it."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"


class LegKind(StrEnum):
    """One external effect of a line."""

    DEPOSIT = "deposit"
    COMMIT = "commit"
    PROCESSOR_REFUND = "processor_refund"
    CREDIT = "credit"
    SWAP = "swap"
    SETTLE = "settle"
    BURN = "burn"
    RELEASE = "release"


#: Legs that pay money.
PAYOUTS = (LegKind.PROCESSOR_REFUND, LegKind.CREDIT, LegKind.SWAP)


class LegState(StrEnum):
    """How far an effect is known to have got. Nothing is `sent` before a request has left us."""

    PLANNED = "planned"
    CLAIMED = "claimed"
    SENT = "sent"
    UNKNOWN = "unknown"
    CONFIRMED = "confirmed"
    FINAL = "final"
    FAILED = "failed"
    COMPENSATED = "compensated"


#: States in which the books take an effect for certain.
DONE = (LegState.CONFIRMED, LegState.FINAL)


class RefundStatus(StrEnum):
    """A refund as processors tell it, in the order in which a status can follow another.

    `failed` and `canceled` end it: money that was on its way, or there, has come back.
    """

    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


class DisputeStatus(StrEnum):
    """A chargeback: the money is with the customer while it is open, and stays there if lost."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


class MovementKind(StrEnum):
    """Why a processor's balance changed, as its own report says it."""

    CHARGE = "charge"
    REFUND = "refund"
    REFUND_FAILURE = "refund_failure"
    DISPUTE = "dispute"
    DISPUTE_REVERSAL = "dispute_reversal"
    FEE = "fee"
    PAYOUT = "payout"
    OTHER = "other"


class MatchState(StrEnum):
    """How a return line stands between the sides. `waiting`: something of it is still to come."""

    MATCHED = "matched"
    WAITING = "waiting"
    BROKEN = "broken"


class BreakOutcome(StrEnum):
    """What two people agreed about a break: put right, or left as it is for a written reason."""

    RESOLVED = "resolved"
    ACCEPTED = "accepted"


class AgeBucket(StrEnum):
    """How long a break has been open: under a day, a week, 30 days, or longer."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    OLDER = "older"


class RelayState(StrEnum):
    """What became of an intent. `sent`: it has a nonce, whose `SlotState` says the rest."""

    PENDING = "pending"
    SENT = "sent"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELED = "canceled"


class SlotState(StrEnum):
    """How far the bytes of a nonce have got, in the field's usual words."""

    SENT = "sent"
    SUBMITTED = "submitted"
    MINED = "mined"
    CONFIRMED = "confirmed"


class LaneMode(StrEnum):
    """Draining brings to its end what has a nonce and takes nothing new; paused sends nothing."""

    RUNNING = "running"
    DRAINING = "draining"
    PAUSED = "paused"


class LanePurpose(StrEnum):
    """What a lane's key is for: the calls that we owe, or gas for the other lanes."""

    OPERATE = "operate"
    TOP_UP = "top_up"


class WayIn(StrEnum):
    """How a token can reach the escrow, the easiest for its holder first."""

    PREAPPROVED = "preapproved"
    PERMIT = "permit"
    SEAPORT = "seaport"
    APPROVAL = "approval"
    NONE = "none"


class HoldState(StrEnum):
    """A token in escrow for a line."""

    HELD = "held"
    COMMITTED = "committed"
    SETTLED = "settled"
    BURNED = "burned"
    RELEASED = "released"
    RECLAIMED = "reclaimed"


class WatchKind(StrEnum):
    """What an address is whose logs are read."""

    ESCROW = "escrow"
    ZONE = "zone"
    COLLECTION = "collection"
    SEAPORT = "seaport"
    TREASURY = "treasury"


class TokenStandard(StrEnum):
    """By which standard a token moves."""

    ERC20 = "erc20"
    ERC721 = "erc721"
    ERC1155 = "erc1155"


class ActivationKind(StrEnum):
    """How a version of a policy came into force: agreed upon by two, or taken back to by one."""

    ACTIVATE = "activate"
    ROLLBACK = "rollback"


class ListKind(StrEnum):
    """What a list says of what stands on it. `anonymiser`: exits of VPN and Tor."""

    SANCTIONS = "sanctions"
    PHISHING = "phishing"
    BLOCK = "block"
    ALLOW = "allow"
    ANONYMISER = "anonymiser"


class ListSubject(StrEnum):
    """What the values of a list are: accounts, networks in CIDR, or the shop's customers."""

    ADDRESS = "address"
    NETWORK = "network"
    CUSTOMER = "customer"


class GapCode(StrEnum):
    """Why blocks are not known to be read in full."""

    SHORT_ANSWER = "short_answer"
    UNPROVEN = "unproven"
    WITNESS_DIFFERS = "witness_differs"
    UNFIT_LOG = "unfit_log"
    WRONG_HOLDER = "wrong_holder"


class ChainLevel(StrEnum):
    """How far a fact of the chain can be relied on."""

    PROVISIONAL = "provisional"
    CONFIRMED = "confirmed"
    FINAL = "final"


class PayloadStyle(StrEnum):
    """What a webhook carries: names alone, or the whole case as well."""

    THIN = "thin"
    FAT = "fat"


class DeliveryState(StrEnum):
    """How far a webhook has got. `dead`: given up; `skipped`: its endpoint was switched off."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    SKIPPED = "skipped"


class ChargeKind(StrEnum):
    """What the price of a token is made of."""

    ITEM = "item"
    TAX = "tax"
    ROYALTY = "royalty"
    PLATFORM_FEE = "platform_fee"
    GAS = "gas"


class CostBearer(StrEnum):
    """Who pays in the end for a part of a refund."""

    MERCHANT = "merchant"
    CUSTOMER = "customer"
    PLATFORM = "platform"
    CREATOR = "creator"


class RatePolicy(StrEnum):
    """At which rate a refund in another currency is worth what was paid.

    `lower` pays the lower value of the two, at purchase and now; `stable` pays what it was worth
    in fiat at purchase, in a stable coin of that currency.
    """

    THEN = "then"
    NOW = "now"
    LOWER = "lower"
    STABLE = "stable"


class CreditState(StrEnum):
    """What became of a lot of store credit."""

    OPEN = "open"
    SPENT = "spent"
    EXPIRED = "expired"
    REVOKED = "revoked"


class CreditHoldState(StrEnum):
    """What became of credit that was set aside for a checkout."""

    OPEN = "open"
    CAPTURED = "captured"
    RELEASED = "released"
    EXPIRED = "expired"
