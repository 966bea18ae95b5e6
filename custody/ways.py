"""How a token can reach the escrow: what its holder has approved, or still would have to.

What a holder reads here is in our words alone. A collection is somebody else's contract, and a
name or revert reason of its choice would be its message on our page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chain.client import ChainClient
from chain.contracts import encode_signature
from chain.facts import Facts, Question, Trial
from chain.holdings import Holding, approve_for_all
from chain.permits import questions as permit_questions
from chain.permits import terms_of
from chain.seaport import Seaport
from returns.words import WayIn

#: What most collections are approved for: the conduit of the largest marketplace. Seaport can use
#: it on the chains where it has a channel to it.
CONDUITS = ("0x1e0049783f008a0085193e00003d00cd54003c71",)

_EXPLANATION = {
    WayIn.PERMIT: (
        "This collection takes a permit: besides the return you sign a second message, without "
        "gas, that lets the return escrow move this one token and no other. It ends by itself at "
        "the date in it and whenever the token moves; once it is used, approving nobody for the "
        "token takes it back."
    ),
    WayIn.SEAPORT: (
        "Seaport, the exchange contract, may already move your tokens of this collection: you "
        "sign one order, without gas, that gives this token for exactly this refund, and only the "
        "returns desk can fill it. It ends by itself at the date in it; canceling it on Seaport "
        "takes it back at once."
    ),
    WayIn.APPROVAL: (
        "Your wallet has to send one transaction first, which costs gas: it lets the return "
        "escrow {escrow} move your tokens of this collection, all of them. The escrow takes a "
        "token only with your signature for its return. A second transaction takes the approval "
        "back at any time."
    ),
    WayIn.NONE: "This token cannot reach the return escrow: {why}. Nothing moves; ask the shop.",
}
_FOR_ALL = (
    "Nothing more is needed: the return escrow may already move your tokens of this collection, "
    "and takes one only with your signature for its return. Revoking the escrow's approval in "
    "your wallet takes this back at any time."
)
_FOR_ONE = (
    "Nothing more is needed: the return escrow may already move this one token, and takes it only "
    "with your signature for its return. Approving nobody for the token takes this back at any "
    "time."
)
_NO_CONTRACT = "there is no contract at its collection's address"
_NO_TOKEN = "its collection knows no such token, or is none of the kinds that can be returned"  # noqa: S105
_NOT_HELD = "your wallet does not hold it now"
_BOUND = "it is bound to your wallet and cannot move (ERC-5192)"
_REFUSED = "its collection refuses to let it move"
_NO_APPROVALS = "its collection does not let the return escrow be approved"


@dataclass(frozen=True, slots=True)
class Way:
    """How a token can reach the escrow, in words for its holder.

    `approve` is what the holder's wallet has to send first, `revoke` what takes an approval back:
    arguments of eth_sendTransaction, None where there is nothing to send.
    """

    kind: WayIn
    explanation: str
    approve: dict[str, str] | None = None
    revoke: dict[str, str] | None = None


def way_in(
    client: ChainClient,
    token: str,
    token_id: int,
    holder: str,
    escrow: str,
    seaport: Seaport | None,
) -> Way:
    """The easiest way for one token; see `ways_in`."""
    return ways_in(client, [Holding(token, token_id, holder)], escrow, seaport)[0]


def ways_in(
    client: ChainClient, tokens: Sequence[Holding], escrow: str, seaport: Seaport | None
) -> list[Way]:
    """The easiest way for each token, as of the newest block, in few requests.

    `seaport` is None where returns as orders are not offered. What a collection says is tried out:
    a way is only named if the movement, or the approval for it, would go through now. Raises
    `ChainUnavailable`.
    """
    if not tokens:
        return []
    facts = Facts(client, client.newest())
    desk = _Desk(facts, client.chain_id(), escrow, seaport)
    facts.learn(question for one in tokens for question in desk.questions(one))
    ways = [desk.way(one) for one in tokens]
    trials = [desk.trials(one, way) for one, way in zip(tokens, ways, strict=True)]
    would_run = iter(facts.would_run([trial for some in trials for trial, _ in some]))
    return [
        _tried(way, [(next(would_run), why) for _, why in some])
        for way, some in zip(ways, trials, strict=True)
    ]


def _tried(way: Way, outcomes: Sequence[tuple[bool, str]]) -> Way:
    """The way, or none if something on it would be refused."""
    refused = next((why for runs, why in outcomes if not runs), None)
    return way if refused is None else _none(refused)


@dataclass(frozen=True, slots=True)
class _Desk:
    """Our side of the question, and the answers."""

    facts: Facts
    chain_id: int
    escrow: str
    seaport: Seaport | None

    def questions(self, one: Holding) -> Iterator[Question]:
        """Everything at once: which kind of token it is shows in the answers."""
        yield from (one.owner(), one.balance(), one.locked(), one.approved())
        yield one.approved_for_all(self.escrow)
        yield from permit_questions(one.token, one.token_id)
        if self.seaport is not None:
            yield from (one.approved_for_all(self.seaport.address), *_channels(self.seaport))
            yield from (one.approved_for_all(conduit) for conduit in CONDUITS)

    def way(self, one: Holding) -> Way:
        """The easiest way that the answers allow."""
        missing = self._missing(one)
        if missing is not None:
            return _none(missing)
        if self.facts.one(one.approved_for_all(self.escrow), "bool"):
            return Way(WayIn.PREAPPROVED, _FOR_ALL, revoke=self._approval_for_all(one, False))
        if self._is_approved_alone(one, self.escrow):
            return Way(WayIn.PREAPPROVED, _FOR_ONE, revoke=self._no_approval(one))
        return self._signed_way(one) or self._sent_way(one)

    def trials(self, one: Holding, way: Way) -> list[tuple[Trial, str]]:
        """What has to go through for the way to be one, each with what its refusal means."""
        if way.kind is WayIn.NONE:
            return []
        if way.kind is WayIn.PREAPPROVED:
            return [(self._move(one, self.escrow), _REFUSED)]
        # The holder itself may always move an ERC-721 token; of an ERC-1155 token the escrow
        # accepts nothing that it has not pulled itself.
        moves = [(self._move(one, one.holder), _REFUSED)] if self._is_721(one) else []
        if way.kind is not WayIn.APPROVAL:
            return moves
        approval = Trial(one.holder, one.token, approve_for_all(self.escrow, True))
        return [*moves, (approval, _NO_APPROVALS)]

    def _missing(self, one: Holding) -> str | None:
        """Why the token cannot be returned at all."""
        owner, balance = self._owner(one), self.facts.one(one.balance(), "uint256")
        if owner is None and balance is None:
            has_code = self.facts.client.code(one.token)
            return _NO_TOKEN if has_code else _NO_CONTRACT
        if owner != one.holder if owner is not None else not balance:
            return _NOT_HELD
        return _BOUND if self.facts.one(one.locked(), "bool") else None

    def _signed_way(self, one: Holding) -> Way | None:
        """A way that costs the holder a signature and no gas."""
        if self._is_721(one) and terms_of(self.facts, one.token, one.token_id, self.chain_id):
            kind, revoke = WayIn.PERMIT, self._no_approval(one)
            return Way(kind, _EXPLANATION[kind], revoke=revoke)
        if self.seaport is not None and self._moved_by_seaport(one, self.seaport):
            return Way(WayIn.SEAPORT, _EXPLANATION[WayIn.SEAPORT])
        return None

    def _sent_way(self, one: Holding) -> Way:
        return Way(
            WayIn.APPROVAL,
            _EXPLANATION[WayIn.APPROVAL].format(escrow=self.escrow),
            approve=self._approval_for_all(one, True),
            revoke=self._approval_for_all(one, False),
        )

    def _owner(self, one: Holding) -> str | None:
        """Read as the escrow reads it: any whole word names an owner, by its last 20 bytes."""
        word = self.facts.one(one.owner(), "bytes32")
        return None if word is None else "0x" + word[12:].hex()

    def _is_721(self, one: Holding) -> bool:
        """Told by the answer, as the escrow tells it: whoever names an owner is an ERC-721."""
        return self._owner(one) is not None

    def _is_approved_alone(self, one: Holding, operator: str) -> bool:
        approved = self._is_721(one) and self.facts.one(one.approved(), "address")
        return bool(approved == operator)

    def _moved_by_seaport(self, one: Holding, seaport: Seaport) -> bool:
        channels = zip(CONDUITS, _channels(seaport), strict=True)
        conduits = [conduit for conduit, open_ in channels if self.facts.one(open_, "bool")]
        return any(
            self.facts.one(one.approved_for_all(operator), "bool")
            or self._is_approved_alone(one, operator)
            for operator in (seaport.address, *conduits)
        )

    def _move(self, one: Holding, sender: str) -> Trial:
        move = one.move_721 if self._is_721(one) else one.move_1155
        return Trial(sender, one.token, move(self.escrow))

    def _approval_for_all(self, one: Holding, approved: bool) -> dict[str, str]:
        return self._transaction(one, approve_for_all(self.escrow, approved))

    def _no_approval(self, one: Holding) -> dict[str, str]:
        """Nobody is approved for the token any more."""
        return self._transaction(one, one.approve_nobody())

    def _transaction(self, one: Holding, data: bytes) -> dict[str, str]:
        return {
            "from": one.holder,
            "to": one.token,
            "data": "0x" + data.hex(),
            "value": "0x0",
            # So that a wallet on another chain does not approve something there.
            "chainId": hex(self.chain_id),
        }


def _none(why: str) -> Way:
    return Way(WayIn.NONE, _EXPLANATION[WayIn.NONE].format(why=why))


def _channels(seaport: Seaport) -> list[Question]:
    """Whether Seaport may use each conduit; refused where there is no such conduit."""
    call, controller = "getChannelStatus(address,address)", seaport.conduit_controller
    return [(controller, encode_signature(call, one, seaport.address)) for one in CONDUITS]
