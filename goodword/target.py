"""Which stack a command talks to.

Looked for in this order: `--data DIR`; GOODWORD_DATA; the URLs GOODWORD_POSTGRES, GOODWORD_REDIS, GOODWORD_KAFKA; the
folder `.goodword` here. With URLs, services are looked for on this machine at their own ports, unless
GOODWORD_TRACKING_URL (and GOODWORD_RULES_URL, …) name others, and GOODWORD_ADMIN_KEY is the operator's key.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from contracts.errors import PermanentError, Problem
from goodword.embedded.folder import DEFAULT_FOLDER, StackFolder
from runtime.settings import Settings

SERVICE_PORTS: Final = {"tracking": 8710, "rules": 8711, "rewards": 8712, "notify": 8713}
MAIL_PAGE_PORT: Final = 8714


@dataclass(frozen=True, slots=True)
class Target:
    """Addresses of one stack.

    Attributes:
        kafka: None means that the bus is the log in PostgreSQL.
        services: Service name to base URL; of a folder whose stack is still starting, some may be absent.
        admin_key: None when nobody told it.
        data_dir: The folder, when it is an embedded stack.
    """

    postgres: str
    redis: str
    kafka: str | None = None
    services: Mapping[str, str] = field(default_factory=dict)
    admin_key: str | None = None
    mail_page: str | None = None
    data_dir: Path | None = None

    def service(self, name: str) -> str:
        """Base URL of a service. Raises PermanentError when it is not known."""
        try:
            return self.services[name]
        except KeyError:
            raise PermanentError(
                Problem(
                    code="service-url-missing",
                    message=f"the address of the {name} service is not known",
                    help="the stack is still starting; `goodword status` says when everything serves",
                )
            ) from None

    def key(self) -> str:
        """The operator's key. Raises PermanentError when it is not known."""
        if self.admin_key is None:
            raise PermanentError(
                Problem(code="admin-key-missing", message="the admin key is not known", help="set GOODWORD_ADMIN_KEY")
            )
        return self.admin_key


def find_target(data: Path | None) -> Target:
    """The stack to talk to.

    Raises:
        PermanentError: `no-stack` or `stack-not-running`.
    """
    named = data or (Path(os.environ["GOODWORD_DATA"]) if os.environ.get("GOODWORD_DATA") else None)
    if named is not None:
        return target_of_folder(named)
    if os.environ.get("GOODWORD_POSTGRES"):
        return _target_of_environment()
    if (DEFAULT_FOLDER / "stack.json").exists():
        return target_of_folder(DEFAULT_FOLDER)
    raise PermanentError(
        Problem(
            code="no-stack",
            message="no running stack was found",
            help="start one with `goodword up`, name its folder with --data DIR (or GOODWORD_DATA), "
            "or set GOODWORD_POSTGRES, GOODWORD_REDIS and GOODWORD_KAFKA, and GOODWORD_TRACKING_URL and its like for "
            "services elsewhere",
        )
    )


def target_of_folder(path: Path) -> Target:
    """The embedded stack that keeps its data there; it must be up."""
    folder = StackFolder(path)
    state = folder.read()
    if state is None:
        raise PermanentError(
            Problem(
                code="no-stack",
                message="no stack was ever started on this folder",
                where=str(folder.path),
                help=f"start one with `goodword up --data {path}`",
            )
        )
    if not folder.is_running():
        raise PermanentError(
            Problem(
                code="stack-not-running",
                message="the stack of this folder is not up",
                where=str(folder.path),
                help=f"start it with `goodword up --data {path}`",
            )
        )
    return Target(
        postgres=state.postgres,
        redis=state.redis,
        kafka=state.kafka,
        services={name: address.url for name, address in state.services.items()},
        admin_key=folder.admin_key(),
        mail_page=state.mail_page,
        data_dir=folder.path,
    )


def _target_of_environment() -> Target:
    settings = Settings()
    named = {name: os.environ.get(f"GOODWORD_{name.upper()}_URL", "").rstrip("/") for name in SERVICE_PORTS}
    return Target(
        postgres=settings.postgres,
        redis=settings.redis,
        kafka=settings.kafka,
        services={name: named[name] or f"http://127.0.0.1:{port}" for name, port in SERVICE_PORTS.items()},
        admin_key=settings.admin_key.get_secret_value() if settings.admin_key else None,
    )
