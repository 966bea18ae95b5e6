"""The Celery worker. Its tasks are wake-ups: each claims rows that are due, whoever sent it.

Losing every message of the broker loses nothing, since beat wakes the queues again; a message that
comes twice finds nothing to do. No task is long, none has an ETA.
"""

from __future__ import annotations

import logging
from typing import Any

from celery.signals import setup_logging

from settlement import janitor
from settlement.broker import (
    INBOX,
    LONG,
    OUTBOX,
    RECONCILE,
    SEAL,
    SWEEP,
    WEBHOOKS,
    make_celery,
)
from settlement.commands import cases, ledger, reconciliation, reviews, store_credit
from settlement.drain import drain_inbox, drain_outbox
from settlement.runtime import Runtime
from settlement.settings import load_settings

settings = load_settings()
celery = make_celery(settings)
runtime = Runtime(settings)


@setup_logging.connect
def _log_plainly(**_options: Any) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("celery").setLevel(logging.WARNING)


@celery.task(name=OUTBOX)
def outbox(row_id: str | None = None) -> None:
    """Do what is due; `row_id` says only who asked."""
    if drain_outbox(runtime):
        inbox.delay(row_id)


@celery.task(name=INBOX)
def inbox(row_id: str | None = None) -> None:
    """Take in what has come."""
    if drain_inbox(runtime):
        outbox.delay(row_id)


@celery.task(name=SWEEP)
def sweep() -> None:
    """Close what nobody signed in time; take back to review what nobody answered in time.

    And ask about payouts whose end nobody has told.
    """
    cases.expire(runtime)
    reviews.recall(runtime)
    janitor.ask_again(runtime.database, runtime.clock)
    store_credit.expire(runtime)


@celery.task(name=SEAL)
def seal() -> None:
    """Chain what was booked since the last time."""
    ledger.seal(runtime)


@celery.task(name=RECONCILE, soft_time_limit=LONG, time_limit=LONG + 60)
def reconcile() -> None:
    """Compare what is new, merchant by merchant: they share processors and chain."""
    reconciliation.reconcile_all(runtime)


@celery.task(name=WEBHOOKS)
def webhooks(row_id: str | None = None) -> None:  # noqa: ARG001  (says only who asked)
    """Tell merchants what happened."""
    runtime.dispatcher.run()
