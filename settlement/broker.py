"""The broker between processes: Celery's application, and the wake-up call.

Production uses Redis. One machine uses files: kombu's file transport, whose writers here put a
message in its place in one step. As it ships, it opens a file and locks it afterwards, and a reader
in between finds it empty and ends the worker.
"""

from __future__ import annotations

import json
import logging
import uuid
from pathlib import Path
from time import monotonic_ns
from typing import Any

from celery import Celery
from kombu import Queue
from kombu.exceptions import KombuError
from kombu.transport import TRANSPORT_ALIASES, filesystem

from settlement.settings import Settings

log = logging.getLogger(__name__)

OUTBOX, INBOX, SWEEP = "undrop.outbox", "undrop.inbox", "undrop.sweep"
SEAL, WEBHOOKS, RECONCILE = "undrop.seal", "undrop.webhooks", "undrop.reconcile"

#: Queues by what waits in them: a worker takes from all, or from those named with `-Q`.
MONEY, CHAIN, MESSAGES, MAINTENANCE = "money", "chain", "messages", "maintenance"
#: Facts of processors come in with those of the chain.
_QUEUE_OF = {
    OUTBOX: MONEY,
    INBOX: CHAIN,
    WEBHOOKS: MESSAGES,
    SWEEP: MAINTENANCE,
    SEAL: MAINTENANCE,
    RECONCILE: MAINTENANCE,
}


class _FileChannel(filesystem.Channel):
    """kombu's file channel with writes that are seen whole or not at all."""

    # kombu's own two classes disagree about the name of `payload`.
    def _put(self, queue: str, payload: Any, **_kwargs: Any) -> None:  # type: ignore[override]
        name = f"{monotonic_ns() // 1_000_000:016d}_{uuid.uuid4()}.{queue}.msg"
        _write_at_once(Path(self.data_folder_out) / name, payload)

    def _queue_bind(
        self, exchange: str, routing_key: str | None, pattern: str | None, queue: str | None
    ) -> None:
        file = Path(self.control_folder) / f"{exchange}.exchange"
        file.parent.mkdir(parents=True, exist_ok=True)
        binding = [routing_key or "", pattern or "", queue or ""]
        others = [list(row) for row in self.get_table(exchange) if list(row) != binding]
        _write_at_once(file, [binding, *others])


class FileTransport(filesystem.Transport):
    """What `undrop-files://` stands for."""

    Channel = _FileChannel


TRANSPORT_ALIASES["undrop-files"] = "settlement.broker:FileTransport"


def _write_at_once(file: Path, content: Any) -> None:
    part = file.with_name(f".{file.name}.part")
    part.write_text(json.dumps(content))
    part.replace(file)


#: Seconds between two wake-ups of each queue.
_BEAT = 0.5
_SWEEP = 30.0
_HOUR = 3600.0
#: Seconds that a comparison may take; everything else is over within a minute.
LONG = 1800
#: A wake-up that waited longer is of no use: a newer one follows it.
_EXPIRES = 10


def make_celery(settings: Settings) -> Celery:
    """The Celery application for these settings: files or a server as broker."""
    app = Celery("undrop", broker=settings.broker_url or "undrop-files://")
    app.conf.update(
        task_ignore_result=True,
        task_queues=[Queue(name) for name in (MONEY, CHAIN, MESSAGES, MAINTENANCE)],
        task_default_queue=MAINTENANCE,
        task_routes={task: {"queue": queue} for task, queue in _QUEUE_OF.items()},
        task_acks_late=True,
        task_soft_time_limit=60,
        task_time_limit=90,
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        # Nobody steers workers from afar; processes are ended by signals.
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        beat_schedule_filename=str(settings.home / "celerybeat-schedule"),
        beat_schedule={
            name: {"task": name, "schedule": every, "options": {"expires": _EXPIRES}}
            for name, every in (
                (OUTBOX, _BEAT),
                (INBOX, _BEAT),
                (SWEEP, _SWEEP),
                (SEAL, _SWEEP),
                (WEBHOOKS, _BEAT),
                (RECONCILE, _HOUR),
            )
        },
    )
    if not settings.broker_url:
        app.conf.broker_transport_options = _file_broker(settings.home / "broker")
    elif settings.broker_url.startswith("redis"):
        # A task is over long before it would be given to somebody else.
        app.conf.broker_transport_options = {"visibility_timeout": 2 * LONG}
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
