"""`goodword status`: whether everything serves, how far the log is worked off, and what there is."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

import msgspec
import typer

from goodword.terminal import EXIT_NO, DataOption, JsonOption, emit_json, out, print_table, problems_shown

if TYPE_CHECKING:
    from goodword.target import Target

REQUEST_S_MAX: Final = 5.0


class GroupStatus(msgspec.Struct, kw_only=True):
    """One consumer group. `lag` is the records of the topic that it has not worked off; None when the bus is away."""

    group: str
    topic: str
    lag: int | None = None


class ServiceStatus(msgspec.Struct, kw_only=True):
    """One service; `state` says why it is not ready."""

    name: str
    url: str
    ready: bool
    version: str | None = None
    state: str = ""
    groups: list[GroupStatus] = []


class Status(msgspec.Struct, kw_only=True):
    """The whole stack. `serves` is what the exit code says."""

    serves: bool
    bus: str
    services: list[ServiceStatus]
    counts: dict[str, int] = {}
    data: str | None = None
    mail_page: str | None = None


def status(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Exit code 0 when everything serves, 1 when something does not."""
    from goodword.target import find_target

    with problems_shown():
        found = asyncio.run(_status(find_target(data)))
    if as_json:
        emit_json(found)
    else:
        _show(found)
    raise typer.Exit(0 if found.serves else EXIT_NO)


async def _status(target: Target) -> Status:
    from goodword.target import SERVICE_PORTS

    services = await asyncio.gather(*(_service(name, target.services.get(name, "")) for name in SERVICE_PORTS))
    answers = await _add_lags(target, services)
    return Status(
        serves=answers and all(service.ready for service in services),
        bus="kafka" if target.kafka else "postgres",
        services=list(services),
        counts=await asyncio.to_thread(_counts, target.postgres),
        data=str(target.data_dir) if target.data_dir else None,
        mail_page=target.mail_page,
    )


async def _service(name: str, url: str) -> ServiceStatus:
    import httpx

    if not url:
        return ServiceStatus(name=name, url="", ready=False, state="not started yet")
    try:
        async with httpx.AsyncClient(timeout=REQUEST_S_MAX, trust_env=False) as client:
            response = await client.get(f"{url}/readyz")
            body: dict[str, Any] = response.json()
    except (httpx.TransportError, ValueError) as error:
        return ServiceStatus(name=name, url=url, ready=False, state=f"no answer ({type(error).__name__})")
    failing = [f"{check}: {outcome}" for check, outcome in body.get("checks", {}).items() if outcome != "ok"]
    is_ready = response.status_code == 200
    state = "ready" if is_ready else "; ".join(failing) or "not ready"
    return ServiceStatus(name=name, url=url, ready=is_ready, version=body.get("version"), state=state)


async def _add_lags(target: Target, services: list[ServiceStatus] | tuple[ServiceStatus, ...]) -> bool:
    """Fill in the lag of every group; returns whether the bus answered."""
    from contracts.errors import TransientError
    from goodword.flow import STAGES, lag, open_target_bus

    groups = {stage: GroupStatus(group=stage.group, topic=stage.topic) for stage in STAGES}
    for service in services:
        service.groups = [group for stage, group in groups.items() if stage.service == service.name]
    try:
        async with open_target_bus(target) as bus:
            for stage, group in groups.items():
                group.lag = await lag(bus, stage)
    except TransientError:
        return False
    return True


_COUNTS: Final = {
    "partners": "SELECT count(*) FROM tracking.partners",
    "revisions": "SELECT count(*) FROM rules.revisions",
    "accounts": "SELECT count(*) FROM rewards.accounts",
    "transfers": "SELECT count(*) FROM rewards.transfers",
}


def _counts(postgres: str) -> dict[str, int]:
    """What there is; a table that is not made yet, or a server that is away, has no count."""
    import psycopg

    from services.notify.reads import counts as mail_counts

    found: dict[str, int] = {}
    with contextlib.suppress(psycopg.OperationalError):
        with psycopg.connect(postgres, autocommit=True, connect_timeout=5) as connection:
            for name, query in _COUNTS.items():
                with contextlib.suppress(psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
                    row = connection.execute(query).fetchone()
                    found[name] = int(row[0]) if row else 0
        with contextlib.suppress(psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            found |= {f"mails_{outcome.replace('-', '_')}": count for outcome, count in mail_counts(postgres).items()}
    return found


def _show(found: Status) -> None:
    rows = []
    for service in found.services:
        lags = ", ".join(f"{each.group} {'?' if each.lag is None else f'{each.lag:,}'}" for each in service.groups)
        rows.append((service.name, service.url, service.state, service.version, lags))
    print_table(("service", "url", "state", "version", "behind (records)"), rows)
    counted = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in found.counts.items() if count)
    out.print(f"bus: {found.bus}; {counted or 'nothing there yet'}", markup=False)
    out.print("[bold green]everything serves[/]" if found.serves else "[bold red]not everything serves[/]")
