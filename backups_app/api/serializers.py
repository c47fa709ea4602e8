"""What the API shows of import runs, backups and restores."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from backups_app.models import Backup, ImportFinding, ImportOrigin, ImportRun, Restore
from backups_app.models.backups import name_is_safe
from backups_app.services.backups.parts import OnConflict
from config.shared.api.fields import BooleanValue, ChoiceValue, IntegerValue, TextValue
from config.shared.api.serializers import LedgerSerializer, StrictInput
from sessions_app.models import Job


class ImportRunSerializer(LedgerSerializer):
    """One run of an import with its reconciliation."""

    class Meta:
        model = ImportRun
        fields = (
            "id",
            "source",
            "source_format",
            "options",
            "status",
            "counts",
            "sums",
            "failure",
            "report",
            "attempt",
            "started_at",
            "finished_at",
        )
        read_only_fields = fields


class ImportFindingSerializer(LedgerSerializer):
    """One thing that an import could not take over as it stood. `raw` is what stood there."""

    class Meta:
        model = ImportFinding
        fields = ("id", "level", "kind", "code", "path", "line", "table", "key", "detail", "raw")
        read_only_fields = fields
        masked_fields = ("key", "detail", "raw")


class BackupSerializer(LedgerSerializer):
    """One archive of the whole store, or one attempt at it. Nothing of it is written through the API."""

    class Meta:
        model = Backup
        fields = (
            "name",
            "sequence",
            "status",
            "trigger",
            "requested_by",
            "started_at",
            "finished_at",
            "verified_at",
            "last_check_at",
            "size_bytes",
            "row_count",
            "tables",
            "encrypted",
            "protected",
            "manifest_sha256",
            "format_version",
            "failure",
        )
        read_only_fields = fields


class NewBackupSerializer(StrictInput):
    """A backup that is asked for. Without a name it is named by its time."""

    name = TextValue(required=False, validators=[name_is_safe], help_text="1 to 100 of a-z, 0-9, dot, dash, underscore")


class RestoreIntoSerializer(StrictInput):
    """Where a part of a backup comes: without a project into the one of the same slug."""

    project = TextValue(required=False, max_length=63, help_text="The slug of a project that is there.")
    session_id = TextValue(required=False, max_length=255, help_text="Another id for the one session of `only`.")


class RestoreAskedSerializer(StrictInput):
    """A restore that is asked for. A store that is not empty is left alone unless `replace` is true.

    With `only` just that part comes back, into the living store, which keeps all else.
    """

    dry_run = BooleanValue(default=False, help_text="Read and check everything, and write nothing.")
    replace = BooleanValue(default=False, help_text="What is in the store now is lost.")
    only = serializers.ListField(
        child=TextValue(max_length=300),
        required=False,
        allow_empty=False,
        max_length=100,
        help_text="`session:<id>`, `user:<id>`, `project:<slug>`, `configs`",
    )
    on_conflict = ChoiceValue(
        choices=[(str(way), str(way)) for way in OnConflict],
        required=False,
        help_text="What becomes of a thing of the part whose id is taken: `skip` (default), `replace`, `new-id`.",
    )
    from_project = TextValue(required=False, max_length=63, help_text="The project of the backup that has the part.")
    into = RestoreIntoSerializer(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return the answers. What is for a part is refused without one, and `replace` with one."""
        is_part = "only" in attrs
        wrong = [name for name in ("on_conflict", "from_project", "into") if name in attrs and not is_part]
        if is_part and attrs["replace"]:
            wrong.append("replace")
        if wrong:
            text = "It is for the whole store: say on_conflict." if is_part else "It is for a part: say only."
            raise serializers.ValidationError(dict.fromkeys(wrong, text))
        return attrs


class RestoreRunSerializer(LedgerSerializer):
    """One restore, or one look at what it would do. `report` holds the tables with their rows, and what was checked."""

    class Meta:
        model = Restore
        fields = (
            "id",
            "backup_name",
            "target",
            "replace",
            "status",
            "requested_by",
            "started_at",
            "finished_at",
            "row_count",
            "report",
            "failure",
        )
        read_only_fields = fields


class AskedJobSerializer(LedgerSerializer):
    """The job that was asked for. The answer's Location is where it is polled."""

    class Meta:
        model = Job
        fields = ("id", "kind", "state", "arguments", "created_at")


class PlacedRecord(serializers.Serializer[Any]):
    """One row that was brought: its kind, its id, and the line, or the table and key, where it stood."""

    kind = serializers.CharField()
    id = serializers.CharField()
    line = serializers.IntegerField(allow_null=True)
    table = serializers.CharField(allow_null=True)
    key = serializers.CharField(allow_null=True)


@extend_schema_field(PlacedRecord(many=True))
class PlacedRecords(serializers.Field):
    """What one run brought from one file, by kind and in the file's order."""

    def to_representation(self, value: dict[str, list[list[Any]]]) -> list[dict[str, Any]]:
        """Return one object a row."""
        return [_placed(kind, *entry) for kind, entries in value.items() for entry in entries]


def _placed(
    kind: str, name: str, line: int | None = None, table: str | None = None, key: str | None = None
) -> dict[str, Any]:
    return {"kind": kind, "id": name, "line": line, "table": table, "key": key}


class ImportOriginSerializer(LedgerSerializer):
    """What one run brought into one session, or beside all sessions, from one file of its source.

    `assumed_timezone` is what the times of these records were taken to be of; empty where they name their zone.
    """

    import_run = IntegerValue(source="run_id", read_only=True)
    source = TextValue(source="run.source", read_only=True)
    session_id = TextValue(source="session.session_id", read_only=True, allow_null=True, default=None)
    records = PlacedRecords(read_only=True)

    class Meta:
        model = ImportOrigin
        fields = ("id", "import_run", "source", "path", "session_id", "assumed_timezone", "records")
        read_only_fields = fields
