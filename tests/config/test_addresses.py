"""Addresses to serve, as people type them."""

import pytest

from config.serving.address import Address, AddressError, address_from_text, listening_socket


@pytest.mark.parametrize(
    ("typed", "host", "port"),
    [
        ("127.0.0.1:8000", "127.0.0.1", 8000),
        ("localhost", "localhost", 8000),
        ("9000", "127.0.0.1", 9000),
        (":9000", "0.0.0.0", 9000),
        ("[::1]:9000", "::1", 9000),
        ("[::]", "::", 8000),
    ],
)
def test_what_people_type_is_understood(typed, host, port):
    assert address_from_text(typed) == Address(host, port)


@pytest.mark.parametrize("typed", ["", "host:", "host:port", "host:65536", "http://host:80", "host:١٢"])
def test_what_is_no_address_is_refused(typed):
    with pytest.raises(AddressError):
        address_from_text(typed)


def test_every_interface_is_shown_by_the_address_that_works_on_this_machine():
    assert Address("0.0.0.0", 8000).url == "http://127.0.0.1:8000/"
    assert Address("::", 8000).url == "http://[::1]:8000/"


def test_the_socket_says_which_port_the_system_has_chosen():
    listener, address = listening_socket(Address("127.0.0.1", 0))
    with listener:
        assert address.port == listener.getsockname()[1] > 0


def test_an_address_of_another_machine_is_refused_with_the_reason():
    with pytest.raises(AddressError, match=r"^192\.0\.2\.1:8000 can't be served: "):
        listening_socket(Address("192.0.2.1", 8000))
