"""What a command says of a restore: what it would do, and what it has done."""

from backups_app.models import Restore
from backups_app.services.backups.tables import FURNISHED


def would_be(restore: Restore) -> str:
    """Return the report of a look: the archive, what is there, and how to go on."""
    there = restore.report["there"]
    lines = [_archive(restore), *_findings(restore)]
    if not there:
        return "\n".join([*lines, f"Nothing is in {restore.target} yet. Nothing was written. Say --yes to do it."])
    lines += [f"{'':32}{'there now':>14}{'in the archive':>16}", *_table(there, restore.report["tables"])]
    say = "--yes" if restore.replace else "--replace --yes"
    return "\n".join([*lines, f"What is there now would be lost. Nothing was written. Say {say} to do it."])


def has_been(restore: Restore) -> str:
    """Return what a restore has done."""
    seconds = restore.report["seconds"]["in_all"]
    done = f"{restore.row_count:,} rows are in {restore.target}, each table compared with the archive ({seconds} s)."
    replaced = sum(restore.report["replaced"].values())
    lost = [f"They took the place of {replaced:,} rows."] if restore.replace else []
    return "\n".join([_archive(restore), *_findings(restore), done, *lost])


def _archive(restore: Restore) -> str:
    archive, checks = restore.report["archive"], restore.report["checks"]
    brought = restore.report["brought_up_by"]
    older = f" It is of an older version: {len(brought)} migrations bring it up." if brought else ""
    return (
        f"Archive {archive['name']} shows {archive['database']} at {archive['made_at'][:16].replace('T', ' ')} UTC: "
        f"{restore.row_count:,} rows; signature, {checks['files']} files and references are good.{older}"
    )


def _findings(restore: Restore) -> list[str]:
    """Return what the checks of its contents found; nothing, as a rule."""
    found = {code: number for code, number in restore.report["checks"]["findings"].items() if number}
    told = ", ".join(f"{number} × {code}" for code, number in found.items())
    return (
        [f"Found in it: {told}. `manage.py doctor --repair` puts right what can be after the restore."] if found else []
    )


def _table(there: dict[str, int], archived: dict[str, int]) -> list[str]:
    # What every installation has from its first day on says nothing here.
    labels = sorted(
        label for label in {*there, *archived}.difference(FURNISHED) if there.get(label) or archived.get(label)
    )
    return [f"{label:32}{there.get(label, 0):>14,}{archived.get(label, 0):>16,}" for label in labels]
