"""The doctor: looks for what must not be in a store, names it, and repairs what can be repaired safely."""

from backups_app.services.doctor.examining import Examination, store_examine

__all__ = ["Examination", "store_examine"]
