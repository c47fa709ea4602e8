"""Writes what an import found to files: the summary as JSON, and beside it every finding, one a line."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings

from backups_app.models import ImportFinding, ImportRun
from backups_app.services.legacy_import.report import ImportReport

FINDINGS_ENDING = ".findings.jsonl"
ROWS_AT_ONCE = 500
# Never the source's own text: it is with the run, where it is masked for those who may not see contents.
_COLUMNS = ("level", "code", "kind", "path", "line", "table", "key", "detail")


def report_path(run: ImportRun, stated: Path | None) -> Path:
    """Where the report goes: the stated file, or one of the run's own in DATA_DIR/reports."""
    if stated is not None:
        return stated
    name = f"import-{run.started_at:%Y%m%d-%H%M%S}-{run.pk}.json"
    return Path(settings.DATA_DIR) / "reports" / name


def report_write(*, run: ImportRun, report: ImportReport, path: Path) -> None:
    """Write the summary and the findings, each under another name first, readable by the owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    findings = path.with_name(path.name.removesuffix(".json") + FINDINGS_ENDING)
    _write(findings, (_line(row) for row in _rows(run)))
    summary = {
        **report.told(),
        "source": run.source,
        "format": run.source_format,
        "options": run.options,
        "started_at": run.started_at.isoformat(),
        "findings": findings.name,
    }
    _write(path, [json.dumps(summary, ensure_ascii=False, indent=2) + "\n"])


def _rows(run: ImportRun) -> Iterator[dict[str, Any]]:
    """The findings in their order, some at a time: no cursor is held while they are written."""
    last = 0
    while True:
        rows = ImportFinding.objects.filter(run=run, pk__gt=last).order_by("pk").values("pk", *_COLUMNS)
        page = list(rows[:ROWS_AT_ONCE])
        yield from page
        if len(page) < ROWS_AT_ONCE:
            return
        last = page[-1]["pk"]


def _line(row: dict[str, Any]) -> str:
    return json.dumps({name: row[name] for name in _COLUMNS}, ensure_ascii=False) + "\n"


def _write(path: Path, lines: Any) -> None:
    begun = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(begun, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.writelines(lines)
        begun.replace(path)
    finally:
        begun.unlink(missing_ok=True)
