"""The command line: `undrop`. Each command calls one use case and prints what came of it."""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from api import (
    cli_bank,
    cli_decisions,
    cli_doctor,
    cli_import,
    cli_index,
    cli_ledger,
    cli_policy,
    cli_relay,
    cli_report,
    cli_reviews,
    supervisor,
)
from api.terminal import Slug, err, give_up, opened_runtime, out, refusals
from returns import migrate
from returns.break_reads import break_view
from returns.errors import ChainMismatch, LeaseLost, Unavailable
from settlement import importer
from settlement.commands import deployment, relay, setup
from settlement.commands.access import (
    OPERATOR_SCOPES,
    SCOPES,
    SENIOR_SCOPES,
    create_key,
    merchant_by_slug,
)
from settlement.commands.reconciliation import reconcile
from settlement.reconciliation.run import COUNTS
from settlement.reports import breaks_csv, breaks_table
from settlement.settings import load_deployer_settings

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The returns desk.")
imports = typer.Typer(no_args_is_help=True, help="Bring data in.")
app.add_typer(imports, name="import")
app.add_typer(cli_decisions.app, name="decision")
app.command("train")(cli_decisions.train)
app.command("evaluate")(cli_decisions.evaluate)
app.command("backtest")(cli_decisions.backtest)
app.command("doctor")(cli_doctor.examine)
imports.command("list")(cli_import.import_list)
imports.command("lists")(cli_import.show_lists)
imports.command("report")(cli_report.import_report)
app.add_typer(cli_bank.app, name="bank")
app.add_typer(cli_index.app, name="index")
app.add_typer(cli_ledger.app, name="ledger")
app.add_typer(cli_policy.app, name="policy")
app.add_typer(cli_relay.app, name="relay")
app.add_typer(cli_reviews.labels, name="labels")

#: How often in a row a node may say that it is of another chain, before that is believed.
_DOUBTS = 5

Role = Annotated[str | None, typer.Option(help="Address; instead of the file's.")]


@app.command()
def run(
    home: Annotated[Path, typer.Option(help="Where this installation keeps its files.")] = Path(
        "var"
    ),
    headless: Annotated[bool, typer.Option(help="Without the demo order book.")] = False,
    restart_worker: Annotated[bool, typer.Option(help="Start a worker or relayer anew.")] = False,
) -> None:
    """Start everything on this machine: chain, processor, API, worker, indexer, pages."""
    with refusals():
        supervisor.run(home, with_book=not headless, restart_worker=restart_worker)


@app.command("migrate")
def migrate_database() -> None:
    """Bring the database to the current schema."""
    with opened_runtime() as runtime:
        migrate.upgrade(runtime.database)
        out.print("The database is up to date.")


@app.command("setup")
def set_up(merchant: Slug = "demo", name: str = "Demo Marketplace") -> None:
    """Prepare a local installation: schema, merchant, policy, model, contracts, float."""
    with opened_runtime() as runtime:
        row = setup.prepare(runtime, merchant, name)
        out.print(f"Merchant {row.slug} is ready ({row.id}).")


@app.command("merchant")
def make_merchant(
    slug: Annotated[str, typer.Argument(help="Its short name, as in --merchant.")],
    name: Annotated[str | None, typer.Option(help="As people know it; default: the same.")] = None,
) -> None:
    """Make a merchant known to the books, unless it is."""
    with opened_runtime() as runtime:
        row = setup.create_merchant(runtime, slug, slug if name is None else name)
        out.print(f"Merchant {row.slug} is known ({row.id}).")


@app.command("deploy")
def deploy_contracts(
    people: Annotated[Path | None, typer.Option(help="JSON: {role: address}.")] = None,
    admin: Role = None,
    second_admin: Role = None,
    operator: Role = None,
    approver: Role = None,
    guardian: Role = None,
    treasurer: Role = None,
    name: Annotated[str, typer.Option(help="Of the collection.")] = "Undrop Collection",
    symbol: Annotated[str, typer.Option(help="Of the collection.")] = "UNDROP",
    return_days: Annotated[
        int, typer.Option(help="Days to return a token.", min=1, max=36500)
    ] = 30,
    royalties_to: Annotated[str | None, typer.Option(help="Default: no royalties.")] = None,
    royalty: Annotated[int, typer.Option(help="In hundredths of a percent.")] = 500,
    dollar: Annotated[str | None, typer.Option(help="An ERC-20; default: a test dollar.")] = None,
    vault: Annotated[
        str | None, typer.Option(help="Of the merchant: where tokens come back.")
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(help="asset:unit:single:daily, in 2^unit minor units; may be repeated."),
    ] = None,
) -> None:
    """Put the contracts on a chain. The key in UNDROP_DEPLOYER_KEY pays, and gets no right.

    Addresses follow from people and collection; what stands there is checked and not sent again.
    """
    named = {
        "admin": admin,
        "second_admin": second_admin,
        "operator": operator,
        "approver": approver,
        "guardian": guardian,
        "treasurer": treasurer,
    }
    with refusals():
        wanted = deployment.Wanted(
            people=deployment.read_people(people, named),
            collection=deployment.collection(
                name,
                symbol,
                return_days,
                deployment.address("vault", vault),
                royalties_to,
                royalty,
            ),
            dollar=deployment.address("dollar", dollar) if dollar else None,
            limits=tuple(deployment.read_limit(one) for one in limit or []),
        )
        settings = load_deployer_settings()
        found, changes = deployment.deploy_to_chain(settings, wanted)
        for line in deployment.summary(settings, found, changes):
            sys.stdout.write(line + "\n")


@app.command("vault")
def set_vault(
    address: Annotated[str, typer.Argument(help="A vault that the escrow knows.")],
    merchant: Slug = "demo",
) -> None:
    """Say where a merchant's tokens come back, after two admins have registered it."""
    with opened_runtime() as runtime:
        merchant_by_slug(runtime, merchant)
        row = setup.set_vault(runtime, merchant, address)
        out.print(f"Tokens returned to {row.slug} go to {row.vault}.")


@app.command("key")
def make_key(
    merchant: Slug = "demo",
    label: str = "command-line",
    scopes: Annotated[str, typer.Option(help="Separated by commas.")] = ",".join(SCOPES),
    days: Annotated[int, typer.Option(help="Days until it expires.", min=1, max=3650)] = 90,
) -> None:
    """Make an API key and print it, this once."""
    with opened_runtime() as runtime:
        wanted = tuple(scopes.split(","))
        known = (*SCOPES, *SENIOR_SCOPES, *OPERATOR_SCOPES)
        unknown = [scope for scope in wanted if scope not in known]
        if unknown:
            give_up(f"Unknown scope {unknown[0]!r}; there are {', '.join(known)}.")
        row = merchant_by_slug(runtime, merchant)
        sys.stdout.write(create_key(runtime, row.id, label, wanted, days) + "\n")


@imports.command("sales")
def import_sales(
    file: Annotated[Path, typer.Argument(help="CSV or TSV, gzip or not.")],
    merchant: Slug = "demo",
    map_: Annotated[
        list[str] | None, typer.Option("--map", help="field=column, may be repeated.")
    ] = None,
    collection: Annotated[str | None, typer.Option(help="Default: our own collection.")] = None,
    last_day: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Move all dates so that the newest is this day."),
    ] = None,
    rejects: Annotated[Path | None, typer.Option(help="Write the rejected rows here.")] = None,
) -> None:
    """Import sales as orders. Rows that cannot be used are listed with line and reason."""
    with opened_runtime() as runtime:
        started = time.perf_counter()
        mapping = importer.parse_mapping(map_ or [])
        row = merchant_by_slug(runtime, merchant)
        with Progress(console=err, transient=True) as progress:
            task = progress.add_task("Importing sales", total=None)
            report = importer.import_sales(
                runtime,
                row.id,
                file,
                collection=collection or runtime.deployment.collection,
                mapping=mapping,
                last_day=last_day.date() if last_day else None,
                on_progress=lambda done, total: progress.update(task, completed=done, total=total),
            )
        report.show(err, rejects)
        report.seconds = round(time.perf_counter() - started, 3)
        sys.stdout.write(report.to_json() + "\n")
    if report.rows and len(report.rejected) == report.rows:
        raise typer.Exit(1)


@app.command("reconcile")
def reconcile_books(
    merchant: Slug = "demo",
    format_: Annotated[str, typer.Option("--format", help="table, json or csv.")] = "table",
    full: Annotated[
        bool, typer.Option("--full", help="Everything anew, and not only what is new or open.")
    ] = False,
    by: Annotated[str, typer.Option(help="Who starts it: somebody else signs it off.")] = "undrop",
) -> None:
    """Compare orders and ledger, processor and chain. Exit code 1 if there is a break."""
    if format_ not in ("table", "json", "csv"):
        give_up(f"There is no format {format_!r}; there are table, json and csv.")
    with opened_runtime() as runtime:
        row = merchant_by_slug(runtime, merchant)
        run_, breaks = reconcile(runtime, row.id, by, full=full)
        views = [break_view(found, run_.at) for found in breaks]
        if format_ == "json":
            about = {"at": run_.at.isoformat(), **run_.model_dump(include=COUNTS)}
            sys.stdout.write(json.dumps({"run": about, "breaks": views}) + "\n")
        elif format_ == "csv":
            sys.stdout.write(breaks_csv(views))
        else:
            out.print(breaks_table(views))
    if breaks:
        raise typer.Exit(1)


@app.command()
def indexer(pause: Annotated[float, typer.Option(help="Seconds between looks.")] = 0.2) -> None:
    """Follow the chain until stopped."""
    with opened_runtime() as runtime:
        runtime.indexer.check_pinned()
        doubts = 0
        while True:
            try:
                if runtime.indexer.step():
                    continue
                runtime.holder_samples.look()
                doubts = 0
            except (Unavailable, LeaseLost, ChainMismatch) as problem:
                # Another chain, said once, may be one bad answer; said again and again, it is so.
                doubts = doubts + 1 if isinstance(problem, ChainMismatch) else 0
                if doubts > _DOUBTS:
                    raise
                err.print(f"indexer.interrupted problem={problem}", highlight=False)
                time.sleep(1)
            time.sleep(pause)


@app.command()
def relayer() -> None:
    """Send what is owed to the chains until stopped: every lane of every chain."""
    with opened_runtime() as runtime:
        relay.run(runtime)


if __name__ == "__main__":
    app()
