"""House rules as a test: reads the source and says file:line, the banned thing, and what to use instead."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from goodword.settings_table import rows
from runtime.metrics import CATALOGUE
from runtime.settings import Settings
from services.notify.settings import NotifySettings
from services.rewards.settings import RewardsSettings
from services.rules.settings import RulesSettings
from services.tracking.settings import TrackingSettings

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("contracts", "runtime", "services", "goodword")
PURE = (
    "contracts",
    *(f"services/rewards/reconciling/{name}.py" for name in ("row", "judge", "tally")),
    *(f"services/rewards/journal/{name}.py" for name in ("gl_chart", "lines", "periods")),
    *(f"services/rewards/liability/{name}.py" for name in ("forecast", "months")),
    *(f"services/rewards/payouts/bank/{name}.py" for name in ("entry", "matching")),
    "services/rules/language",
    "services/rules/words",
    "services/rules/comparing",
    "services/rules/testing",
    "services/rules/backtest",
    "services/rewards/papers/of_payouts.py",
    "services/rules/restating/adjusting.py",
    *(f"services/rules/shadowing/{name}.py" for name in ("sampling", "part", "differences")),
    "services/rules/generate",
    *(f"services/rules/playground/{name}.py" for name in ("play", "pasted")),
    *(f"services/rules/explaining/{name}.py" for name in ("replay", "closes", "again", "told", "telling")),
    *(f"services/rules/{name}.py" for name in ("fold", "evaluate", "compile")),
    *(f"services/rules/{name}" for name in ("deciding", "amounts", "bounds", "terms", "states", "revisions")),
    *(f"services/rules/clock/{name}.py" for name in ("calendar", "alarms", "silences")),
    *(f"services/rewards/{name}.py" for name in ("postings", "faults", "legs", "own", "decode", "chart")),
    *(f"services/rewards/lives/{name}.py" for name in ("life", "moves", "waiting", "outcomes", "grants", "redelivery")),
    "services/rewards/lots/oldest_first.py",
    "services/rewards/budgets/claims.py",
    "services/rewards/standings/changes.py",
    "services/rewards/partitions/months.py",
    "services/rewards/requests/identity.py",
    "services/rewards/newest.py",
    "services/rewards/redemptions/line.py",
    "services/rewards/asof/cuts.py",
    *(f"services/rewards/chain/{name}.py" for name in ("encoding", "findings", "walk")),
    "services/rewards/elements.py",
    "services/rewards/bulk/rows.py",
    *(f"services/rewards/papers/{name}.py" for name in ("parties", "invoice", "shown")),
    *(
        f"services/rewards/{name}.py"
        for name in (
            "lots/spending",
            "redemptions/deciding",
            "memberships/terms",
            "gifts/giving",
            "redemptions/line",
            "memberships/line",
            "gifts/line",
        )
    ),
    *(f"services/rewards/catalogue/{name}.py" for name in ("items", "reading")),
    *(
        f"services/rewards/payouts/{name}.py"
        for name in (
            *("bank_ids", "payee", "plan", "schedule", "payout", "payable", "conversion", "moves"),
            *("latin", "bank_file", "pain", "csv_file"),
        )
    ),
    "services/tracking/attribution.py",
    "services/tracking/clicks.py",
    "services/notify/outcomes.py",
)
LINES_MAX = 400
SETTINGS = (Settings, TrackingSettings, RulesSettings, RewardsSettings, NotifySettings)

BANNED_EVERYWHERE = {
    r"\b(TODO|FIXME|XXX|HACK)\b": "finish it, or open an issue",
    r"\bexcept:": "name what you catch",
    r"\bexecute\(\s*f['\"]": "bind parameters; compose identifiers with psycopg.sql",
    r"\bdatetime\.utcnow\b": "runtime.clock",
}
BANNED_IN_PURE = {
    r"\btime\.time|\btime\.monotonic|\bdatetime\.now\b|\bdate\.today\b": "take the time as a parameter",
    r"^\s*(import|from) (random|secrets|uuid)\b": "derive ids in contracts.ids; randomness lives at the edge",
    r"\bfloat\(": "integers in minor units, or millionths",
    r"^\s*(import|from) (psycopg|redis|aiokafka|faststream|httpx|starlette|structlog|runtime)\b": "values only, no I/O",
    r"\bopen\(": "pure modules do no I/O",
}
PRINT_ALLOWED = ("goodword/",)


def python_files(*places: str) -> Iterator[Path]:
    for place in places:
        path = ROOT / place
        yield from [path] if path.suffix == ".py" else sorted(path.rglob("*.py"))


def offences(files: Iterator[Path], banned: dict[str, str]) -> list[str]:
    found = []
    for file in files:
        for number, line in enumerate(file.read_text().splitlines(), 1):
            for pattern, instead in banned.items():
                if re.search(pattern, line):
                    found.append(f"{file.relative_to(ROOT)}:{number}: {line.strip()!r}: {instead}")
    return found


def test_nothing_banned_is_in_the_product() -> None:
    assert offences(python_files(*PRODUCT), BANNED_EVERYWHERE) == []


def test_pure_modules_have_no_clock_no_randomness_no_io() -> None:
    assert offences(python_files(*PURE), BANNED_IN_PURE) == []


def test_only_the_command_line_prints() -> None:
    found = []
    for file in python_files(*PRODUCT):
        name = str(file.relative_to(ROOT))
        if name.startswith(PRINT_ALLOWED):
            continue
        calls = (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call))
        found += [f"{name}:{c.lineno}: print: use runtime.log" for c in calls if getattr(c.func, "id", "") == "print"]
    assert found == []


def test_modules_stay_small() -> None:
    sizes = {str(f.relative_to(ROOT)): len(f.read_text().splitlines()) for f in python_files(*PRODUCT)}
    assert {name: size for name, size in sizes.items() if size > LINES_MAX} == {}


def test_every_module_opens_with_its_promise() -> None:
    without = [
        str(file.relative_to(ROOT))
        for file in python_files(*PRODUCT)
        if file.read_text().strip()
        and ast.get_docstring(ast.parse(file.read_text())) is None
        and "migrations" not in file.parts
    ]
    assert without == []


@pytest.mark.parametrize("service", ["tracking", "rules", "rewards", "notify"])
def test_services_have_the_same_rooms(service: str) -> None:
    rooms = {path.name.removesuffix(".py") for path in (ROOT / "services" / service).iterdir()}
    assert {"app", "handlers", "store", "api", "settings", "migrations", "README.md"} <= rooms


def test_operations_lists_every_metric_and_alerts_name_only_real_ones() -> None:
    names = {f"goodword_{service}_{metric.what}" for metric in CATALOGUE for service in metric.services}
    operations = (ROOT / "docs/operations.md").read_text()
    assert [name for name in sorted(names) if f"`{name}`" not in operations] == []
    mentioned = set(re.findall(r"goodword_[a-z_]+", operations + (ROOT / "deploy/prometheus/alerts.yml").read_text()))
    known = (
        names
        | {"goodword_build_info"}
        | {f"{name}_{suffix}" for name in names for suffix in ("bucket", "sum", "count")}
    )
    assert mentioned - known == set()


def test_operations_tells_what_to_do_about_every_alert_and_no_other() -> None:
    operations = (ROOT / "docs/operations.md").read_text()
    section = operations.partition("## Alerts")[2].partition("\n## ")[0]
    alerts = re.findall(r"- alert: (\w+)", (ROOT / "deploy/prometheus/alerts.yml").read_text())
    assert sorted(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == sorted(alerts)


@pytest.mark.parametrize("kind", SETTINGS, ids=lambda kind: kind.__name__)
def test_every_setting_says_what_it_means(kind: type[Settings]) -> None:
    assert [variable for variable, _, _, meaning in rows(kind) if not meaning] == []


def test_the_workplace_is_not_named() -> None:
    """What only one machine has is nobody else's business."""
    words = re.compile(r"/work/|\.library|pypi\.org|files\.pythonhosted|registry\.npmjs|repo1?\.maven", re.IGNORECASE)
    files = [
        *python_files(*PRODUCT),
        *(ROOT / "docs").rglob("*.md"),
        *ROOT.glob("*.md"),
        *ROOT.glob("*.lock"),
        ROOT / "Makefile",
    ]
    assert [str(f.relative_to(ROOT)) for f in files if f.exists() and words.search(f.read_text())] == []
