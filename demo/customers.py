"""Plays the customers and the agents: opens cases, decides reviews, signs, waits for the end."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

from demo import signing
from demo.oracle import Expected
from demo.requests import Request
from demo.shop import Refused, Shop

THREADS = 8
#: Every so many requests are sent a second time, as an impatient customer does.
_TWICE = 10
#: States in which nothing more happens by itself.
ENDS = frozenset({"settled", "denied", "in_review"})
_POLL_S = 0.5


@dataclass
class Case:
    """A request and what has become of it; `view` is the API's last answer about it."""

    expected: Expected
    view: dict[str, Any] = field(default_factory=dict)
    token: str = ""
    problems: list[str] = field(default_factory=list)

    @property
    def request(self) -> Request:
        """What was asked."""
        return self.expected.request

    @property
    def rma(self) -> str:
        """The case's number; empty if it was never opened."""
        return str(self.view.get("rma", ""))

    @property
    def state(self) -> str:
        """Where the case is."""
        return str(self.view.get("state", "not opened"))

    @property
    def line(self) -> dict[str, Any]:
        """The case's only line; empty if it was never opened."""
        lines = self.view.get("lines") or [{}]
        first: dict[str, Any] = lines[0]
        return first


class Customers:
    """All customers of one run. Requests of one customer go in order, customers side by side."""

    def __init__(self, shop: Shop, about: dict[str, Any], expected: Sequence[Expected]) -> None:
        self._shop = shop
        self._about = about
        self.cases = [Case(one) for one in expected]

    def open_all(self) -> None:
        """Ask for every return."""
        queues: dict[str, list[Case]] = defaultdict(list)
        for case in self.cases:
            queues[case.request.purchase.customer].append(case)
        self._side_by_side(self._open_in_order, list(queues.values()))

    def decide_all(self) -> None:
        """Agents decide the reviews that they have a mind about."""
        self._side_by_side(self._decide, self._in_state("in_review"))

    def sign_all(self, interruptions: int, interrupt: Callable[[], None]) -> None:
        """Everybody who is offered a message reads and signs it.

        They do so in `interruptions` + 1 turns, with a call of `interrupt` after each but the last.
        """
        waiting, turns = self._in_state("awaiting_signature"), interruptions + 1
        for turn in range(turns):
            self._side_by_side(self._sign, waiting[turn::turns])
            if turn < interruptions:
                interrupt()

    def wait_for_all(self, patience_s: float) -> None:
        """Look again and again until every case has come to an end, or time is up."""
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            self._side_by_side(self._look, [case for case in self.cases if self._is_open(case)])
            if not any(map(self._is_open, self.cases)):
                return
            time.sleep(_POLL_S)

    def _is_open(self, case: Case) -> bool:
        return bool(case.rma) and case.state not in ENDS

    def _in_state(self, state: str) -> list[Case]:
        return [case for case in self.cases if case.state == state]

    def _side_by_side(self, act: Callable[[Any], None], items: Sequence[Any]) -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda item: self._guarded(act, item), items))

    def _guarded(self, act: Callable[[Any], None], item: Any) -> None:
        """What goes wrong with one case is noted on it; the others go on."""
        try:
            act(item)
        except (Refused, httpx.HTTPError) as fault:
            cases = [item] if isinstance(item, Case) else [c for c in item if not c.rma]
            for case in cases:
                case.problems.append(str(fault))

    def _open_in_order(self, cases: list[Case]) -> None:
        for case in cases:
            request = case.request
            case.token = self._shop.client_token(request.purchase.number)
            body, key = self._body(request), f"demo-{request.purchase.number}"
            case.view = self._shop.open_case(case.token, body, key)
            if request.place % _TWICE == 0:
                again = self._shop.open_case(case.token, body, key)
                if again != case.view:
                    case.problems.append("the same request, sent twice, got another answer")

    def _body(self, request: Request) -> dict[str, Any]:
        line = {
            "collection": self._about["deployment"]["collection"],
            "token_id": str(request.purchase.token_id),
        }
        if request.amount is not None:
            line["amount"] = str(request.amount)
        body = {
            "order": request.purchase.number,
            "lines": [line],
            "reason": "not_as_described",
            "remedy": request.remedy,
            "message": "Please take it back.",
        }
        named = {"wallet": request.wallet, "recipient": request.recipient}
        return body | {name: address for name, address in named.items() if address}

    def _decide(self, case: Case) -> None:
        request = case.request
        if request.agent is None:
            return
        body = {"line": case.line["line"], "decision": request.agent, "reason": "looked into it"}
        if request.agent_remedy is not None:
            body["remedy"] = request.agent_remedy
        case.view = self._shop.decide(case.rma, body)

    def _sign(self, case: Case) -> None:
        deployment = self._about["deployment"]
        remedy = case.expected.remedy or case.request.remedy
        wanted = signing.wanted(case.request, remedy, deployment, self._about["vault"])
        for offer in self._shop.authorizations(case.token, case.rma):
            typed_data = offer["typed_data"]
            lies = signing.lies(typed_data, wanted, deployment, int(time.time()))
            case.problems += lies
            if not lies:
                signature = signing.sign(case.request.signer, typed_data)
                case.view = self._shop.hand_in(case.token, case.rma, offer["line"], signature)

    def _look(self, case: Case) -> None:
        case.view = self._shop.case(case.rma)
