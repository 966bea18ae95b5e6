"""The relayer at the command line: `undrop relay`. Who has the database may steer every lane."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer
from rich.table import Table

from api.terminal import Slug, opened_runtime, out
from settlement.commands import lanes as lane_commands
from settlement.commands import relay, relay_rules
from settlement.commands.access import merchant_by_slug

app = typer.Typer(no_args_is_help=True, help="What is relayed, by which rules, on which lanes.")

RelayId = Annotated[str, typer.Argument(metavar="ID", help="A transaction's id.")]
LaneAddress = Annotated[str, typer.Argument(metavar="ADDRESS", help="Of the lane's key.")]
OnChain = Annotated[int | None, typer.Option("--chain", help="Default: every chain.", min=1)]


@app.command()
def allow(
    contract: Annotated[str, typer.Option(help="Or the account that gets coin.")],
    merchant: Slug = "demo",
    chain: Annotated[
        int | None, typer.Option(help="Default: that of UNDROP_CHAIN_ID.", min=1)
    ] = None,
    function: Annotated[
        str, typer.Option(help="Such as 'transfer(address,uint256)'; default: coin without data.")
    ] = "",
    where: Annotated[
        list[str] | None,
        typer.Option(help="place=value,value: what an argument may be; 'empty' for bytes."),
    ] = None,
    max_value: Annotated[str, typer.Option(help="Wei that a transaction may carry.")] = "0",
) -> None:
    """Allow a merchant's back end a function; what no rule allows is refused.

    Arguments are counted from 0, fields of a struct with a dot: --where '0=0x…,0x…' --where 2.1=7.
    An argument without --where may be anything. The same function again changes its rule.
    """
    with opened_runtime() as runtime:
        row = relay_rules.allow(
            runtime,
            merchant_by_slug(runtime, merchant),
            chain or runtime.settings.chain_id,
            contract,
            function,
            where or [],
            max_value,
        )
        out.print(f"Rule {row['id']}: {_rule(row)}.", highlight=False, soft_wrap=True)


@app.command()
def rules(merchant: Slug = "demo") -> None:
    """What a merchant's back end may have relayed."""
    with opened_runtime() as runtime:
        rows = relay_rules.listing(runtime, merchant_by_slug(runtime, merchant))
        table = _table("rule", "allows")
        for row in rows:
            table.add_row(row["id"], _rule(row))
        out.print(table if rows else "No rules: nothing is relayed.")


@app.command()
def forbid(
    rule: Annotated[str, typer.Argument(help="Its id, as in 'undrop relay rules'.")],
    merchant: Slug = "demo",
) -> None:
    """Take a rule back. What has no nonce yet fails; what has one goes on."""
    with opened_runtime() as runtime:
        row = relay_rules.forbid(runtime, merchant_by_slug(runtime, merchant), rule)
        out.print(f"No longer: {_rule(row)}.", highlight=False, soft_wrap=True)


@app.command()
def lanes() -> None:
    """Every lane and what is wrong with it. Exit code 1 if anything is."""
    with opened_runtime() as runtime:
        found = lane_commands.overview(runtime)
        known = found["lanes"]
        out.print(_lane_table(known) if known else "No lanes: no relayer has run yet.")
        for late in found["waiting"]:
            out.print(
                f"On chain {late['chain_id']} the oldest transaction that is due has waited "
                f"{late['oldest_s']} s for a nonce."
            )
    if any(lane["alarms"] for lane in known):
        raise typer.Exit(1)


@app.command()
def status(relay_id: RelayId, merchant: Slug = "demo") -> None:
    """A transaction with every attempt, as JSON."""
    with opened_runtime() as runtime:
        _print(relay.status(runtime, merchant_by_slug(runtime, merchant).id, relay_id))


@app.command()
def cancel(relay_id: RelayId, merchant: Slug = "demo") -> None:
    """Take a transaction back: at once without a nonce, else if a self-transfer is faster."""
    with opened_runtime() as runtime:
        _print(relay.cancel(runtime, merchant_by_slug(runtime, merchant).id, relay_id))


@app.command("speed-up")
def speed_up(relay_id: RelayId, merchant: Slug = "demo") -> None:
    """Pay a higher fee; without a nonce, do not wait for a cheap block any more."""
    with opened_runtime() as runtime:
        _print(relay.speed_up(runtime, merchant_by_slug(runtime, merchant).id, relay_id))


@app.command()
def pause(address: LaneAddress, chain: OnChain = None) -> None:
    """Sign nothing more with a key; what is in the pool stays there."""
    _set_mode(address, "pause", chain)


@app.command()
def drain(address: LaneAddress, chain: OnChain = None) -> None:
    """Take nothing new up, and bring what is under way to its end."""
    _set_mode(address, "drain", chain)


@app.command()
def resume(address: LaneAddress, chain: OnChain = None) -> None:
    """Go on."""
    _set_mode(address, "resume", chain)


def _set_mode(address: str, action: str, chain: int | None) -> None:
    with opened_runtime() as runtime:
        found = lane_commands.set_mode(runtime, address, action, chain, "cli", None)
        for lane in found["lanes"]:
            out.print(
                f"{lane['address']} on chain {lane['chain_id']} is {lane['mode']}.", soft_wrap=True
            )


def _rule(row: dict[str, Any]) -> str:
    what = row["function"] or "coin without data"
    held = [f"{place}={_listed(value)}" for place, value in row["where"].items()]
    where = f" where {' and '.join(held)}" if held else ""
    carried = f", with up to {row['max_value']} wei" if row["max_value"] != "0" else ""
    return f"{what} to {row['contract']} on chain {row['chain_id']}{where}{carried}"


def _listed(value: str | list[str]) -> str:
    return value if isinstance(value, str) else ",".join(value)


def _lane_table(rows: list[dict[str, Any]]) -> Table:
    names = ("lane", "chain", "for", "mode", "next nonce", "under way", "head", "balance", "alarm")
    table = _table(*names)
    for row in rows:
        head = f"{row['head']['nonce']}, {row['head']['age_s']} s" if row["head"] else "-"
        alarms = "; ".join(one["problem"] for one in row["alarms"]) or "-"
        numbers = (row["next_nonce"], row["under_way"])
        words = (row["address"], row["chain_id"], row["purpose"], row["mode"], *numbers)
        table.add_row(*map(str, words), head, row["balance"] or "-", alarms)
    return table


def _table(*columns: str) -> Table:
    table = Table()
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def _print(view: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(view, indent=2) + "\n")
