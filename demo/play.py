"""The acts of the demonstration, on a running installation."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from chain.client import ChainClient
from demo import plant, report, wallets, witness
from demo.customers import Customers
from demo.faults import CannotPlay
from demo.killer import Killer
from demo.kinds import CRYPTO
from demo.oracle import DENIED, IN_REVIEW, SETTLED
from demo.plant import Mark
from demo.report import Result
from demo.scene import Options, Scene
from demo.shop import Shop
from demo.stack import Installation

_PATIENCE_S = 180.0


@dataclass
class Play:
    """One run. `started` is a reading of the monotonic clock."""

    options: Options
    scene: Scene
    installation: Installation
    console: Console
    started: float

    def __post_init__(self) -> None:
        self.about: dict[str, Any] = self.installation.about
        self.client = ChainClient(self.about["rpc"], timeout=20.0)
        self.shop = Shop(self.about)
        self.customers = Customers(self.shop, self.about, self.scene.expected)

    def run(self) -> tuple[Result, bool]:
        """All acts; returns the result, and whether everything was as it must be."""
        try:
            self._import_book()
            self._set_up_chain()
            self._play_customers()
            breaks = self._reconcile("--full")
            gas = self._look_from_outside()
            planted, found = self._plant() if self.options.plant else (set(), set())
        finally:
            self.shop.close()
        return self._result(breaks, planted, found, gas), not breaks and planted == found

    def _say(self, sentence: str) -> None:
        seconds = time.monotonic() - self.started
        self.console.print(f"{seconds:6.1f} s  {sentence}", markup=False)

    def _import_book(self) -> None:
        """The marketplace tells the product what it sold; the counts must be the file's own."""
        book = self.scene.book
        options = ["--map", "buyer_wallet=wallet", "--map", "tender=tender"]
        last_day = ["--last-day", self.scene.last_day.isoformat()]
        words = ["import", "sales", str(book.path), *options, *last_day]
        said = json.loads(self.installation.command(*words).strip().splitlines()[-1])
        counted = {"rows": book.rows, "imported": len(book.purchases), "known": 0}
        counted["rejected"] = book.rejected
        differing = {name: said[name] for name in counted if said[name] != counted[name]}
        if differing:
            raise CannotPlay(f"The import says {differing}; the file has {counted}.")
        self._say(
            f"{said['imported']} of {said['rows']} sales imported in {said['seconds']} s,"
            f" {said['rejected']} rejected."
        )

    def _set_up_chain(self) -> None:
        """Tokens to their buyers, then after their resales; charges and float for the refunds."""
        requests, collection = self.scene.requests, self.about["deployment"]["collection"]
        bought = [request.purchase for request in requests]
        self.shop.create_charges(bought)
        wallets.mint(self.client, collection, [(one, one.wallet) for one in bought])
        moved = wallets.follow_resales(self.client, collection, self.scene.book, requests)
        in_coin = [one for one in self.scene.expected if one.remedy == CRYPTO]
        wallets.top_up_float(self.client, self.about, sum(one.amount or 0 for one in in_coin))
        self._say(f"{len(bought)} tokens minted, {moved} resales followed on chain.")

    def _play_customers(self) -> None:
        killer = Killer(self.installation, self.options.seed)
        self.customers.open_all()
        self._say(f"{len(self.customers.cases)} returns asked for (composed requests).")
        self.customers.decide_all()
        self.customers.sign_all(self.options.kills, killer.strike)
        killed = f" Worker and relayer were killed {killer.kills} times." if killer.kills else ""
        self._say(f"Reviews decided, messages signed.{killed}")
        self.customers.wait_for_all(_PATIENCE_S)
        self._say("No case moves any more.")

    def _reconcile(self, how: str) -> set[Mark]:
        words = ("reconcile", how, "--merchant", self.about["merchant"], "--format", "json")
        said = json.loads(self.installation.command(*words, known=(0, 1)).strip().splitlines()[-1])
        breaks = {(one["code"], one["subject"]) for one in said["breaks"]}
        self._say(f"Reconciled: {len(breaks)} breaks.")
        return breaks

    def _look_from_outside(self) -> int:
        """Gas of all returns; what contradicts a case's end is noted on the case."""
        tokens = [request.purchase.token_id for request in self.scene.requests]
        evidence = witness.look(self.client, self.shop, self.about, tokens)
        vault = self.about["vault"]
        witness.testify(self.customers.cases, evidence, self.scene.book, vault)
        return evidence.gas

    def _plant(self) -> tuple[set[Mark], set[Mark]]:
        field = plant.Field(self.client, self.shop, self.about, self.customers.cases)
        planted = plant.plant_all(field)
        self._say(f"{len(planted)} breaks planted, one of each code.")
        # What was planted lies in the past: only a comparison of everything shows it.
        found = self._reconcile("--full")
        report.print_marks(self.console, "planted and not found", sorted(planted - found))
        report.print_marks(self.console, "found and not planted", sorted(found - planted))
        return planted, found

    def _result(self, breaks: set[Mark], planted: set[Mark], found: set[Mark], gas: int) -> Result:
        cases = self.customers.cases
        report.print_marks(self.console, "break", sorted(breaks))
        report.print_outcomes(self.console, cases)
        report.print_mismatches(self.console, cases)
        states = [case.state for case in cases]
        settled = states.count(SETTLED)
        return Result(
            returns=len(cases),
            settled=settled,
            denied=states.count(DENIED),
            in_review=states.count(IN_REVIEW),
            failed=sum(bool(report.mismatches(case)) for case in cases),
            breaks=len(breaks),
            planted=len(planted),
            found=len(found),
            gas_per_settled_return=gas // max(1, settled),
            seconds=round(time.monotonic() - self.started, 1),
        )
