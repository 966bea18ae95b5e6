"""The demo shop, the return button and the console, in a real Chromium on the running stack."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.chain]

#: A card refund waits for the commit to be final, then for the processor's webhook.
_SETTLED_MS = 60_000

#: A wallet announced by EIP-6963 whose answers a test chooses: {method: result or {code, message}}.
_SCRIPTED_WALLET = """
window.asked = [];
window.answers = %s;
const provider = { async request({ method, params }) {
  window.asked.push(method);
  const answer = window.answers[method];
  if (method === "wallet_switchEthereumChain") window.answers.eth_chainId = params[0].chainId;
  if (answer?.code) throw Object.assign(new Error(answer.message), answer);
  return answer ?? null;
} };
const detail = { info: { uuid: "350670db-19fa-4704-a166-e52e178b59d2", name: "Scripted wallet",
  icon: "data:,", rdns: "test.scripted" }, provider };
const announce = () => dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail }));
addEventListener("eip6963:requestProvider", announce);
"""


def test_shop_lists_purchases_with_price_and_tender(page: Any, stack: Any) -> None:
    page.goto(stack.api + "/")
    cards = page.locator(".purchase")
    assert cards.count() == len(stack.purchases)
    coin, card = cards.nth(0), cards.nth(1)
    assert coin.locator(".facts").inner_text().splitlines()[:4:2] == ["Token #4242", "0.5 ETH"]
    assert "Paid from a wallet" in coin.inner_text()
    assert "1,250.00 USD" in card.inner_text()
    assert "Paid by card" in card.inner_text()
    note = "Can be returned within 30 days of the purchase: refund to the card or as store credit."
    card.get_by_text(note).wait_for()


@pytest.mark.parametrize("path", ["/shop", "/console"])
@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_is_wider_than_the_screen(page: Any, stack: Any, path: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(stack.api + path)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_wallet_purchase_goes_from_button_to_settled_and_into_the_console(
    page: Any, stack: Any
) -> None:
    button = _ask(page, stack, "COIN")
    _continue(button)
    summary = button.locator(".summary").inner_text()
    purchase = _purchase(stack, "COIN")
    for words in ("Token #4242", purchase["collection"], "0.5 ETH", purchase["wallet"], "until"):
        assert words in summary
    button.get_by_role("button", name="Sign with Sandbox wallet").click()
    button.get_by_role("heading", name="Settled").wait_for(timeout=_SETTLED_MS)
    button.get_by_text("0.5 ETH was paid to your wallet").wait_for()

    case = _case(stack, "COIN")
    assert case["state"] == "settled"
    assert case["lines"][0]["remedy"] == "crypto_refund"
    assert _owner(stack, purchase) not in (purchase["wallet"], None)
    _open_console(page, stack)
    row = page.get_by_role("table", name="Cases").get_by_role("row").filter(has_text=case["rma"])
    assert [row.get_by_role("cell").nth(i).inner_text() for i in range(1, 5)] == [
        "Settled",
        "#4242",
        "Crypto refund",
        "0.5 ETH",
    ]


def test_card_purchase_resumes_after_a_reload_and_is_refunded(page: Any, stack: Any) -> None:
    button = _ask(page, stack, "CARD")
    _continue(button)
    summary = button.locator(".summary").inner_text()
    assert "1,250.00 USD" in summary
    assert "The card that you paid with" in summary
    assert len(re.findall(r"\d{1,2} \w+ 20\d\d at \d\d:\d\d", summary)) == 3
    button.get_by_role("button", name="Sign with Sandbox wallet").click()
    button.get_by_role("heading", name="Under way").wait_for()

    page.reload()
    button = _button(page, "CARD")
    button.get_by_role("button", name="Show the return").click()
    button.get_by_role("heading", name="Settled").wait_for(timeout=_SETTLED_MS)
    button.get_by_text("1,250.00 USD was refunded to your card.").wait_for()
    assert len(_cases(stack, "CARD")) == 1


def test_late_request_is_refused_with_its_reason(page: Any, stack: Any) -> None:
    button = _ask(page, stack, "TOO-LATE")
    button.get_by_role("heading", name="Refused").wait_for()
    button.get_by_text("Nothing was moved: the token stays yours.").wait_for()
    explanation = _case(stack, "TOO-LATE")["lines"][0]["decision"]["explanation"]
    button.get_by_text(explanation, exact=True).wait_for()


def test_return_asked_for_on_another_device_is_followed(
    page: Any, stack: Any, unsigned: str
) -> None:
    button = _ask(page, stack, "UNSIGNED")
    button.get_by_role("heading", name="Your return is approved").wait_for()
    assert unsigned in button.get_by_role("dialog").inner_text()
    assert len(_cases(stack, "UNSIGNED")) == 1
    _expect_complaints(page, "409")


def test_refusal_in_the_wallet_moves_nothing(page: Any, stack: Any, unsigned: str) -> None:
    holder = _purchase(stack, "UNSIGNED")["wallet"]
    refused = {"code": 4001, "message": "User rejected"}
    _script_wallet(page, holder, eth_signTypedData_v4=refused)
    button = _resume(page, stack, unsigned)
    _continue(button, "Scripted wallet")
    button.get_by_role("button", name="Sign with Scripted wallet").click()
    assert _trouble(button).startswith("You declined in your wallet.")
    assert "Nothing was moved" in _trouble(button)
    assert _case(stack, "UNSIGNED")["state"] == "awaiting_signature"


def test_another_account_is_named_and_not_asked_to_sign(
    page: Any, stack: Any, unsigned: str
) -> None:
    stranger = "0x" + "ab" * 20
    _script_wallet(page, stranger)
    button = _resume(page, stack, unsigned)
    button.get_by_role("button", name="Continue with Scripted wallet").click()
    trouble = _trouble(button)
    assert stranger in trouble
    assert _purchase(stack, "UNSIGNED")["wallet"] in trouble
    assert "Nothing was moved" in trouble
    assert "eth_signTypedData_v4" not in page.evaluate("window.asked")


def test_another_network_can_be_switched(page: Any, stack: Any, unsigned: str) -> None:
    _script_wallet(page, _purchase(stack, "UNSIGNED")["wallet"], eth_chainId="0x1")
    button = _resume(page, stack, unsigned)
    button.get_by_role("button", name="Continue with Scripted wallet").click()
    assert "is on network 1, but the token is on network 31337" in _trouble(button)
    button.get_by_role("button", name="Switch the network").click()
    button.get_by_role("button", name="Sign with Scripted wallet").wait_for()
    assert "wallet_switchEthereumChain" in page.evaluate("window.asked")


def test_a_browser_without_a_wallet_is_told_what_to_do(
    page: Any, stack: Any, unsigned: str
) -> None:
    _no_sandbox_wallet(page)
    button = _resume(page, stack, unsigned)
    button.get_by_text("No wallet was found in this browser.").wait_for()
    button.get_by_role("button", name="Look again").click()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("refund", "1", "another amount"),
        ("tokenId", "1", "another token"),
        ("token", "0x" + "12" * 20, "another token"),
        ("recipient", "0x" + "12" * 20, "somebody else"),
        ("remedy", "1", "another kind of refund"),
        ("asset", "0x" + "00" * 18 + "03d2", "another currency"),
        ("commitUntil", "1", "dates are not in order"),
    ],
)
def test_a_message_that_says_something_else_is_never_signed(
    page: Any, stack: Any, unsigned: str, field: str, value: str, said: str
) -> None:
    def tamper(route: Any) -> None:
        answer = route.fetch()
        content = answer.json()
        content["authorizations"][0]["typed_data"]["message"][field] = value
        route.fulfill(response=answer, json=content)

    _script_wallet(page, _purchase(stack, "UNSIGNED")["wallet"])
    page.route("**/authorization", tamper)
    button = _resume(page, stack, unsigned)
    button.get_by_role("button", name="Continue with Scripted wallet").click()
    trouble = _trouble(button)
    assert said in trouble
    assert "Do not sign it." in trouble
    assert button.get_by_role("button", name="Sign with Scripted wallet").count() == 0
    assert "eth_signTypedData_v4" not in page.evaluate("window.asked")


def test_what_a_token_needs_first_is_said_before_the_signature(
    page: Any, stack: Any, unsigned: str
) -> None:
    said = "Your wallet has to send one transaction first. <b>Later</b> it can be taken back."

    def foreign(route: Any) -> None:
        answer = route.fetch()
        content = answer.json()
        assert content["authorizations"][0]["way"]["kind"] == "preapproved"
        content["authorizations"][0]["way"] = {"kind": "approval", "explanation": said}
        route.fulfill(response=answer, json=content)

    _script_wallet(page, _purchase(stack, "UNSIGNED")["wallet"])
    page.route("**/authorization", foreign)
    button = _resume(page, stack, unsigned)
    _continue(button, "Scripted wallet")
    assert button.locator(".way").inner_text() == said


def test_lost_answer_is_asked_again_under_the_same_key(page: Any, stack: Any) -> None:
    keys: list[str] = []

    def lose_first(route: Any) -> None:
        keys.append(route.request.headers["idempotency-key"])
        answer = route.fetch()
        if len(keys) == 1:
            route.abort()
        else:
            route.fulfill(response=answer)

    page.route("**/v1/returns", lose_first)
    button = _ask(page, stack, "LOST-ANSWER")
    assert "The returns desk does not answer." in _trouble(button)
    assert "Nothing was moved" in _trouble(button)
    button.get_by_role("button", name="Ask for the return").click()
    button.get_by_role("heading", name="Your return is approved").wait_for()
    assert len(keys) == 2
    assert keys[0] == keys[1]
    assert len(_cases(stack, "LOST-ANSWER")) == 1
    _expect_complaints(page, "net::ERR_FAILED")


def test_lost_answer_to_a_signature_is_looked_up(page: Any, stack: Any) -> None:
    def lose(route: Any) -> None:
        if route.request.method == "POST":
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.route("**/authorization", lose)
    button = _ask(page, stack, "CREDIT", remedy="Store credit")
    _continue(button)
    button.get_by_role("button", name="Sign with Sandbox wallet").click()
    button.get_by_role("heading", name="Settled").wait_for(timeout=_SETTLED_MS)
    button.get_by_text("1.25 ETH is on your store credit.").wait_for()
    _expect_complaints(page, "net::ERR_FAILED")


def test_a_shop_that_denies_the_purchase_is_told_plainly(page: Any, stack: Any) -> None:
    page.route("**/shop/token/**", lambda route: route.fulfill(status=403, json={}))
    button = _ask(page, stack, "UNTOUCHED")
    assert "does not confirm that this purchase is yours" in _trouble(button)
    assert "Nothing was moved" in _trouble(button)
    assert _cases(stack, "UNTOUCHED") == []
    _expect_complaints(page, "403")


def test_dialog_keeps_what_was_typed_and_gives_the_focus_back(page: Any, stack: Any) -> None:
    page.goto(stack.api + "/shop")
    button = _button(page, "UNTOUCHED")
    opener = button.get_by_role("button", name="Return this token")
    opener.focus()
    page.keyboard.press("Enter")
    button.get_by_label("Message").fill("Half a sent")
    page.keyboard.press("Escape")
    assert not button.get_by_role("dialog").is_visible()
    focused = "host => host.shadowRoot.activeElement?.textContent"
    assert button.evaluate(focused) == "Return this token"
    page.keyboard.press("Enter")
    assert button.get_by_label("Message").input_value() == "Half a sent"
    assert button.get_by_role("dialog").get_attribute("aria-labelledby") == "title"


def test_a_visitor_without_a_purchase_sees_the_terms_only(page: Any, stack: Any) -> None:
    page.goto(stack.api + "/shop")
    collection = stack.purchases[0]["collection"]
    page.evaluate(
        """collection => {
          const button = document.createElement("undrop-return-button");
          button.setAttribute("merchant", "demo");
          button.setAttribute("collection", collection);
          button.setAttribute("token-id", "7");
          button.id = "visitor";
          document.querySelector("main").prepend(button);
        }""",
        collection,
    )
    visitor = page.locator("#visitor")
    visitor.get_by_text("Can be returned within 30 days of the purchase").wait_for()
    assert visitor.get_by_role("button").count() == 0


def test_review_is_decided_in_the_console_and_read_by_the_customer(page: Any, stack: Any) -> None:
    button = _ask(page, stack, "ABOVE-CAP")
    button.get_by_role("heading", name="In review").wait_for()
    rma = _case(stack, "ABOVE-CAP")["rma"]
    _open_console(page, stack)
    queue = page.get_by_role("table", name="Review queue")
    assert "Above cap" in queue.get_by_role("row").filter(has_text=rma).inner_text()
    page.get_by_role("button", name=f"Decide {rma}").click()
    page.get_by_role("button", name="Deny").click()
    assert page.get_by_label("Reason (the customer reads it)").evaluate("e => !e.validity.valid")
    reason = 'Above our limit <img src="x" onerror="alert(1)"> & not covered'
    page.get_by_label("Reason (the customer reads it)").fill(reason)
    page.get_by_role("button", name="Deny").click()
    page.get_by_text("Nothing waits for a person.").wait_for()
    assert _case(stack, "ABOVE-CAP")["state"] == "denied"

    page.goto(stack.api + "/shop")
    button = _button(page, "ABOVE-CAP")
    button.get_by_role("button", name="Show the return").click()
    button.get_by_role("heading", name="Refused").wait_for()
    button.get_by_text(reason, exact=True).wait_for()


def test_console_refuses_a_wrong_key_and_forgets_it(page: Any, stack: Any) -> None:
    page.goto(stack.api + "/console")
    page.get_by_label("API key").fill("undrop_sk_wrong")
    page.get_by_role("button", name="Open").click()
    page.get_by_text("This key is not accepted").wait_for()
    assert page.evaluate("sessionStorage.length + localStorage.length") == 0
    _expect_complaints(page, "401")


def test_console_refreshes_without_taking_the_focus(page: Any, stack: Any) -> None:
    _open_console(page, stack)
    row = page.get_by_role("table", name="Cases").get_by_role("row").nth(1)
    row.wait_for()
    row.evaluate("row => { row.tabIndex = 0; row.focus(); row.marked = true; }")
    with page.expect_response("**/v1/reconciliation"):
        pass
    page.wait_for_timeout(300)
    assert page.evaluate("document.activeElement.marked === true")


def test_console_keeps_what_it_read_when_the_api_stops_answering(page: Any, stack: Any) -> None:
    _open_console(page, stack)
    rows = page.get_by_role("table", name="Cases").get_by_role("row")
    rows.nth(1).wait_for()
    before = rows.count()
    page.route("**/v1/**", lambda route: route.abort())
    page.get_by_text("Not everything could be read").wait_for()
    assert rows.count() == before
    page.unroute("**/v1/**")
    page.get_by_text("again every 3 seconds.").wait_for()
    page.get_by_text("Not everything could be read").wait_for(state="detached")
    _expect_complaints(page, "net::ERR_FAILED")


def test_amounts_are_written_exactly(page: Any, stack: Any) -> None:
    page.goto(stack.api + "/console")
    write = """async ([minor, places, trim]) =>
      (await import("/static/return-summary.js")).inMajor(minor, places, { trim })"""
    for minor, places, trim, written in (
        ("0", 2, False, "0.00"),
        ("5", 2, False, "0.05"),
        ("123456789", 2, False, "1,234,567.89"),
        ("1250", 0, False, "1,250"),
        ("500000000000000000", 18, True, "0.5"),
        ("1000000000000000000000", 18, True, "1,000"),
        ("1", 18, True, "0.000000000000000001"),
        (str(2**256 - 1), 0, False, f"{2**256 - 1:,}"),
    ):
        assert page.evaluate(write, [minor, places, trim]) == written


def test_pages_carry_security_headers(stack: Any) -> None:
    shop, console = (httpx.get(stack.api + path) for path in ("/shop", "/console"))
    for response in (shop, console):
        policy = response.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "no-referrer"
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", response.text)
    assert f"connect-src 'self' {stack.rpc};" in shop.headers["content-security-policy"]
    assert "connect-src 'self';" in console.headers["content-security-policy"]


# -- what a person does ----------------------------------------------------------------------------


def _button(page: Any, number: str) -> Any:
    return page.locator(f'undrop-return-button[order="{number}"]')


def _ask(page: Any, stack: Any, number: str, remedy: str | None = None) -> Any:
    page.goto(stack.api + "/shop")
    button = _button(page, number)
    button.get_by_role("button", name="Return this token").click()
    button.get_by_label("Why do you return it?").select_option("not_as_described")
    if remedy is not None:
        button.get_by_label(remedy).check()
    button.get_by_role("button", name="Ask for the return").click()
    return button


def _resume(page: Any, stack: Any, rma: str) -> Any:
    """Come back to the unsigned return, as after closing the browser."""
    purchase = _purchase(stack, "UNSIGNED")
    place = ["demo", purchase["number"], purchase["collection"], purchase["token_id"]]
    key = json.dumps("undrop.return|" + "|".join(place))
    page.add_init_script(f"localStorage.setItem({key}, {json.dumps(rma)})")
    page.goto(stack.api + "/shop")
    button = _button(page, "UNSIGNED")
    button.get_by_role("button", name="Sign the return").click()
    return button


def _continue(button: Any, wallet: str = "Sandbox wallet") -> None:
    button.get_by_role("button", name=f"Continue with {wallet}").click()
    button.get_by_role("button", name=f"Sign with {wallet}").wait_for()


def _trouble(button: Any) -> str:
    alert = button.get_by_role("alert")
    alert.wait_for()
    text: str = alert.inner_text()
    return text


def _open_console(page: Any, stack: Any) -> None:
    page.goto(stack.api + "/console")
    page.get_by_label("API key").fill(stack.api_key)
    page.get_by_role("button", name="Open").click()
    page.get_by_text("again every 3 seconds.").wait_for()


def _script_wallet(page: Any, account: str, **answers: Any) -> None:
    _no_sandbox_wallet(page)
    usual = {"eth_requestAccounts": [account], "eth_chainId": "0x7a69"}
    page.add_init_script(_SCRIPTED_WALLET % json.dumps({**usual, **answers}))


def _no_sandbox_wallet(page: Any) -> None:
    empty = {"content_type": "text/javascript", "body": ""}
    page.route("**/sandbox-wallet.js", lambda route: route.fulfill(**empty))


def _expect_complaints(page: Any, words: str) -> None:
    """The browser logs every failed request; the planned ones are no fault."""
    assert page.complaints
    assert all(words in complaint for complaint in page.complaints), page.complaints
    page.complaints.clear()


# -- what the stack says ---------------------------------------------------------------------------


def _purchase(stack: Any, number: str) -> dict[str, str]:
    found: dict[str, str] = next(row for row in stack.purchases if row["number"] == number)
    return found


def _cases(stack: Any, number: str) -> list[dict[str, Any]]:
    return [case for case in stack.get("/v1/returns")["returns"] if case["order"] == number]


def _case(stack: Any, number: str) -> dict[str, Any]:
    (case,) = _cases(stack, number)
    return case


def _owner(stack: Any, purchase: dict[str, str]) -> str | None:
    """ownerOf(tokenId) as the chain says it, lower case."""
    data = f"0x6352211e{int(purchase['token_id']):064x}"
    call = [{"to": purchase["collection"], "data": data}, "latest"]
    body = {"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": call}
    result = httpx.post(stack.rpc, json=body).json().get("result")
    return None if result is None else "0x" + result[-40:].lower()
