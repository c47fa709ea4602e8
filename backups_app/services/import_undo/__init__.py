"""Taking an import back: what it brought goes, unless something was added to it since."""

from backups_app.services.import_undo.undo import UndoReport, import_undo

__all__ = ["UndoReport", "import_undo"]
