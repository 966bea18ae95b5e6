"""The broker between processes: Celery's application, and the wake-up call."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from celery import Celery
from kombu.exceptions import KombuError

from settlement.settings import Settings

log = logging.getLogger(__name__)

OUTBOX, INBOX, RELAY, SWEEP = "undrop.outbox", "undrop.inbox", "undrop.relay", "undrop.sweep"

#: Seconds between two wake-ups of each queue.
_BEAT = 0.5
_SWEEP = 30.0
#: A wake-up that waited longer is of no use: a newer one follows it.
_EXPIRES = 10


def make_celery(settings: Settings) -> Celery:
    """The Celery application for these settings: files or a server as broker."""
    app = Celery("undrop", broker=settings.broker_url or "filesystem://")
    app.conf.update(
        task_ignore_result=True,
        task_acks_late=True,
        task_soft_time_limit=60,
        task_time_limit=90,
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        beat_schedule_filename=str(settings.home / "celerybeat-schedule"),
        beat_schedule={
            name: {"task": name, "schedule": every, "options": {"expires": _EXPIRES}}
            for name, every in (
                (OUTBOX, _BEAT),
                (INBOX, _BEAT),
                (RELAY, _BEAT),
                (SWEEP, _SWEEP),
            )
        },
    )
    if not settings.broker_url:
        app.conf.broker_transport_options = _file_broker(settings.home / "broker")
    return app


def _file_broker(folder: Path) -> dict[str, Any]:
    queue = folder / "queue"
    queue.mkdir(parents=True, exist_ok=True)
    control = folder / "control"
    return {
        "data_folder_in": str(queue),
        "data_folder_out": str(queue),
        "control_folder": str(control),
        "polling_interval": 0.05,
    }


def wake(celery: Celery, task: str, row_id: str) -> None:
    """Ask a worker to look at once. A broker that is away costs half a second, nothing else."""
    try:
        celery.send_task(task, args=[row_id], expires=_EXPIRES, retry=False)
    except (KombuError, OSError) as fault:
        log.warning("broker.unreachable task=%s problem=%s", task, fault)
