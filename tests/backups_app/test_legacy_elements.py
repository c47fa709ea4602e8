"""A JSON list or object is cut into its elements as JSON has it, wherever the pieces end in which it is read."""

import json
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups_app.legacy.elements import Elements, key_of
from backups_app.legacy.files import Unreadable

TEXT = st.text(alphabet='ab\\"[]{},:\n€')
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=20,
)
AT_ONCE, INDENT = st.sampled_from([1, 2, 3, 5, 7, 64, 10_000]), st.sampled_from([None, 1])


class Drops(BytesIO):
    """A file that gives so many bytes at once."""

    def __init__(self, data, at_once):
        super().__init__(data)
        self._at_once = at_once

    def read(self, size=-1):
        return super().read(self._at_once)


@given(values=st.lists(JSON, max_size=6), at_once=AT_ONCE, indent=INDENT)
def test_a_list_is_cut_as_json_has_it_wherever_its_pieces_end(values, at_once, indent):
    text = json.dumps(values, indent=indent).encode()
    assert [json.loads(element.data) for element in Elements(Drops(text, at_once), 10_000)] == values
    with pytest.raises(Unreadable):
        list(Elements(Drops(text[:-1], at_once), 10_000))


@given(values=st.dictionaries(TEXT, JSON, max_size=6), at_once=AT_ONCE, indent=INDENT)
def test_an_object_is_cut_into_keys_and_values(values, at_once, indent):
    text = json.dumps(values, indent=indent).encode()
    elements = Elements(Drops(text, at_once), 10_000)
    found = [(*key_of(element.data), element.data) for element in elements]
    assert [(json.loads(key), json.loads(data[begins:])) for key, begins, data in found] == list(values.items())
    assert elements.is_object
    with pytest.raises(Unreadable):
        list(Elements(Drops(text[:-1] + b"]", at_once), 10_000))


@pytest.mark.parametrize(("behind", "is_something"), [(b"", False), (b" \n" * 3, False), (b"\n\n{}", True)])
def test_what_stands_behind_the_end_is_left_alone_and_can_be_asked_for(behind, is_something):
    elements = Elements(Drops(b"[1, 2]" + behind, 2), 10)
    assert [element.data.strip() for element in elements] == [b"1", b"2"]
    assert elements.are_followed() is is_something


@pytest.mark.parametrize("text", [b"", b"1", b"1 [2]", b'"[" [2]', b"] [2]", b"[1}", b'{"a": [1}'])
def test_what_is_no_list_is_refused(text):
    with pytest.raises(Unreadable):
        list(Elements(Drops(text, 2), 10))


@pytest.mark.parametrize("member", [b"", b"1", b'"key"', b"key: 1", b'"key: 1', b"{}: 1"])
def test_a_member_without_a_key_has_none(member):
    assert key_of(member) is None
