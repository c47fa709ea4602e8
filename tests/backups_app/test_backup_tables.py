"""No table is forgotten: each stands in an archive, is emptied by a restore, or stays as it is."""

from django.apps import apps

from backups_app.services.backups.tables import ARCHIVED, EMPTIED, FURNISHED, LEFT, archived_models, columns_of


def test_every_model_is_named_once():
    named = [*ARCHIVED, *EMPTIED, *LEFT]
    assert len(named) == len(set(named))
    assert set(named) == {model._meta.label_lower for model in apps.get_models(include_auto_created=True)}


def test_what_may_be_there_before_any_work_is_archived():
    assert set(FURNISHED) < set(ARCHIVED)


def test_every_column_of_an_archive_has_a_form():
    assert all(columns_of(model) for model in archived_models())


def test_what_a_row_refers_to_is_written_before_it():
    labels = [model._meta.label_lower for model in archived_models()]
    assert sorted(labels) == sorted(ARCHIVED)
    assert labels.index("sessions_app.project") < labels.index("sessions_app.session")
    assert labels.index("sessions_app.session") < labels.index("history_app.task")
    assert labels.index("history_app.task") < labels.index("history_app.toolcall")
