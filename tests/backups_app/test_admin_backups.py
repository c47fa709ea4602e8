"""Backups in the admin: asked for, verified, protected, restored after a look, and for nobody before whom a wall is."""

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from backups_app.models import Backup, Restore
from backups_app.services.backups.runs import backup_begin, backup_fail
from config.generated_secrets import new_backup_signing_key
from sessions_app.models import AuditEntry, Job, Session, StaffUser
from sessions_app.services.jobs import job_run
from tests.admin_rows import page
from tests.factories import NOW, default_project, make_backup, make_restore, make_session

pytestmark = pytest.mark.django_db
LIST = "/admin/backups_app/backup/"


@pytest.fixture(autouse=True)
def backup_dir(settings, tmp_path):
    settings.BACKUP_DIR = tmp_path / "backups"
    settings.BACKUP_SIGNING_KEY = new_backup_signing_key()
    return settings.BACKUP_DIR


def _at(verb: str, row: Backup | None = None) -> str:
    return reverse(f"admin:backups_app_backup_{verb}", args=[row.pk] if row else [])


def _text(client, address: str, **options) -> str:
    answer = client.get(address, **options)
    assert answer.status_code == 200, answer
    return answer.content.decode()


def _run_all() -> list[str]:
    return [job_run(job_id=pk) for pk in Job.objects.open().order_by("id").values_list("pk", flat=True)]


def test_an_empty_list_says_what_to_do(staff_admin, settings):
    text = _text(staff_admin, LIST)
    assert "There is no verified backup yet." in text
    assert "Make the first one now" in text
    assert str(settings.BACKUP_DIR) in text
    assert "The schedule makes one every 24 hours." in text
    settings.BACKUP_INTERVAL = 0
    assert "BACKUP_INTERVAL is 0" in _text(staff_admin, LIST)


def test_the_list_says_how_they_stand(staff_admin):
    make_backup(name="good")
    text = _text(staff_admin, LIST)
    assert "The newest verified backup is" in text
    assert "Another one should be there by now." in text
    failed = backup_begin(name="bad", trigger="schedule", requested_by="", now=NOW.replace(year=2027))
    backup_fail(backup=failed, cause="No space left on device", now=NOW.replace(year=2027))
    text = _text(staff_admin, LIST)
    assert "bad is not good:" in text
    assert "No space left on device" in text


@pytest.mark.django_db(transaction=True)
def test_one_is_made_and_its_progress_is_shown(store, staff_admin):
    answer = staff_admin.post(_at("make"), {"name": "mine"}, follow=True)
    text = answer.content.decode()
    assert "A backup has been asked for." in text
    assert "backup.make mine" in text
    Job.objects.update(progress_done=30, progress_total=40, progress_text="history_app.message")
    text = _text(staff_admin, LIST)
    assert '<progress max="40" value="30"' in text
    assert "history_app.message" in text
    assert _run_all() == ["succeeded"]
    row = Backup.objects.get(name="mine")
    assert (row.status, row.trigger, row.requested_by) == ("verified", "admin", "staff: staff_admin")
    text = _text(staff_admin, page(row, "change"))
    assert '<th scope="row">Permissions</th>' in text
    for verb in ("verify", "restore", "download", "protect"):
        assert _at(verb, row) in text


@pytest.mark.parametrize("name", ["../x", "UPPER"])
def test_a_bad_name_is_told_and_nothing_asked_for(staff_admin, name):
    text = staff_admin.post(_at("make"), {"name": name}, follow=True).content.decode()
    assert "A name is 1 to 100" in text
    assert not Job.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_restore_shows_first_what_it_would_do(store, staff_admin):
    make_session(title="A parcel is late")
    staff_admin.post(_at("make"), {"name": "mine"})
    _run_all()
    Session.objects.update(title="changed")
    make_session(title="came later")
    row = Backup.objects.get()
    assert "Nothing is written." in _text(staff_admin, _at("restore", row))
    staff_admin.post(_at("restore", row), {"step": "look"})
    assert "It is being looked at" in _text(staff_admin, _at("restore", row))
    _run_all()
    answer = staff_admin.get(_at("restore", row))
    look = answer.context["look"]
    assert (look.status, look.report["there"]["sessions_app.session"]) == ("dry_run", 2)
    assert '<th scope="row">Sessions</th><td>2</td><td>1</td>' in answer.content.decode()
    for wrong in ({"look": look.pk, "name": "other"}, {"look": look.pk}, {"look": look.pk + 1, "name": "mine"}):
        staff_admin.post(_at("restore", row), {"step": "restore", **wrong})
    assert not Job.objects.open().exists()
    staff_admin.post(_at("restore", row), {"step": "restore", "look": look.pk, "name": "mine"})
    assert _run_all() == ["succeeded"]
    assert Session.objects.get().title == "A parcel is late"
    done = Restore.objects.get(status="completed")
    assert (done.replace, done.requested_by) == (True, "staff: staff_admin")


def _asked(**fields):
    return {"step": "look", "kind": "session", "name": "s-1", "on_conflict": "skip", **fields}


@pytest.mark.django_db(transaction=True)
def test_a_part_is_looked_at_and_then_brought_back(store, staff_admin):
    make_session(session_id="s-1", title="A parcel is late")
    staff_admin.post(_at("make"), {"name": "mine"})
    _run_all()
    Session.objects.all().delete()
    row = Backup.objects.get()
    assert _at("restore_part", row) in _text(staff_admin, page(row, "change"))
    assert "Everything else in the store stays as it is." in _text(staff_admin, _at("restore_part", row))
    staff_admin.post(_at("restore_part", row), _asked())
    assert "It is being looked at" in _text(staff_admin, _at("restore_part", row))
    # The page of the whole restore is of another job, though its kind begins alike.
    assert staff_admin.get(_at("restore", row)).context["job"] is None
    _run_all()
    answer = staff_admin.get(_at("restore_part", row))
    look = answer.context["look"]
    assert (look.status, look.report["outcomes"]["sessions_app.session"]) == ("dry_run", {"new": 1})
    assert "Bring it back?" in answer.content.decode()
    staff_admin.post(_at("restore_part", row), {"step": "restore", "look": look.pk + 1})
    assert not Job.objects.open().exists()
    staff_admin.post(_at("restore_part", row), {"step": "restore", "look": look.pk})
    assert _run_all() == ["succeeded"]
    assert Session.objects.get().title == "A parcel is late"
    # The look is over with it.
    assert staff_admin.get(_at("restore_part", row)).context.get("look") is None


@pytest.mark.django_db(transaction=True)
def test_what_is_replaced_by_a_part_is_confirmed_by_the_name(store, staff_admin):
    session = make_session(session_id="s-1", title="A parcel is late")
    staff_admin.post(_at("make"), {"name": "mine"})
    _run_all()
    Session.objects.filter(pk=session.pk).update(title="changed")
    row = Backup.objects.get()
    staff_admin.post(_at("restore_part", row), _asked(on_conflict="replace"))
    _run_all()
    answer = staff_admin.get(_at("restore_part", row))
    assert "2 rows that are there now are lost." in answer.content.decode()
    look = {"step": "restore", "look": answer.context["look"].pk}
    staff_admin.post(_at("restore_part", row), look)
    assert not Job.objects.open().exists()
    staff_admin.post(_at("restore_part", row), {**look, "name": "mine"})
    assert _run_all() == ["succeeded"]
    assert Session.objects.kept().get().title == "A parcel is late"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"name": "none"}, "The backup holds no session &#x27;none&#x27;."),
        ({"name": ""}, "It is session:&lt;id&gt;"),
        ({"kind": "user", "name": "ada", "session_id": "x"}, "It is for one session alone."),
        ({"kind": "odd"}, "Select a valid choice."),
    ],
)
def test_what_is_wrong_with_a_part_stands_at_its_field(store, staff_admin, fields, why):
    make_session(session_id="s-1", user_id="ada")
    staff_admin.post(_at("make"), {"name": "mine"})
    _run_all()
    answer = staff_admin.post(_at("restore_part", Backup.objects.get()), _asked(**fields))
    assert why in answer.content.decode()
    assert not Job.objects.filter(kind="backup.restore_part").exists()


def test_a_look_that_failed_says_why(staff_admin):
    row = make_backup(name="mine")
    make_restore(backup_name="mine", status="failed", failure="a file is gone", started_at=_now(), finished_at=_now())
    assert "a file is gone" in _text(staff_admin, _at("restore", row))


def _now():
    from django.utils import timezone

    return timezone.now()


def test_one_is_protected_and_not_deleted_then(staff_admin, backup_dir):
    backup_dir.mkdir()
    row = make_backup()
    staff_admin.post(_at("protect", row), {"protected": "yes"})
    assert Backup.objects.get().protected
    text = staff_admin.post(page(row, "delete"), {"post": "yes"}, follow=True).content.decode()
    assert "is protected; take the protection away first" in text
    staff_admin.post(_at("protect", row), {"protected": "no"})
    assert not Backup.objects.get().protected
    staff_admin.post(page(row, "delete"), {"post": "yes"})
    assert not Backup.objects.exists()
    assert AuditEntry.objects.filter(action="backup.delete").count() == 1


def test_a_download_is_in_the_audit(staff_admin, backup_dir):
    row = make_backup(name="mine", location="mine")
    assert "has no archive" in _download_refused(staff_admin, row, backup_dir)
    (backup_dir / "mine").mkdir()
    (backup_dir / "mine" / "manifest.json").write_text("{}")
    answer = staff_admin.get(_at("download", row))
    assert len(b"".join(answer.streaming_content)) == int(answer["Content-Length"])
    assert AuditEntry.objects.get(action="backup.download").actor == "staff_admin"


def _download_refused(client, row, backup_dir) -> str:
    backup_dir.mkdir()
    return client.get(_at("download", row), follow=True).content.decode()


@pytest.mark.parametrize("verb", ["make", "scan", "verify", "protect"])
def test_nothing_is_done_by_a_link(staff_admin, verb):
    row = make_backup()
    assert staff_admin.get(_at(verb, row if verb in ("verify", "protect") else None)).status_code == 403
    assert not Job.objects.exists()


def _administrator(*projects) -> Client:
    user = StaffUser.objects.create_user(username="grace", is_staff=True)
    user.groups.add(Group.objects.get(name="Administrator"))
    user.projects.add(*projects)
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_an_administrator_of_every_project_may_all_of_it(project):
    row = make_backup()
    client = _administrator(project)
    assert row.name in _text(client, LIST)
    assert client.post(_at("verify", row)).status_code == 302
    assert Job.objects.get().kind == "backup.verify"


def test_one_before_whom_a_project_is_hidden_sees_and_does_nothing(project, other_project):
    row, client = make_backup(), _administrator(project)
    assert row.name not in _text(client, LIST)
    assert client.get(page(row, "change")).status_code == 302
    assert {client.post(_at(verb)).status_code for verb in ("make", "scan")} == {403}
    verbs = ("verify", "protect", "restore", "restore_part", "download")
    assert {client.post(_at(verb, row)).status_code for verb in verbs} == {403}
    assert client.get(_at("download", row)).status_code == 403
    client.post(page(row, "delete"), {"post": "yes"})
    assert Backup.objects.exists()
    assert not Job.objects.exists()


def test_other_staff_do_not_even_come_in(analyst, auditor):
    row = make_backup()
    for client in (analyst, auditor):
        assert client.get(LIST).status_code == 403
        assert client.get(_at("restore", row)).status_code == 403
        assert client.get(_at("restore_part", row)).status_code == 403
    assert default_project()


def test_the_front_page_says_how_they_stand_to_those_who_may_see_them(staff_admin, analyst):
    make_backup(name="good")
    assert "The newest verified backup is" in _text(staff_admin, "/admin/")
    assert LIST in _text(staff_admin, "/admin/")
    assert "The newest verified backup is" not in _text(analyst, "/admin/")


def test_the_front_page_hides_them_behind_a_wall(project, other_project):
    make_backup(name="good")
    client = _administrator(project)
    assert client.get("/admin/").context["backups"] is None
