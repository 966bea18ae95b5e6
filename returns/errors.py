"""Every refusal of the product, in one tree and one table.

    UndropError
    ├── BadInput          the request cannot be read                          400, 413, 422
    ├── NotAllowed        the caller has no right to it, or it does not exist 401, 403, 404
    ├── Conflict          the request is understood and refused by the state  409
    └── Unavailable       something that we need does not answer              502, 503

Each class says its HTTP status, a sentence with values, what to do next, and what moved.
`moved` is "nothing" unless a class says otherwise: a refusal must be able to promise that.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar


class UndropError(Exception):
    """A refusal that a person can act on. Values are facts and appear in the sentence."""

    status: ClassVar[int] = 500
    sentence: ClassVar[str] = "Something failed on our side."
    next_step: str = "Try again; if it stays, tell us the request id."
    moved: ClassVar[str] = "nothing"

    def __init__(self, **values: Any) -> None:
        self.values = values
        self.next_step = type(self).next_step.format_map(_Values(values))
        super().__init__(self.sentence.format_map(_Values(values)))

    @property
    def code(self) -> str:
        """The machine-readable name: the class name in snake case."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()


class _Values(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


class BadInput(UndropError):
    status = 422
    sentence = "The request cannot be used: {problem}."
    next_step = "Correct the request and send it again with the same Idempotency-Key."


class RequestMalformed(BadInput):
    status = 400
    sentence = "The body is not a JSON object that we can read: {problem}."


class RequestTooLarge(BadInput):
    status = 413
    sentence = "The body has more than {limit} bytes."
    next_step = "Send it in smaller parts."


class FieldInvalid(BadInput):
    sentence = "The field {field} cannot be used: {problem}."


class AmountInvalid(BadInput):
    sentence = "{amount!r:.100} is not an amount: write minor units as a string of digits."


class CurrencyUnknown(BadInput):
    sentence = "The currency {currency!r:.100} is not known or does not fit here."


class AddressInvalid(BadInput):
    sentence = "{address!r:.100} is not an address with a valid EIP-55 checksum."
    next_step = "Copy the address again from its source; one character may be wrong."


class SignatureInvalid(BadInput):
    sentence = "The signature is not one of {holder} over this authorization: {problem}."
    next_step = "Fetch the authorization again and have its holder sign exactly that message."


class OwnerSignatureInvalid(BadInput):
    sentence = "A signature for the Safe {safe} does not count: {problem}."
    next_step = "Have owners of the Safe sign exactly that request, each once, and send only those."


class PolicyInvalid(BadInput):
    sentence = "The policy cannot be used: {problem}."
    next_step = "Mend the policy file; the active policy stays as it was."


class ModelInvalid(BadInput):
    sentence = "The model cannot be used: {problem}."
    next_step = "Train it again; decisions go on by rules alone."


class OrderSignatureInvalid(BadInput):
    sentence = "The signature is not one of {offerer} over the order {order}."
    next_step = "Have whoever offers the tokens sign exactly this order."


class ListingInvalid(BadInput):
    sentence = "The token cannot be listed so: {problem}."
    next_step = "Correct price or dates and try again; nothing was signed."


class FileInvalid(BadInput):
    sentence = "The file {file} cannot be imported: {problem}."
    next_step = "Mend the file and import it again; rows already imported are recognised."


class ChargesInvalid(BadInput):
    sentence = "The charges do not fit the order's prices: {problem}."
    next_step = "Correct the charges; nothing was stored."


class WatchRefused(BadInput):
    sentence = "{address} cannot be watched: {problem}."
    next_step = "Check address, kind and block; nothing was changed."


class RelayRuleInvalid(BadInput):
    sentence = "This rule cannot be checked: {problem}."
    next_step = "Name a function as in its ABI, and arguments by their place, such as 0 or 0.3."


class WebhookTargetRefused(BadInput):
    sentence = "Webhooks cannot be sent to this address: {problem}."
    next_step = "Name an https address that is reachable from the internet; nothing was stored."


class EventKindUnknown(BadInput):
    sentence = "There are no events of the kind {kind!r:.100}."
    next_step = "Use kinds that GET /v1/event-kinds lists, or leave kinds out to get every event."


class ReplayTooLarge(BadInput):
    sentence = "From there on there are more than {limit} events; one replay has at most that many."
    next_step = "Replay from a later moment, or read the events with GET /v1/events/stream."


class IdempotencyKeyMissing(BadInput):
    status = 400
    sentence = "This request needs an Idempotency-Key header."
    next_step = "Send a key of your own choice, at most 200 characters, and keep it for retries."


class NotAllowed(UndropError):
    status = 403


class CredentialsInvalid(NotAllowed):
    status = 401
    sentence = "The credentials are missing, expired or wrong."
    next_step = "Send 'Authorization: Bearer …' with an API key or a client token."


class ScopeMissing(NotAllowed):
    sentence = "This key lacks the scope {scope}."
    next_step = "Use a key that has this scope."


class RelayNotAllowed(NotAllowed):
    sentence = "This transaction is not relayed: {problem}."
    next_step = "Ask an administrator for a rule that allows it; nothing was sent."


class NotFound(NotAllowed):
    """Also the answer for what belongs to somebody else: the two must look the same."""

    status = 404
    sentence = "There is no such {what}, or it is not yours."
    next_step = "Check the reference and the key that you use."


class MethodNotAllowed(NotAllowed):
    status = 405
    sentence = "This address does not know that method."
    next_step = "Look the address up in /openapi.json."


class WebhookRefused(NotAllowed):
    status = 401
    sentence = "The webhook's signature or time stamp is not valid."
    next_step = "Check the shared secret and the clock of the sender."


class WebhookNotOurs(NotAllowed):
    sentence = "The webhook is genuine, but about {problem}: nothing was done with it."
    next_step = "Send events of this account alone to this address."


class Conflict(UndropError):
    status = 409


class IdempotencyKeyReused(Conflict):
    sentence = "This Idempotency-Key was used before with another body."
    next_step = "Use a new key for a new request, or the same body to get the stored answer."


class AlreadyReturning(Conflict):
    """`so_far` says what was given back for it, where that is done."""

    sentence = "Token {token} of order {order} is already being returned in {rma}{paid}."
    next_step = "Follow that case; nothing more needs to be requested."

    def __init__(self, *, so_far: str = "", **values: Any) -> None:
        super().__init__(paid=so_far and f": {so_far}", **values)


class OrderDiffers(Conflict):
    sentence = "Order {order} is stored already, with another content."
    next_step = "A stored order does not change; send corrections under a new order number."


class PaymentClaimed(Conflict):
    sentence = "Payment {reference} belongs to another order already."
    next_step = "Check the payment's reference: each payment pays one order."


class ProcessorUnknown(Conflict):
    sentence = "No payment processor {processor!r} is set up here, so nothing could be paid back."
    next_step = "Name a processor that is set up, or set it up first."


class ConcurrentChange(Conflict):
    sentence = "Somebody else changed the same thing at the same moment."
    next_step = "Send the request again with the same Idempotency-Key."


class MoveNotAllowed(Conflict):
    sentence = "A line in state {state} cannot become {to}."
    next_step = "Read the case again; its state has changed or the step is not due."


class RefundAboveRemainder(Conflict):
    """`earlier` says what was given back before: how much, when, by whom and in which case."""

    sentence = "{requested} is more than the {remaining} that is left of what was paid{before}."
    next_step = "Ask for at most the remainder."

    def __init__(self, *, earlier: str = "", **values: Any) -> None:
        super().__init__(before=earlier and f": {earlier}", **values)


class RemedyNotPayable(Conflict):
    sentence = "A payment by {tender} in {currency} cannot be given back as {remedy}."
    next_step = "Choose store credit, or the tender that was used."


class HolderUnknown(Conflict):
    sentence = "The chain does not say who holds the token, so nobody could sign for it."
    next_step = "Wait until the chain answers, or deny the return."


class PayoutInDoubt(Conflict):
    sentence = "What became of the payout is not known: {problem}."
    next_step = "Clear it with the processor first; paying again could pay twice."


class TokenNotReturnable(Conflict):
    sentence = "The token cannot go back to its holder: {problem}."
    next_step = "Let the line go on, or clear it with processor and chain first."


class AuthorizationExpired(Conflict):
    sentence = "The authorization's deadline {deadline} has passed."
    next_step = "Fetch a new authorization and sign that."


class NothingToSign(Conflict):
    sentence = "This line is {state}: there is nothing to sign."
    next_step = "Read the case; it may wait for a decision, or be done."


class AuthorizationReplayed(Conflict):
    sentence = "This line has been signed already, with another signature."
    next_step = "Nothing to do: follow the case."


class LeaseLost(Conflict):
    """Somebody else owns the row by now; what was done under the old lease is not recorded."""

    sentence = "The lease on {row} was lost."
    next_step = "Nothing: its new owner goes on."


class NotCancelable(Conflict):
    sentence = "Transaction {relay} cannot be changed any more: {problem}."
    next_step = "Read its status; what is on the chain stays there."


class ChainMismatch(Conflict):
    sentence = "The node serves chain {actual}, this database belongs to chain {expected}."
    next_step = "Point UNDROP_RPC_URL to the right node."


class OwnerSignaturesMissing(Conflict):
    sentence = "The Safe {safe} acts on {threshold} signatures of its owners; {given} were given."
    next_step = "Have more of its owners sign the same request."


class SafeNonceDiffers(Conflict):
    """Executed already, overtaken by another transaction of the Safe, or too early."""

    sentence = "The Safe {safe} is at nonce {current}; what was signed is for nonce {signed}."
    next_step = "See whether it was executed already; if not, have it signed again at that nonce."


class DeploymentDiffers(Conflict):
    sentence = "{file} is about another deployment: {problem}."
    next_step = "Ask for what the file has, or name another folder with UNDROP_HOME."


class LedgerUnbalanced(Conflict):
    sentence = "The postings of {asset} sum to {total}, not to zero."
    next_step = "Nothing was booked; this is a fault of ours."


class ReviewOwnProposal(Conflict):
    sentence = "The proposer of a decision cannot decide it."
    next_step = "Ask a colleague."


class BreakClosed(Conflict):
    sentence = "The break {code} of {subject} is closed."
    next_step = "Read it; a run that still finds it opens it anew."


class BreakNotProposed(Conflict):
    sentence = "Nobody has proposed what is to become of this break."
    next_step = "Propose an outcome with a reason; a colleague confirms it."


class BreakOwnProposal(Conflict):
    sentence = "{actor} proposed this outcome, or looked into the break, and cannot confirm it."
    next_step = "Ask a colleague."


class RunOwnSignOff(Conflict):
    sentence = "{actor} started this run and cannot sign it off."
    next_step = "Ask a colleague."


class RunSigned(Conflict):
    sentence = "The run was signed off by {actor} at {at}."
    next_step = "Nothing is left to do with it."


class PolicyOwnDraft(Conflict):
    sentence = "{actor} drafted version {version} of the policy and cannot activate it alone."
    next_step = "Have a colleague read the difference and activate it."


class PolicyNoPredecessor(Conflict):
    sentence = "There is no policy to go back to: {problem}."
    next_step = "Draft and activate the version that should be in force."


class PolicyOvertaken(Conflict):
    sentence = "Version {version} is not in force any more; version {current} is."
    next_step = "Look at the versions again before you go back from this one."


class AppealOwnDecision(Conflict):
    sentence = "An appeal is not decided by the person whose decision it is against."
    next_step = "Ask a colleague."


class ApprovalAboveLimit(Conflict):
    sentence = "One person approves at most {limit}; this is {amount}, and is proposed already."
    next_step = "Have somebody else confirm or reject the proposal, with the scope reviews:above."


class AppealedAlready(Conflict):
    sentence = "This line has been appealed already; one appeal is possible."
    next_step = "Follow the case; while it is in review, evidence can be added."


class AppealTooLate(Conflict):
    sentence = "An appeal against this denial was possible until {deadline}."
    next_step = "Write to the marketplace."


class EvidenceNotWanted(Conflict):
    sentence = "This line is {state}: nothing can be added to it."
    next_step = "Read the case; it takes evidence while it is in review or waits for an answer."


class EvidenceFull(Conflict):
    sentence = "This line has {limit} answers already, which is the most that it takes."
    next_step = "Wait for the decision; a person looks at what is there."


class WebhookEndpointExists(Conflict):
    sentence = "Endpoint {endpoint} has this address already, since {since}."
    next_step = "Change that endpoint, or rotate its secret if you do not have it."


class WebhookEndpointsFull(Conflict):
    sentence = "There are {limit} webhook endpoints already, which is the most."
    next_step = "Delete one that is not needed any more."


class WebhookEndpointDisabled(Conflict):
    sentence = "Endpoint {endpoint} is switched off: {reason}."
    next_step = "Switch it on first, then send what it missed with a replay."


class WebhookSecretsFull(Conflict):
    sentence = "{limit} secrets of endpoint {endpoint} are still valid, which is the most."
    next_step = "Wait until one expires, or rotate with 0 seconds of grace: that ends all others."


class WebhookDeliveryPending(Conflict):
    sentence = "Delivery {delivery} is on its way to the endpoint at this moment."
    next_step = "Wait for its answer; nothing was changed."


class BankAccountMissing(Conflict):
    sentence = "The merchant has no bank account here to pay from."
    next_step = "Set it with 'undrop bank account'; the transfers wait."


class StatusFileKnown(Conflict):
    sentence = "The status file {message} was taken in already, at {at} by {by}."
    next_step = "Nothing to do: what it says is in the books."


class StatusFileRefused(Conflict):
    sentence = "The status file {message} is not taken in: {problem}."
    next_step = "Clear it with the bank; nothing of the file was taken in."


class QuoteExpired(Conflict):
    sentence = "The quote of {amount} for {paid} was good until {expires}."
    next_step = "Ask for it again; nothing was paid under it."


class QuoteUsed(Conflict):
    sentence = "The quote of {amount} for {paid} was used already, at {at}."
    next_step = "See what was paid under it; a quote is used once."


class QuoteDiffers(Conflict):
    sentence = "A quote of {paid} was asked for here before, and now of {asked}."
    next_step = "Ask for another payout's quote under that payout's own id."


class RateSlipped(Conflict):
    sentence = "{paid} was quoted at {before} and would now be {after}: more than {limit} apart."
    next_step = "Have a person accept the new amount, or wait and ask again."


class CreditInsufficient(Conflict):
    sentence = (
        "{requested} {currency} is more than the {available} of credit that are free; "
        "{held} are held by {holds}."
    )
    next_step = "Hold at most what is free, or capture or release what other checkouts hold."


class CreditSpentAlready(Conflict):
    sentence = (
        "{requested} {currency} cannot be held: {spent} were spent by {reference} at {at} by {by}, "
        "and {available} are left."
    )
    next_step = "Hold at most what is left, and take the rest in another tender."


class CreditCurrencyDiffers(Conflict):
    sentence = "This credit is in {there}, not in {currency}."
    next_step = "Ask in the credit's own currency; credit is not exchanged."


class CreditReferenceUsed(Conflict):
    sentence = (
        "Reference {reference} was used at {at} by {by} for another hold: {amount} {currency}."
    )
    next_step = "Use a reference of its own for each checkout, or repeat exactly the first one."


class CreditHoldExpired(Conflict):
    sentence = "The hold {reference} expired at {at}; nothing of it was spent."
    next_step = "Hold the credit again under a new reference."


class CreditCapturedAlready(Conflict):
    sentence = "{captured} of the {amount} {currency} of {reference} were captured at {at} by {by}."
    next_step = "Nothing to do: a hold is captured once, and the rest is free again."


class CreditReleasedAlready(Conflict):
    sentence = "The hold {reference} was released at {at} by {by}; nothing of it was spent."
    next_step = "Hold the credit again under a new reference."


class CaptureAboveHold(Conflict):
    sentence = "{requested} is more than the {amount} {currency} that {reference} holds."
    next_step = "Capture at most what is held; the hold stays as it is."


class CreditLotClosed(Conflict):
    sentence = "This credit is {state} since {at}: nothing of it can be taken back."
    next_step = "Read the customer's credit again."


class Unavailable(UndropError):
    status = 503
    next_step = "Try again in a moment with the same Idempotency-Key."


class ChainUnavailable(Unavailable):
    sentence = "The chain's node does not answer: {problem}."


class SignerRefused(Unavailable):
    sentence = "The signer does not sign: {problem}."
    next_step = "See that it holds the lane's key and may sign; the transaction waits."


class SignerUnavailable(Unavailable):
    sentence = "The signer does not answer: {problem}."
    next_step = "Nothing: the transaction waits, and is signed when the signer answers."


class KeystoreLocked(Unavailable):
    sentence = "The keystore {file} does not open: {problem}."
    next_step = "Set the password that it was written with, in a file or in the environment."


class ProcessorUnavailable(Unavailable):
    sentence = "The payment processor {processor} does not answer."


class ProcessorMisconfigured(ProcessorUnavailable):
    sentence = "The payment processor {processor} cannot be used: {problem}."
    next_step = "Mend {setting}; nothing was moved, and payouts wait until then."


class RateUnavailable(Unavailable):
    sentence = "There is no rate of {pair} to go by: {problem}."
    next_step = "Wait for the source of rates, or name another one; nothing was converted."


class ReportUnusable(Unavailable):
    status = 502
    sentence = "The report of {processor} cannot be used: {problem}."
    next_step = "Ask the processor for it; nothing was compared."


class StorageUnavailable(Unavailable):
    sentence = "The database does not answer in time."


class WebhookSecretUnreadable(Unavailable):
    sentence = "The secret of endpoint {endpoint} cannot be read with the present key."
    next_step = "Set UNDROP_SECRET_KEY to what it was, or rotate the endpoint's secret."


class StreamsBusy(Unavailable):
    sentence = "This process serves {limit} streams of events already, which is the most."
    next_step = "Connect again in a moment with your Last-Event-ID: nothing is lost."


class ContractsMissing(Unavailable):
    sentence = "The contracts are not there: {problem}."
    next_step = "Run 'make contracts'; in a new folder 'undrop setup' deploys them."


class SettingsInvalid(Unavailable):
    sentence = "The settings cannot be used: {problem}."
    next_step = "Compare your environment with .env.example."


class ToolMissing(Unavailable):
    sentence = "The tool {tool} is not there."
    next_step = "Run '{remedy}', or install it yourself."


class HomeUnusable(Unavailable):
    sentence = "The folder {home} cannot be used: {problem}."
    next_step = "Stop the other run, or name another folder with --home."


class PortBusy(Unavailable):
    sentence = "Port {port} is busy: another program uses it."
    next_step = "Stop that program, or set {setting} to another port."


class ProcessDied(Unavailable):
    sentence = "The process {name} ended ({code})."
    next_step = "Read {log}; then start again."
