"""One purchase and its return, played from outside through HTTP: for tests of running stacks."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from eth_account import Account
from eth_account.messages import encode_typed_data

from chain import account
from chain.client import ChainClient
from chain.contracts import Deployment, encode_call
from chain.local import ADMIN, CUSTOMERS, anvil_keys
from chain.signers import LocalSigner

_TENDER = {"crypto_refund": "wallet", "fiat_refund": "card", "store_credit": "card"}


@dataclass
class Walk:
    """A shop, its processor and its chain, and customers with a wallet each: few share one."""

    api: str
    api_key: str
    rpc: str
    processor: str
    processor_key: str
    deployment: Deployment

    def __post_init__(self) -> None:
        self._chain = ChainClient(self.rpc)
        keys = anvil_keys()
        self._customers = [Account.from_key(keys[index]) for index in CUSTOMERS]
        headers = {"Authorization": f"Bearer {self.api_key}"}
        self._http = httpx.Client(base_url=self.api, headers=headers, timeout=20)

    def _customer(self, token_id: int) -> Any:
        return self._customers[token_id % len(self._customers)]

    def buy(self, token_id: int, remedy: str) -> str:
        """Mint a token, charge its price, tell the order; returns the order's number."""
        price = 10**18 if _TENDER[remedy] == "wallet" else 12_345
        wallet = self._customer(token_id).address.lower()
        call = encode_call("ReturnableNFT", "mintBatch", [wallet], [token_id], [price])
        minter = LocalSigner(anvil_keys()[ADMIN])
        account.send(self._chain, minter, to=self.deployment.collection, data=call)
        order = self._order(token_id, price, _TENDER[remedy])
        if _TENDER[remedy] == "card":
            self._charge(order["payment"])
        self._http.put("/v1/orders", json={"orders": [order]}).raise_for_status()
        return str(order["number"])

    def ask(self, number: str, token_id: int, remedy: str) -> str:
        """Request the return and sign; returns the RMA number."""
        token = self._http.post("/v1/client-tokens", json={"order": number}).json()["token"]
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": f"ask-{number}"}
        line = {"collection": self.deployment.collection, "token_id": str(token_id)}
        body = {"order": number, "lines": [line], "reason": "accidental", "remedy": remedy}
        answer = self._http.post("/v1/returns", json=body, headers=headers)
        answer.raise_for_status()
        rma = str(answer.json()["rma"])
        path = f"/v1/returns/{rma}/authorization"
        offered = self._http.get(path, headers=headers).json()["authorizations"][0]
        message = encode_typed_data(full_message=offered["typed_data"])
        signature = "0x" + self._customer(token_id).sign_message(message).signature.hex()
        given = {"line": offered["line"], "signature": signature}
        self._http.post(path, json=given, headers=headers).raise_for_status()
        return rma

    def wait(self, rmas: list[str], patience_s: float = 90) -> dict[str, str]:
        """States of the cases once all rest, or when patience is over."""
        end = time.monotonic() + patience_s
        while True:
            states = {rma: str(self.case(rma)["state"]) for rma in rmas}
            if set(states.values()) <= {"settled", "needs_attention"} or time.monotonic() > end:
                return states
            time.sleep(0.5)

    def case(self, rma: str) -> dict[str, Any]:
        """A case as the API shows it."""
        answer: dict[str, Any] = self._http.get(f"/v1/returns/{rma}").raise_for_status().json()
        return answer

    def _order(self, token_id: int, price: int, tender: str) -> dict[str, Any]:
        on_card = tender == "card"
        line = {"collection": self.deployment.collection, "token_id": str(token_id)}
        return {
            "number": f"order-{token_id}",
            "placed_at": (datetime.now(UTC) - timedelta(days=2)).isoformat(),
            "customer": f"customer-{token_id}",
            "buyer_wallet": self._customer(token_id).address,
            "lines": [{**line, "price": str(price)}],
            "payment": {
                "tender": tender,
                "processor": "sandbox" if on_card else "chain",
                "reference": f"ch_{token_id}" if on_card else f"0x{token_id:064x}",
                "currency": "USD" if on_card else "ETH",
                "captured": str(price),
            },
        }

    def _charge(self, payment: dict[str, Any]) -> None:
        charge = {"id": payment["reference"], "amount": payment["captured"], "currency": "USD"}
        httpx.post(
            f"{self.processor}/v1/charges",
            json={"charges": [charge]},
            headers={"Authorization": f"Bearer {self.processor_key}"},
        ).raise_for_status()
