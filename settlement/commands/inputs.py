"""What callers may send: strict shapes with limits. Unknown fields are refused."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from chain.addresses import ZERO, parse_address
from returns.errors import UndropError
from returns.money import CRYPTO_EXPONENTS, exponent_of, parse_amount
from returns.words import BY_PROCESSOR, Reason, Remedy, Tender


def _checked(parse: Any) -> Any:
    def check(value: object) -> Any:
        try:
            return parse(value)
        except UndropError as refusal:
            raise ValueError(str(refusal)) from refusal

    return check


def _party(value: object) -> str:
    """An account, or the zero address, which gives what is minted and takes what is burned."""
    return ZERO if value == ZERO else parse_address(value)


def _currency(value: object) -> str:
    exponent_of(str(value))
    return str(value)


def _connection(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise ValueError("it is not an IP address") from None


def _storable(text: str) -> str:
    """PostgreSQL stores no NUL, and no lone surrogate can be written as UTF-8."""
    if "\0" in text:
        raise ValueError("it contains a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError as fault:
        raise ValueError("it is not well-formed text") from fault
    return text


def _in_utc(moment: datetime) -> datetime:
    """The same instant in the form in which it is stored; the first and last hours have none."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as fault:
        raise ValueError("it is not a moment in UTC") from fault


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
Text = Annotated[str, AfterValidator(_storable)]
Amount = Annotated[int, BeforeValidator(_checked(parse_amount), json_schema_input_type=str)]
Address = Annotated[str, BeforeValidator(_checked(parse_address))]
Party = Annotated[str, BeforeValidator(_checked(_party))]
CurrencyCode = Annotated[str, BeforeValidator(_checked(_currency)), Field(max_length=8)]
CallData = Annotated[
    str,
    Field(max_length=2 + 2 * 100_000, pattern=r"^0x([0-9a-fA-F]{2})*$"),
    AfterValidator(str.lower),
]
#: An address of IPv4 or IPv6, as text.
Connection = Annotated[str, Field(max_length=45), AfterValidator(_connection)]
#: A reason that somebody has written, for the audit.
Written = Annotated[Text, Field(min_length=3, max_length=1000)]
Name = Annotated[Text, Field(min_length=1, max_length=100, pattern=r"^[\w.:#@+/-]+$")]


class Input(BaseModel):
    """Refuses what it does not know, and never turns one type into another."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OrderLineIn(Input):
    """One purchased token; `price` in minor units of the order's currency."""

    collection: Address
    token_id: Amount
    price: Amount


class PaymentIn(Input):
    """What came in by one tender, or in one capture of it.

    A card or a bank pays in a fiat currency, a wallet in a crypto currency: they are paid back the
    same way. Gift cards and store credit are the merchant's own.
    """

    tender: Tender
    processor: Annotated[str, Field(max_length=32, pattern=r"^[a-z_]+$")]
    reference: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[\w:-]+$")]
    currency: CurrencyCode
    captured: Amount

    @model_validator(mode="after")
    def _tender_fits(self) -> Self:
        is_crypto, wallet = self.currency in CRYPTO_EXPONENTS, self.tender is Tender.WALLET
        if is_crypto is not wallet and self.tender in (*BY_PROCESSOR, Tender.WALLET):
            raise ValueError(f"a {self.tender.value} does not pay in {self.currency}")
        return self


class OrderIn(Input):
    """A purchase as the marketplace tells it."""

    number: Name
    placed_at: Moment
    customer: Name
    buyer_wallet: Address | None = None
    channel: Annotated[str, Field(max_length=32, pattern=r"^[a-z_]+$")] = "web"
    lines: Annotated[list[OrderLineIn], Field(min_length=1, max_length=50)]
    payments: Annotated[list[PaymentIn], Field(min_length=1, max_length=10)]

    @model_validator(mode="before")
    @classmethod
    def _is_one_payment(cls, told: Any) -> Any:
        """`payment` is short for `payments` with one in it."""
        if isinstance(told, dict) and "payment" in told and "payments" not in told:
            told = {**told, "payments": [told["payment"]]}
            del told["payment"]
        return told

    @model_validator(mode="after")
    def _is_paid_alike(self) -> Self:
        tenders = {payment.tender for payment in self.payments}
        if len({payment.currency for payment in self.payments}) > 1:
            raise ValueError("an order is paid in one currency; send two orders")
        if Tender.WALLET in tenders and len(self.payments) > 1:
            raise ValueError("a wallet pays an order alone: token and refund change places at once")
        references = {(payment.processor, payment.reference) for payment in self.payments}
        if len(references) != len(self.payments):
            raise ValueError("one payment stands twice")
        return self

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        captured = sum(payment.captured for payment in self.payments)
        if sum(line.price for line in self.lines) != captured:
            raise ValueError("the prices of the lines do not sum to what was captured")
        tokens = [(line.collection, line.token_id) for line in self.lines]
        if len(set(tokens)) != len(tokens):
            raise ValueError("one token stands on two lines")
        return self


class ReturnLineIn(Input):
    """A token to be returned. Without an amount the whole price is asked for."""

    collection: Address
    token_id: Amount
    amount: Amount | None = None


class ReturnIn(Input):
    """A request to return purchased tokens of one order."""

    order: Name
    lines: Annotated[list[ReturnLineIn], Field(min_length=1, max_length=50)]
    reason: Reason
    remedy: Remedy
    message: Annotated[Text, Field(max_length=2000)] = ""
    wallet: Address | None = Field(
        default=None, description="holds the tokens; the buyer's if left out"
    )
    recipient: Address | None = Field(
        default=None, description="of a crypto refund; the wallet if left out"
    )
    ip: Connection | None = Field(
        default=None, description="of the customer's connection, told by the shop's back end"
    )


class SignatureIn(Input):
    """The signature of one line's authorization."""

    line: Annotated[str, Field(max_length=36)]
    signature: Annotated[str, Field(max_length=8194)]


class MoveIn(Input):
    """An asset that changes hands. The coin is named as in EIP-7528; an ERC-721's amount is 1."""

    asset: Address
    sender: Party = Field(alias="from")
    recipient: Party = Field(alias="to")
    amount: Amount
    token_id: Amount | None = Field(default=None, description="of an ERC-721 or ERC-1155")


class RelayIn(Input):
    """A transaction to be sent from a lane of this installation, if a rule allows it."""

    chain_id: Annotated[int, Field(strict=True, ge=1, lt=2**63)]
    to: Address
    data: CallData = "0x"
    value: Amount = Field(default=0, description="wei that it carries")
    expects: Annotated[list[MoveIn], Field(max_length=100)] | None = Field(
        default=None,
        description="every asset change that it must make, besides the coin in `value`; "
        "if left out, it may take no asset of the lane's account",
    )
    case: Annotated[Text, Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="a reference of your own; gas is budgeted by it"
    )
    customer: Name | None = Field(default=None, description="gas is budgeted by it")
    send_by: Moment | None = Field(
        default=None,
        description="until then it may wait for a cheap block; if left out, not at all",
    )
    expires_at: Moment | None = Field(default=None, description="after that it is not sent")
