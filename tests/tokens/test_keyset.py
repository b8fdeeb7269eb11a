"""A set of texts that takes little memory."""

import secrets
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from flask_permjwt.tokens.keyset import KeySet

TEXTS = st.one_of(st.text(), st.binary(min_size=16, max_size=16).map(bytes.hex))


@given(st.lists(TEXTS), st.lists(TEXTS))
def test_it_holds_what_was_added_and_nothing_else(added, asked):
    keys = KeySet()
    for text in added:
        keys.add(text)
    assert len(keys) == len(set(added))
    assert all(text in keys for text in added)
    assert [text for text in asked if text in keys] == [text for text in asked if text in set(added)]


def test_neighbours_in_one_row_are_not_mixed_up():
    keys = KeySet()
    prefix, a, b = "0000", "11" * 14, "22" * 14
    keys.add(prefix + a)
    keys.add(prefix + b)
    across = prefix + a[14:] + b[:14]
    assert prefix + a in keys
    assert prefix + b in keys
    assert across not in keys


def test_repeating_bytes_are_found_where_they_begin():
    keys = KeySet()
    keys.add("0000" + "00" * 13 + "01")
    keys.add("0000" + "00" * 14)
    assert "0000" + "00" * 14 in keys
    assert "0000" + "00" * 12 + "0100" not in keys


def test_an_id_and_the_digest_of_another_text_are_told_apart():
    keys = KeySet()
    keys.add("x")
    assert "X" not in keys
    assert "" not in keys


def test_a_hundred_thousand_take_less_than_half_of_what_a_set_takes():
    ids = [secrets.token_hex(16) for _ in range(100_000)]

    def size_of(build):
        tracemalloc.start()
        kept = build()
        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(kept) == len(ids)
        return size

    def compact():
        keys = KeySet()
        for one in ids:
            keys.add(one)
        return keys

    assert size_of(compact) < size_of(lambda: {bytes.fromhex(one).hex() for one in ids})
