"""Looks at the ends of the cases from outside: owners on chain, refunds on chain, the processor.

What the product says of itself is not asked here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chain.client import ChainClient
from chain.contracts import decode_event, encode_call
from demo.book import Book
from demo.customers import Case
from demo.keys import wallet_of
from demo.kinds import CRYPTO, FIAT
from demo.oracle import SETTLED
from demo.shop import Shop

#: Events of the escrow that serve a return; what else happens there is set-up.
_OF_RETURNS = frozenset({"Deposited", "Committed", "Settled", "Burned", "Released", "Swapped"})


@dataclass(frozen=True)
class Evidence:
    """What chain and processor show: owner by token id, payouts by case's line (recipient, wei),
    refunds by charge (cents, status), gas of all transactions that served a return."""

    owners: dict[int, str]
    payouts: dict[str, list[tuple[str, int]]]
    refunds: dict[str, list[tuple[int, str]]]
    gas: int


def look(client: ChainClient, shop: Shop, about: dict[str, Any], tokens: Sequence[int]) -> Evidence:
    """Ask the chain and the processor."""
    escrow = about["deployment"]["escrow"]
    logs = client.logs_between(about["deployment"]["block"], client.block_number(), escrow)
    decoded = [(decode_event("ReturnEscrow", log), log["transactionHash"]) for log in logs]
    payouts: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for event, _ in decoded:
        if event is not None and event.name == "Swapped":
            paid = (event.args["recipient"], int(event.args["refund"]))
            payouts[event.args["line"]].append(paid)
    served = {tx for event, tx in decoded if event is not None and event.name in _OF_RETURNS}
    return Evidence(
        owners=_owners(client, about["deployment"]["collection"], tokens),
        payouts=payouts,
        refunds=_refunds(shop),
        gas=_gas(client, sorted(served)),
    )


def testify(cases: Sequence[Case], evidence: Evidence, book: Book, vault: str) -> None:
    """Note on each case what contradicts its expected end."""
    for case in cases:
        case.problems += _contradictions(case, evidence, book, vault)


def _contradictions(case: Case, evidence: Evidence, book: Book, vault: str) -> list[str]:
    expected, purchase = case.expected, case.request.purchase
    settled = expected.end == SETTLED
    owner = vault if settled else wallet_of(book.holder_name(purchase))
    recipient = case.request.recipient or wallet_of(case.request.signer)
    paid_coin = settled and expected.remedy == CRYPTO
    paid_card = settled and expected.remedy == FIAT
    holder = wallet_of(case.request.signer)
    line = "0x" + holder[-32:] + str(case.line.get("line", "")).replace("-", "")
    pairs: list[tuple[str, object, object]] = [
        ("owner of the token", evidence.owners.get(purchase.token_id), owner),
        (
            "payouts on chain",
            evidence.payouts.get(line, []),
            [(recipient, expected.amount)] if paid_coin else [],
        ),
        (
            "refunds at the processor",
            evidence.refunds.get(purchase.charge, []),
            [(expected.amount, "succeeded")] if paid_card else [],
        ),
    ]
    return [f"{what}: {found} instead of {want}" for what, found, want in pairs if found != want]


def _owners(client: ChainClient, collection: str, tokens: Sequence[int]) -> dict[int, str]:
    calls = [
        {"to": collection, "data": "0x" + encode_call("ReturnableNFT", "ownerOf", token).hex()}
        for token in tokens
    ]
    words = client.batch([("eth_call", (call, "latest")) for call in calls])
    return {
        token: "0x" + word[-40:]
        for token, word in zip(tokens, words, strict=True)
        if isinstance(word, str)
    }


def _refunds(shop: Shop) -> dict[str, list[tuple[int, str]]]:
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    offset = 0
    while page := shop.processor("GET", f"/v1/refunds?offset={offset}")["refunds"]:
        for refund in page:
            found[refund["charge"]].append((int(refund["amount"]), refund["status"]))
        offset += len(page)
    return found


def _gas(client: ChainClient, hashes: list[str]) -> int:
    receipts = client.batch([("eth_getTransactionReceipt", (one,)) for one in hashes])
    return sum(int(receipt["gasUsed"], 16) for receipt in receipts)
