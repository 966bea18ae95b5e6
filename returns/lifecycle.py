"""The life of a return line, as one table. Pure: what may follow what, and nothing else."""

from returns.errors import MoveNotAllowed
from returns.words import Disposition, LineState

S = LineState

MOVES: dict[LineState, frozenset[LineState]] = {
    S.REQUESTED: frozenset({S.APPROVED, S.DENIED, S.IN_REVIEW, S.AWAITING_EVIDENCE}),
    S.IN_REVIEW: frozenset({S.APPROVED, S.DENIED, S.AWAITING_EVIDENCE, S.CANCELED}),
    # Approved only by way of review: somebody has to have seen the answer.
    S.AWAITING_EVIDENCE: frozenset({S.IN_REVIEW, S.DENIED, S.CANCELED, S.EXPIRED}),
    S.APPROVED: frozenset({S.AWAITING_SIGNATURE, S.SETTLING, S.IN_REVIEW, S.CANCELED}),
    S.AWAITING_SIGNATURE: frozenset({S.DEPOSITING, S.SETTLING, S.CANCELED, S.EXPIRED}),
    # A deposit that the chain refuses moved nothing: the facts have changed, a person looks.
    S.DEPOSITING: frozenset({S.IN_CUSTODY, S.IN_REVIEW, S.NEEDS_ATTENTION}),
    S.IN_CUSTODY: frozenset({S.COMMITTING, S.RETURNING, S.RECLAIMED, S.DEPOSITING}),
    # Back to depositing: a reorg took the deposit out of the chain.
    S.COMMITTING: frozenset(
        {S.SETTLING, S.RETURNING, S.RECLAIMED, S.DEPOSITING, S.NEEDS_ATTENTION}
    ),
    S.SETTLING: frozenset({S.SETTLED, S.IN_REVIEW, S.RECLAIMED, S.NEEDS_ATTENTION}),
    # Back from settled: a refund that failed later, or a reorg.
    S.SETTLED: frozenset({S.SETTLING}),
    S.RETURNING: frozenset({S.RETURNED, S.RECLAIMED, S.NEEDS_ATTENTION}),
    S.RETURNED: frozenset({S.RETURNING}),
    S.NEEDS_ATTENTION: frozenset({S.COMMITTING, S.SETTLING, S.RETURNING, S.RECLAIMED}),
    S.RECLAIMED: frozenset({S.NEEDS_ATTENTION}),
    S.DENIED: frozenset({S.APPEALED}),
    S.APPEALED: frozenset({S.IN_REVIEW, S.CANCELED}),
    S.CANCELED: frozenset(),
    S.EXPIRED: frozenset(),
}

#: The purchase may be returned again after these; a settled one may not.
REOPENABLE = frozenset({S.DENIED, S.CANCELED, S.EXPIRED, S.RETURNED, S.RECLAIMED})

#: Nothing is under way in these.
RESTING = REOPENABLE | {S.SETTLED}

#: Nobody has decided yet, or the decision does not stand.
UNDECIDED = frozenset({S.REQUESTED, S.IN_REVIEW, S.AWAITING_EVIDENCE, S.APPEALED})

#: The remedy has been granted: its amount counts against what was paid.
GRANTED = frozenset(S) - REOPENABLE - UNDECIDED

#: A person has to act, and is given so long (`returns.review_terms`).
FOR_A_PERSON = frozenset({S.IN_REVIEW, S.NEEDS_ATTENTION})

#: What the review desk shows: for a person, or waiting for an answer to one.
ON_THE_DESK = FOR_A_PERSON | {S.AWAITING_EVIDENCE}

#: The customer may still withdraw; once the escrow holds the token, canceling gives it back.
CANCELABLE = frozenset(
    {
        S.IN_REVIEW,
        S.AWAITING_EVIDENCE,
        S.APPEALED,
        S.APPROVED,
        S.AWAITING_SIGNATURE,
        S.IN_CUSTODY,
        S.COMMITTING,
    }
)

#: A case shows the state of the line that needs most attention: the first of these.
_PRECEDENCE = (
    S.NEEDS_ATTENTION,
    S.IN_REVIEW,
    S.APPEALED,
    S.AWAITING_EVIDENCE,
    S.REQUESTED,
    S.APPROVED,
    S.AWAITING_SIGNATURE,
    S.DEPOSITING,
    S.IN_CUSTODY,
    S.COMMITTING,
    S.SETTLING,
    S.RETURNING,
    S.SETTLED,
    S.RECLAIMED,
    S.RETURNED,
    S.CANCELED,
    S.EXPIRED,
    S.DENIED,
)


def holds_purchase(state: LineState, disposition: Disposition) -> bool:
    """Whether no other return of the same purchase may be open beside a line.

    Where the customer keeps the token it may still be returned, for what is left of its price.
    """
    if disposition is Disposition.KEEP and state in GRANTED:
        return False
    return state not in REOPENABLE


def check_move(state: LineState, to: LineState) -> None:
    """Raise `MoveNotAllowed` unless a line in `state` may become `to`."""
    if to not in MOVES[state]:
        raise MoveNotAllowed(state=state.value, to=to.value)


def case_state(states: list[LineState]) -> LineState:
    """Derive the state of a case from those of its lines (at least one)."""
    return min(states, key=_PRECEDENCE.index)
