"""Which legs a remedy needs, in which order. Token first, money second, disposition third."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from chain.contracts import Deployment
from returns.words import ChainLevel, Disposition, LegKind, LineState, Remedy


@dataclass(frozen=True, slots=True)
class Step:
    """A leg, the line's state while it is under way, and how certain it must be to go on.

    `proceeds_at` is a level of the chain, or None where the processor or the ledger decides.
    """

    kind: LegKind
    state: LineState
    proceeds_at: ChainLevel | None = None

    @property
    def kinds(self) -> tuple[LegKind, ...]:
        """A refund is made of parts where several tenders paid; some of them may be credit."""
        if self.kind is LegKind.PROCESSOR_REFUND:
            return (self.kind, LegKind.CREDIT)
        return (self.kind,)


@dataclass(frozen=True, slots=True)
class Terms:
    """What legs need to know of this installation: contracts and time limits."""

    deployment: Deployment
    sign_within: timedelta
    reclaim_after: timedelta
    commit_until: timedelta
    processor_worst_case: timedelta
    batch_limit: int = 1
    batch_window: timedelta = timedelta()
    patience: timedelta = timedelta()


_DEPOSIT = Step(LegKind.DEPOSIT, LineState.DEPOSITING, ChainLevel.CONFIRMED)
# No payout starts before the commit can no longer be undone: it decides the race with a reclaim.
_COMMIT = Step(LegKind.COMMIT, LineState.COMMITTING, ChainLevel.FINAL)
_REFUND = Step(LegKind.PROCESSOR_REFUND, LineState.SETTLING)
_CREDIT = Step(LegKind.CREDIT, LineState.SETTLING)
_SWAP = Step(LegKind.SWAP, LineState.SETTLING, ChainLevel.CONFIRMED)
_RELEASE = Step(LegKind.RELEASE, LineState.RETURNING, ChainLevel.CONFIRMED)
_DISPOSE = {
    Disposition.VAULT: Step(LegKind.SETTLE, LineState.SETTLING, ChainLevel.CONFIRMED),
    Disposition.BURN: Step(LegKind.BURN, LineState.SETTLING, ChainLevel.FINAL),
}


def steps(remedy: Remedy, disposition: Disposition) -> tuple[Step, ...]:
    """The legs of a granted remedy in order; empty where nothing moves."""
    match remedy:
        case Remedy.CRYPTO_REFUND:
            return (_SWAP,)
        case Remedy.FIAT_REFUND:
            return _around(_REFUND, disposition)
        case Remedy.STORE_CREDIT:
            return _around(_CREDIT, disposition)
        case Remedy.NOTHING:
            return (_RELEASE,) if disposition is Disposition.RELEASE else ()


def _around(payout: Step, disposition: Disposition) -> tuple[Step, ...]:
    """The token first, the money second, the disposition third; nothing but money if it is kept."""
    if disposition is Disposition.KEEP:
        return (payout,)
    return (_DEPOSIT, _COMMIT, payout, _DISPOSE[disposition])


def moves_token(remedy: Remedy, disposition: Disposition) -> bool:
    """Whether the holder has to sign: a token that is kept moves nowhere."""
    return disposition is not Disposition.KEEP and bool(steps(remedy, disposition))


def step_of(remedy: Remedy, disposition: Disposition, kind: LegKind) -> Step:
    """The step that a leg belongs to; a release stands outside every plan."""
    return next((s for s in steps(remedy, disposition) if kind in s.kinds), _RELEASE)


def step_after(remedy: Remedy, disposition: Disposition, kind: LegKind) -> Step | None:
    """What follows a leg, None after the last one."""
    plan = steps(remedy, disposition)
    place = next((n for n, step in enumerate(plan) if kind in step.kinds), len(plan))
    return plan[place + 1] if place + 1 < len(plan) else None


def release() -> Step:
    """Giving the token back, whatever was planned."""
    return _RELEASE
