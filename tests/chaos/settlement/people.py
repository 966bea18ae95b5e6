"""Customers, who ask, sign and perhaps take back; and the desk, which decides the rest."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import httpx
from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from tests.chaos.chain.evidence import Node
from tests.chaos.settlement.agenda import Agenda, ask
from tests.chaos.settlement.house import House
from tests.chaos.settlement.purchases import Purchase

_AUTHORIZATION = (
    "(bytes32,address,address,address,uint256,uint256,uint8,address,uint256,address,"
    "uint48,uint48,uint48)"
)
_RECLAIM = keccak(text=f"reclaim({_AUTHORIZATION},address)")[:4]
_STATE_OF = keccak(text="stateOf(bytes32)")[:4]
#: The escrow's words for a line that can be taken back, and for one that it is too late for.
HELD, COMMITTED = 1, 2
_PATIENCE_S = 10.0
_GAS, _TIP, _FEE = 400_000, 2 * 10**9, 200 * 10**9
#: How often the desk tries to go on before it gives the token back, if it can.
_TRIES = 4
_PAGE = 100


def state_of(node: Node, escrow: str, line: str, block: str = "latest") -> int:
    """What the escrow says of a line, by the line's name on chain."""
    call = {"to": escrow, "data": "0x" + (_STATE_OF + bytes.fromhex(line[2:])).hex()}
    return int(node.call("eth_call", call, block), 16)


class Customers:
    """Everybody who bought something. `problems`: refusals that nobody should have met."""

    def __init__(self, house: House, agendas: Sequence[Agenda], bought: Sequence[Purchase]) -> None:
        self.problems: list[str] = []
        self._house, self._agendas, self._bought = house, agendas, bought
        self._by_number = {one.number: one for one in bought}
        self._collection = house.deployment.collection
        self._shop = _client(house, "shop")

    def prepare(self) -> None:
        """What was bought, as shop and processor know it."""
        times = 9 if self._house.sabotaged else 1
        charges = [
            charge | {"amount": str(int(charge["amount"]) * times)}
            for one in self._bought
            for charge in one.charges()
        ]
        bearer = {"Authorization": f"Bearer {self._house.processor_key}"}
        url = f"{self._house.processor}/v1/charges"
        _until(lambda: httpx.post(url, json={"charges": charges}, headers=bearer))
        orders = [one.order(self._collection) for one in self._bought]
        answer = _until(lambda: self._shop.put("/v1/orders", json={"orders": orders}, timeout=60))
        refused = [one for one in answer.json()["results"] if one["result"] == "refused"]
        if refused:
            raise SystemExit(f"orders were refused: {refused[:3]}")

    def begin(self) -> None:
        """Each at its time."""
        for one in self._bought:
            self._after(one, one.at, self._ask)

    def sign_again(self, order: str) -> None:
        """The desk has approved once more."""
        one = self._by_number[order]
        self._after(one, 0.2, self._sign)

    def _after(self, one: Purchase, seconds: float, deed: Callable[[Purchase], None]) -> None:
        """Everything of one customer is done by one hand, one after the other."""
        self._agendas[one.index % len(self._agendas)].after(seconds, lambda: deed(one))

    def _ask(self, one: Purchase) -> None:
        headers = self._right_to(one) | {"Idempotency-Key": f"ask-{one.number}"}
        body = one.request(self._collection)
        answer = ask(self._shop, "POST", "/v1/returns", json=body, headers=headers)
        if answer.is_error:
            self.problems.append(f"{one.number}: {answer.text[:300]}")
            return
        one.rma = answer.json()["rma"]
        self._after(one, one.sign_after, self._sign)

    def _right_to(self, one: Purchase) -> dict[str, str]:
        answer = ask(self._shop, "POST", "/v1/client-tokens", json={"order": one.number})
        return {"Authorization": f"Bearer {answer.raise_for_status().json()['token']}"}

    def _sign(self, one: Purchase) -> None:
        """What is offered, if anything is; too late, or decided otherwise, is no fault."""
        headers, path = self._right_to(one), f"/v1/returns/{one.rma}/authorization"
        offered = ask(self._shop, "GET", path, headers=headers).json()["authorizations"]
        for offer in offered:
            if offer["signed"]:
                continue
            message = encode_typed_data(full_message=offer["typed_data"])
            signature = "0x" + Account.sign_message(message, one.key).signature.hex()
            given = {"line": offer["line"], "signature": signature}
            answer = ask(self._shop, "POST", path, json=given, headers=headers)
            one.message = offer["typed_data"]["message"]
            if answer.is_success and one.kind == "racer":
                due = int(one.message["reclaimAfter"]) + 0.2 - time.time()
                self._after(one, max(0.0, due), self._reclaim)

    def _reclaim(self, one: Purchase) -> None:
        """As soon as the date is over, unless it is too late; again if a reorg undid it."""
        line = one.message["line"]
        name = line if isinstance(line, str) else "0x" + bytes(line).hex()
        state = state_of(self._house.node(), self._house.deployment.escrow, name)
        if state in (0, HELD):
            if state == HELD:
                self._send_reclaim(one, name)
            self._after(one, 1.0, self._reclaim)
        else:
            self._after(one, 5.0, self._reclaim)

    def _send_reclaim(self, one: Purchase, name: str) -> None:
        told = one.message
        line = bytes.fromhex(name[2:])
        addresses = [told[part] for part in ("vault", "holder", "token")]
        numbers = [int(told["tokenId"]), int(told["amount"]), int(told["remedy"])]
        dates = [int(told[part]) for part in ("deadline", "reclaimAfter", "commitUntil")]
        refund = [told["asset"], int(told["refund"]), told["recipient"]]
        values = [(line, *addresses, *numbers, *refund, *dates), one.wallet]
        transaction = {
            "chainId": self._house.deployment.chain_id,
            "nonce": self._house.node().count(one.wallet),
            "to": to_checksum_address(self._house.deployment.escrow),
            "data": "0x" + (_RECLAIM + encode([_AUTHORIZATION, "address"], values)).hex(),
            "gas": _GAS,
            "maxFeePerGas": _FEE,
            "maxPriorityFeePerGas": _TIP,
            "value": 0,
        }
        raw = Account.sign_transaction(transaction, one.key).raw_transaction
        # Known already, or too early by the chain's clock: it is tried again.
        self._house.node().answers([("eth_sendRawTransaction", ("0x" + raw.hex(),))])


class Desk:
    """Lets lines that need attention go on, or gives their token back; approves once more."""

    def __init__(
        self, house: House, agenda: Agenda, customers: Customers, seed: int, disputed: set[str]
    ) -> None:
        self.decided: Counter[str] = Counter()
        self._agenda, self._customers = agenda, customers
        self._disputed = disputed
        self._http = _client(house, "desk")
        self._draw = random.Random(f"{seed}:desk")
        self._tries: Counter[str] = Counter()
        self._next: dict[str, float] = {}

    def begin(self) -> None:
        """A look every other moment."""
        self._agenda.after(0.5, self._look)

    def _look(self) -> None:
        try:
            answer = ask(self._http, "GET", f"/v1/reviews?limit={_PAGE}")
            for item in answer.raise_for_status().json()["reviews"]:
                if self._next.get(item["line"], 0.0) <= time.monotonic():
                    self._attend(item)
        finally:
            self._agenda.after(1.0, self._look)

    def _attend(self, item: dict[str, Any]) -> None:
        line, tries = item["line"], self._tries[item["line"]]
        self._tries[line] += 1
        self._next[line] = time.monotonic() + 2.0
        decision = self._choose(item, tries)
        body = {"line": line, "decision": decision, "reason": "as the desk sees it"}
        path = f"/v1/reviews/{item['rma']}/decision"
        answer = ask(self._http, "POST", path, json=body)
        self.decided[f"{decision} {answer.status_code}"] += 1
        if answer.is_success and decision == "approve":
            self._customers.sign_again(item["order"])

    def _choose(self, item: dict[str, Any], tries: int) -> str:
        if item["state"] == "in_review":
            return "approve" if tries < 2 else "deny"
        if item["order"] in self._disputed or item["disposition"] == "keep":
            # Whose bank may have paid, or who has the token: there is nothing to give back.
            return "retry"
        weary = tries >= _TRIES and tries % 2 == 0
        return "release" if weary or self._draw.random() < 0.1 else "retry"


def _client(house: House, who: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {house.keys[who]}"}
    return httpx.Client(base_url=house.api, headers=headers, timeout=_PATIENCE_S)


def _until(send: Any, patience_s: float = 90.0) -> httpx.Response:
    """Until it is answered: at the beginning everybody is still getting up."""
    end = time.monotonic() + patience_s
    while True:
        try:
            answer: httpx.Response = send()
            if answer.is_success:
                return answer
            problem = answer.text[:300]
        except httpx.HTTPError as fault:
            problem = repr(fault)
        if time.monotonic() > end:
            raise SystemExit(f"nobody answers: {problem}")
        time.sleep(0.3)
