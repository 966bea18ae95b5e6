"""A desk that pays by bank, and the bank's answers as files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from defusedxml.ElementTree import fromstring
from desk import POLICY, Desk, order_body

from returns.tables import BankFile, BankTransfer, Leg
from returns.words import LegKind
from settlement.commands import bank_answers, bank_files, orders, payees
from settlement.commands.bank_answers import Taken
from settlement.commands.inputs import OrderIn
from settlement.commands.payee_inputs import PayeeIn
from settlement.processors.bank import BankProcessor

IBANS = ("DE89370400440532013000", "FR1420041010050500013M02606", "NL91ABNA0417164300")
OWN = "AT611904300234573201"
_OUT = {"p": "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"}


class Bank:
    """What the shop, the treasury and the bank do with one desk."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.processor = BankProcessor(desk.runtime.database, desk.clock)
        desk.runtime.processors[BankProcessor.name] = self.processor
        desk.use_policy(POLICY.replace("caps:\n", 'caps:\n  EUR: "999999999999"\n', 1))
        self._sold = self._answered = 0

    def open(self) -> None:
        bank_files.set_account(
            self.desk.runtime, self.desk.merchant.id, "Demo Märkte & Co", OWN, None, "test"
        )

    def payee(self, customer: str, iban: str = IBANS[0], holder: str = "Jörg Müßig") -> Any:
        given = PayeeIn(holder=holder, iban=iban)
        return payees.put_payee(self.desk.runtime, self.desk.shop, customer, given)

    def sell(self, price: int = 1000, *, known: bool = True) -> OrderIn:
        """An order that was paid by bank, in EUR."""
        self._sold += 1
        number, token = f"B-{self._sold}", 90_000 + self._sold
        self.desk.chain.give(token, order_body(number, [token])["buyer_wallet"])
        body = order_body(number, [token], price)
        body["payment"] |= {"processor": "bank", "currency": "EUR"}
        order = OrderIn.model_validate(body | {"placed_at": self.desk.clock().isoformat()})
        (result,) = orders.put_orders(self.desk.runtime, self.desk.merchant.id, [order])
        assert result.result == orders.STORED
        if known:
            self.payee(order.customer, IBANS[self._sold % len(IBANS)])
        return order

    def owe(self, price: int = 1000, *, known: bool = True) -> tuple[str, Leg]:
        """A return whose refund is with the bank processor; its case and its leg."""
        rma = self.desk.ask(self.sell(price, known=known))["rma"]
        self.desk.sign(rma)
        self.desk.run()
        return rma, self.desk.leg(rma, LegKind.PROCESSOR_REFUND)

    def export(self) -> BankFile | None:
        return bank_files.export(self.desk.runtime, self.desk.merchant.id, "test")

    def take(self, file: Path) -> Taken:
        taken = bank_answers.import_status(self.desk.runtime, self.desk.merchant.id, file, "test")
        self.desk.run()
        return taken

    def answer(self, folder: Path, file: BankFile, **said: Any) -> Path:
        """A status file; see `answer`."""
        self._answered += 1
        path = folder / f"answer-{self._answered}.xml"
        path.write_bytes(answer(file, said.pop("message", f"bank-{self._answered}"), **said))
        return path

    def transfer(self, leg: Leg) -> BankTransfer:
        return self.desk.rows(BankTransfer, BankTransfer.leg_id == leg.id)[0]


def sent(file: BankFile) -> list[dict[str, str]]:
    """The payments of a pain.001 file, as a bank reads them."""
    return [
        {
            "reference": one.findtext("p:PmtId/p:EndToEndId", "", _OUT),
            "amount": one.findtext("p:Amt/p:InstdAmt", "", _OUT),
            "currency": one.find("p:Amt/p:InstdAmt", _OUT).get("Ccy"),
            "holder": one.findtext("p:Cdtr/p:Nm", "", _OUT),
            "iban": one.findtext("p:CdtrAcct/p:Id/p:IBAN", "", _OUT),
            "note": one.findtext("p:RmtInf/p:Ustrd", "", _OUT),
        }
        for one in fromstring(file.content).iter(f"{{{_OUT['p']}}}CdtTrfTxInf")
    ]


def answer(
    file: BankFile,
    message: str,
    *,
    group: str | None = None,
    block: str | None = None,
    transfers: Mapping[str, Mapping[str, str]] | None = None,
    changes: Mapping[str, str] | None = None,
    version: str = "pain.002.001.10",
) -> bytes:
    """A pain.002 document about a file.

    `transfers`: {EndToEndId: {"code", "reason", "note", "amount"}}; `changes`: other texts for
    elements of the original group, None to leave one out.
    """
    root = Element("Document", xmlns=f"urn:iso:std:iso:20022:tech:xsd:{version}")
    body = SubElement(root, "CstmrPmtStsRpt")
    _texts(SubElement(body, "GrpHdr"), {"MsgId": message, "CreDtTm": "2026-03-03T08:00:00Z"})
    told = {
        "OrgnlMsgId": file.message_id,
        "OrgnlMsgNmId": "pain.001.001.09",
        "OrgnlNbOfTxs": str(file.transfers),
        "OrgnlCtrlSum": f"{file.total // 100}.{file.total % 100:02d}",
        "GrpSts": group,
    }
    _texts(SubElement(body, "OrgnlGrpInfAndSts"), told | dict(changes or {}))
    part = SubElement(body, "OrgnlPmtInfAndSts")
    _texts(part, {"OrgnlPmtInfId": f"{file.message_id}-1", "PmtInfSts": block})
    for reference, said in (transfers or {}).items():
        _transfer(part, reference, said)
    return tostring(root, encoding="utf-8", xml_declaration=True)


def _transfer(part: Element, reference: str, said: Mapping[str, str]) -> None:
    raw = SubElement(part, "TxInfAndSts")
    _texts(raw, {"OrgnlEndToEndId": reference, "TxSts": said.get("code")})
    if "reason" in said:
        why = SubElement(raw, "StsRsnInf")
        _texts(SubElement(why, "Rsn"), {"Cd": said["reason"]})
        _texts(why, {"AddtlInf": said.get("note")})
    if "amount" in said:
        amount = SubElement(SubElement(SubElement(raw, "OrgnlTxRef"), "Amt"), "InstdAmt")
        amount.text, currency = said["amount"].split()
        amount.set("Ccy", currency)


def _texts(raw: Element, texts: Mapping[str, str | None]) -> None:
    for name, text in texts.items():
        if text is not None:
            SubElement(raw, name).text = text
