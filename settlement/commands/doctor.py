"""Looks at an installation: what is missing or wrong, and how to mend it. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Thread

from sqlalchemy.exc import SQLAlchemyError

from returns.errors import SettingsInvalid, UndropError
from settlement import checkup
from settlement.checkup import Check, Finding, Level
from settlement.runtime import Runtime

#: Seconds that a check may take; nothing that works needs them.
PATIENCE = 10

Look = Callable[[Runtime, str], Finding]


@dataclass(frozen=True, slots=True)
class Step:
    """A check, and the names of those without which it could only say the same again."""

    name: str
    look: Look
    needs: tuple[str, ...] = ()


#: What every installation needs.
BASE = (
    Step("secrets", checkup.secrets),
    Step("database", checkup.database),
    Step("node", checkup.node),
    Step("clock", checkup.clock, ("node",)),
    Step("broker", checkup.broker),
    Step("disk", checkup.disk),
)
#: What the returns desk needs besides.
DESK = (
    Step("contracts", checkup.contracts, ("node",)),
    Step("merchant", checkup.merchant, ("database",)),
    Step("policy", checkup.policy, ("database", "merchant")),
    Step("risk model", checkup.risk_model),
    Step("message reader", checkup.message_reader),
    Step("lists", checkup.known_lists, ("database", "merchant")),
    Step("worker", checkup.worker, ("database",)),
    Step("indexer", checkup.indexer, ("database",)),
)


def examine(slug: str, build: Callable[[], Runtime] = Runtime) -> list[Check]:
    """Every check in order; none raises, and none takes longer than `PATIENCE`."""
    try:
        runtime = build()
    except SettingsInvalid as problem:
        return [Check("settings", Level.FAIL, str(problem), problem.next_step)]
    settings = runtime.settings
    about = f"{settings.environment}, chain {settings.chain_id}, files in {settings.home}."
    done = {"settings": Check("settings", Level.OK, about)}
    for step in BASE if settings.relay_alone else (*BASE, *DESK):
        missing = [name for name in step.needs if done[name].level is Level.FAIL]
        found = _not_looked(missing[0]) if missing else _within(PATIENCE, step, runtime, slug)
        done[step.name] = Check(step.name, found.level, found.sentence, found.mend)
    return list(done.values())


def _not_looked(first: str) -> Finding:
    return checkup.warn("Not looked at.", f"Mend '{first}' first.")


def _within(seconds: float, step: Step, runtime: Runtime, slug: str) -> Finding:
    """What hangs is left behind: a thread cannot be ended, but it does not keep the process."""
    found: list[Finding] = []
    look = Thread(target=lambda: found.append(_looked(step, runtime, slug)), daemon=True)
    look.start()
    look.join(seconds)
    if found:
        return found[0]
    return checkup.fail(f"No answer within {seconds:g} seconds.", "Is it reachable from here?")


def _looked(step: Step, runtime: Runtime, slug: str) -> Finding:
    try:
        return step.look(runtime, slug)
    except UndropError as problem:
        return checkup.fail(str(problem), _MENDS.get(step.name, problem.next_step))
    except SQLAlchemyError as problem:
        mend = "Check UNDROP_DATABASE_URL, and that the database runs."
        return checkup.fail(f"The database refuses: {type(problem).__name__}.", mend)
    except Exception as problem:  # noqa: BLE001  whatever is wrong is what is looked for here
        # Only its kind: a message may have an address with a password in it.
        return checkup.fail(f"It fails with {type(problem).__name__}.", _MENDS.get(step.name, _ASK))


_ASK = "Look at the logs of the process that uses it."
#: For somebody at a terminal: the next step of an error speaks to whoever sent a request.
_MENDS = {
    "node": "Check UNDROP_RPC_URL and UNDROP_CHAIN_ID, and that the node runs.",
    "clock": "Check that the node answers.",
    "broker": "Check UNDROP_BROKER_URL, and that the broker runs.",
    "policy": "Draft a version that this release can read, and activate it.",
    "risk model": "See that the file can be read, or run 'undrop train'.",
    "message reader": "See that the file can be read.",
    "disk": "See that UNDROP_HOME can be read.",
}
