"""Which state of the tables an archive was made from, told by its migrations, and whether it can be brought up."""

from dataclasses import dataclass
from typing import Any

from django.db.migrations.loader import MigrationLoader

from backups_app.archive import ArchiveRefused, Manifest
from backups_app.archive.manifest import MANIFEST, Table
from backups_app.services.backups.tables import ARCHIVED, archived_models, columns_of

Node = tuple[str, str]


@dataclass(frozen=True)
class SchemaState:
    """The last migrations that were applied, those that came since, and the models of that time by their labels."""

    newest: list[Node]
    missing: list[Node]
    models: dict[str, Any]

    @property
    def is_current(self) -> bool:
        """Whether the tables are those of this version."""
        return not self.missing


def schema_state(manifest: Manifest) -> SchemaState:
    """Return the state that an archive was made from. Raises ArchiveRefused for a later one, and for tables unknown."""
    loader = MigrationLoader(None)
    applied = [(app, name) for app, names in manifest.migrations.items() for name in names]
    if later := sorted(set(applied) - set(loader.disk_migrations)):
        told = ", ".join(f"{app}.{name}" for app, name in later[:3])
        raise ArchiveRefused(MANIFEST, f"made by a later version, whose migrations are not known here ({told}); update")
    _check_begun(manifest)
    missing = sorted(set(loader.graph.nodes) - set(applied))
    newest = _newest(loader, applied)
    models = _models(loader, newest) if missing else {each._meta.label_lower: each for each in archived_models()}
    for table in manifest.tables:
        _check_table(table, models)
    return SchemaState(newest, missing, models)


def _check_begun(manifest: Manifest) -> None:
    apps = {label.partition(".")[0] for label in ARCHIVED}
    if unsaid := sorted(app for app in apps if not manifest.migrations.get(app)):
        raise ArchiveRefused(MANIFEST, f"it does not say which migrations were applied to {', '.join(unsaid)}")


def _newest(loader: MigrationLoader, applied: list[Node]) -> list[Node]:
    """Return the migrations that no other one of these builds on."""
    nodes = {node for node in applied if node in loader.graph.nodes}
    return sorted(node for node in nodes if not {each.key for each in loader.graph.node_map[node].children} & nodes)


def _models(loader: MigrationLoader, newest: list[Node]) -> dict[str, Any]:
    state = loader.project_state(newest)
    return {model._meta.label_lower: model for model in state.apps.get_models(include_auto_created=True)}


def _check_table(table: Table, models: dict[str, Any]) -> None:
    model = models.get(table.label)
    if model is None or table.label not in ARCHIVED:
        raise ArchiveRefused(MANIFEST, f"it holds the table {table.label}, which is not known here")
    known = columns_of(model)
    if strange := [column for column in table.columns if column not in known]:
        raise ArchiveRefused(
            MANIFEST, f"{table.label} has the column {strange[0].name} ({strange[0].kind}), which is not known here"
        )
