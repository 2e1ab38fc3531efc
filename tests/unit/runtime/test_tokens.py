"""Bearer tokens: known by a hash alone."""

from __future__ import annotations

from runtime.tokens import is_secret, new_token, parse_token


def test_a_token_is_known_by_its_hash_alone() -> None:
    key_id, token = new_token()
    parsed = parse_token(token)
    assert parsed is not None
    assert parsed[0] == key_id
    assert is_secret(parsed[1], parsed[1])
    other = parse_token(token[:-1] + ("0" if token[-1] != "0" else "1"))
    assert other is not None
    assert not is_secret(parsed[1], other[1])


def test_what_is_no_token_of_ours_is_none() -> None:
    _, token = new_token()
    assert [parse_token(each) for each in (token + "0", token.upper(), "", "gw_", token[:-1])] == [None] * 5
