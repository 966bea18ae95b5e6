"""What is known at the decision time: the only thing that a decision may look at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from operator import attrgetter
from typing import Any, get_type_hints

from returns.errors import RequestMalformed
from returns.words import Reason, Remedy, Tender
from triage.canonical import record_json, sha256_hex
from triage.kinds import (
    Address,
    Amount,
    Count,
    Country,
    Currency,
    Flag,
    Kind,
    Moment,
    Names,
    Text,
    kind_of,
)

ZERO_ADDRESS = "0x" + "0" * 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One line of a request and its surroundings. None is "not known", never "none".

    Amounts are minor units of `currency`. Addresses are kept in lower case and times in UTC, so
    that the same facts have one spelling and one hash. Histories count up to the line, which is NOT
    counted itself; lines before it in the same request are. "Other" customers, and what they did,
    are of the same merchant. Raises `FieldInvalid`, `AmountInvalid` or `CurrencyUnknown` for a
    value that cannot be a fact.
    """

    # -- the line and what is asked for it -----------------------------------------------------
    merchant: Text
    order: Text
    collection: Address
    token_id: Amount
    currency: Currency
    #: What was paid for this line, and how much of it is granted back or pending already.
    paid: Amount
    already_refunded: Amount
    requested: Amount
    remedy: Remedy
    tender: Tender
    reason: Reason
    message: Text
    #: Where the order came from: "web", "agent", the name of a marketplace.
    channel: Text = "web"
    #: Whether the requester has proven a right to this purchase.
    purchase_proven: Flag | None = None
    #: Whether the card or account that paid can no longer be paid back.
    tender_expired: Flag | None = None
    #: Whether the payment is disputed at the processor.
    dispute_open: Flag | None = None
    #: Parts of what was paid that went to the creator and to the marketplace.
    royalty: Amount | None = None
    platform_fee: Amount | None = None
    #: What the return's own transactions are expected to cost.
    gas_cost: Amount | None = None

    # -- when, by clock and by block -----------------------------------------------------------
    purchased_at: Moment
    requested_at: Moment
    delivered_at: Moment | None = None
    revealed_at: Moment | None = None
    purchased_block: Count | None = None
    requested_block: Count | None = None
    #: From when until when a pass or membership may be used.
    valid_from: Moment | None = None
    valid_until: Moment | None = None

    # -- the token, as chain and marketplace tell it -------------------------------------------
    #: Owner of the token at the decision time.
    holder: Address | None = None
    revealed: Flag | None = None
    #: Perks, airdrops and claims taken with the token since the purchase.
    perks_claimed: Count | None = None
    #: Offered for sale elsewhere; staked, fractionalised or pledged; lent out (ERC-4907).
    listed: Flag | None = None
    locked: Flag | None = None
    rented: Flag | None = None
    #: False for a token that is bound to its holder (ERC-5192).
    transferable: Flag | None = None
    #: Whether its contract refuses all transfers for now.
    paused: Flag | None = None
    moves_since_purchase: Count | None = None
    #: How often it has come back to a holder that it had before.
    round_trips: Count | None = None
    #: 1 is the rarest of `supply` tokens.
    rarity_rank: Count | None = None
    supply: Count | None = None
    #: Floor or last price of the collection at purchase and now.
    price_then: Amount | None = None
    price_now: Amount | None = None

    # -- wallets -------------------------------------------------------------------------------
    #: The wallet that the purchase was delivered to; for a payment by wallet also the payer.
    buyer_wallet: Address | None = None
    #: The wallet that the requester proved or named. None: the buyer's wallet is expected to sign.
    requester_wallet: Address | None = None
    #: Who is to get a payout in crypto. None: whoever holds the token.
    recipient: Address | None = None
    #: The claimant's first known movement, and how many are known.
    wallet_since: Moment | None = None
    wallet_moves: Count | None = None
    #: Lists that name somebody here, as "kind/role": "sanctions/holder", "allow/customer". None:
    #: no lists have been imported, so that nobody has been looked for.
    on_lists: Names | None = None
    #: The kinds of lists that were looked into.
    lists_searched: Names | None = None

    # -- the customer --------------------------------------------------------------------------
    customer_since: Moment | None = None
    #: Earlier returns, settled or open.
    returns_7d: Count | None = None
    returns_30d: Count | None = None
    returns_90d: Count
    returns_365d: Count
    #: Orders in the 365 days before the request, this one included.
    orders_365d: Count
    #: Median price of the customer's other purchases in this currency.
    usual_price: Amount | None = None
    #: Earlier lines that a person approved although the policy denied them.
    goodwill_365d: Count | None = None
    #: Earlier requests for this very purchase that a person had, and denied or saw withdrawn.
    stopped_before: Count | None = None
    chargebacks_365d: Count | None = None
    #: Earlier requests that said the token never arrived.
    nonreceipt_365d: Count | None = None
    identity_verified: Flag | None = None
    #: Buys as a consumer, not for a trade.
    consumer: Flag | None = None
    #: Asked for the content at once and acknowledged that the right to withdraw is lost by it.
    withdrawal_waived: Flag | None = None
    billing_country: Country | None = None
    delivery_country: Country | None = None
    #: Of the connection that the request came by.
    connection_country: Country | None = None

    # -- whoever shares something with the customer --------------------------------------------
    #: Other customers with the same payout, wallet, device, connection or first funder.
    shared_payout: Count | None = None
    shared_wallet: Count | None = None
    shared_device: Count | None = None
    shared_ip: Count | None = None
    shared_funder: Count | None = None
    #: Returns of the claimant's wallet, whoever the customer was.
    wallet_returns_7d: Count | None = None
    wallet_returns_30d: Count | None = None
    wallet_returns_90d: Count | None = None
    wallet_returns_365d: Count | None = None
    #: Returns of all customers who share something, these included.
    cluster_returns_365d: Count | None = None

    def __post_init__(self) -> None:
        for name, (kind, optional), value in zip(
            FACT_NAMES, _KINDS.values(), _ALL(self), strict=True
        ):
            if value is not None or not optional:
                fit = kind.check(name, value)
                if fit is not value:
                    object.__setattr__(self, name, fit)

    @property
    def remainder(self) -> int:
        """Minor units that can still be given back; zero if more was granted than paid."""
        return max(0, self.paid - self.already_refunded)

    @property
    def claimant(self) -> str | None:
        """The wallet that would have to sign: the requester's, or else the buyer's."""
        return self.requester_wallet or self.buyer_wallet

    @property
    def payee(self) -> str | None:
        """The wallet that a payout would reach; None where no wallet is paid (card, credit)."""
        if self.recipient is None and self.remedy is Remedy.CRYPTO_REFUND:
            return self.claimant
        return self.recipient

    def to_json(self) -> str:
        """Write canonical JSON: amounts and the token id as strings, times as UTC with `Z`.

        What is not known is left out.
        """
        return record_json(
            {
                name: kind.write(value)
                for name, (kind, _), value in zip(
                    FACT_NAMES, _KINDS.values(), _ALL(self), strict=True
                )
                if value is not None
            }
        )

    @property
    def facts_hash(self) -> str:
        """SHA-256 (hex) of `to_json`."""
        return sha256_hex(self.to_json())

    @classmethod
    def from_json(cls, text: str | bytes) -> Facts:
        """Read what `to_json` wrote; raises as the constructor, and `RequestMalformed`.

        A fact that is absent or null is not known; one that has no name here is refused.
        """
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as bad:
            raise RequestMalformed(problem="it is not JSON") from bad
        if not isinstance(content, dict):
            raise RequestMalformed(problem="it is not an object of facts")
        return cls.from_content(content)

    @classmethod
    def from_content(cls, content: Mapping[str, Any]) -> Facts:
        """The same from JSON that was read already."""
        for name in content:
            if name not in _KINDS:
                raise RequestMalformed(problem=f"there is no fact named {name[:60]!r}")
        for name in REQUIRED_FACTS:
            if content.get(name) is None:
                raise RequestMalformed(problem=f"the fact {name!r} is missing")
        return cls(**{name: _KINDS[name][0].read(name, value) for name, value in _known(content)})


def read_facts(content: Mapping[str, Any]) -> dict[str, Any]:
    """Some facts from JSON, each checked; what is null is left out. Raises as `Facts` does."""
    found = {}
    for name, value in content.items():
        if name not in _KINDS:
            raise RequestMalformed(problem=f"there is no fact named {name[:60]!r}")
        if value is not None:
            kind = _KINDS[name][0]
            found[name] = kind.check(name, kind.read(name, value))
    return found


def write_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Some facts as JSON has them."""
    return {name: _KINDS[name][0].write(value) for name, value in facts.items()}


def _known(content: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in content.items() if value is not None]


#: How each fact is checked, written and read, and whether it may be unknown.
_KINDS: dict[str, tuple[Kind[Any], bool]] = {
    name: kind_of(hint) for name, hint in get_type_hints(Facts, include_extras=True).items()
}

#: The names of all facts, and those that every request has.
FACT_NAMES = tuple(_KINDS)
_ALL = attrgetter(*FACT_NAMES)
REQUIRED_FACTS = tuple(field.name for field in fields(Facts) if field.default is MISSING)


def facts_schema() -> dict[str, Any]:
    """A JSON Schema of facts as others hand them in: the merchant is known by who asks."""
    required = [name for name in REQUIRED_FACTS if name != "merchant"]
    properties = {name: kind.schema for name, (kind, _) in _KINDS.items()}
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
