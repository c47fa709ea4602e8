"""A row that MariaDB does not take at once is told as what it is, and not as a server that has gone away."""

import pytest
from django.db import connection

from config.shared.errors import TooLarge
from history_app.models import Message
from tests.factories import make_session
from tests.history_app.records import record, write

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "mysql", reason="only MariaDB has a limit of its own"),
]


@pytest.fixture
def most():
    """The greatest packet of this server, as far as a test can go over it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@max_allowed_packet")
        (size,) = cursor.fetchone()
    if size > 64 * 1024**2:
        pytest.skip("this server takes more than a test should send")
    return size


@pytest.mark.parametrize("times", [1, 2], ids=["which it says", "at which it hangs up"])
def test_a_row_over_the_packet_is_refused_by_table_size_and_setting(project, now, settings, most, times):
    settings.MAX_RECORD_BYTES = 3 * most
    make_session(session_id="s-1")
    with pytest.raises(TooLarge, match=rf"history_app\.message has [\d,]+ bytes.*max_allowed_packet is {most:,} bytes"):
        write(project, [record("message", "m-1", content="x" * most * times)], now)
    assert not Message.objects.exists()
    write(project, [record("message", "m-2")], now)
    assert Message.objects.get().record_id == "m-2"
