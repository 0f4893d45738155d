"""A sequence that goes on in constant time is a tuple in everything else."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from play.track import Track


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers()), max_size=40), st.lists(st.integers(), max_size=5)
)
def test_every_branch_is_the_tuple_that_it_would_be(steps, begin):
    tracks, tuples = [Track(begin)], [tuple(begin)]
    for parent, item in steps:
        parent %= len(tracks)
        tracks.append(tracks[parent].plus(item))
        tuples.append((*tuples[parent], item))
    assert list(map(tuple, tracks)) == tuples
    for track, expected in zip(tracks, tuples, strict=True):
        assert track == expected and expected == track and hash(track) == hash(expected)
        assert len(track) == len(expected) and repr(track) == repr(expected)
        for part in (slice(None), slice(1, -1), slice(None, None, -2), slice(-3, 99)):
            assert track[part] == expected[part]
        assert [track[i] for i in range(-len(track), len(track))] == [*expected, *expected]
        for beyond in (len(track), -len(track) - 1):
            with pytest.raises(IndexError):
                track[beyond]
    assert Track("ab") != Track("ac") and Track("a") != "a"


def test_a_hundred_thousand_items_take_no_longer_each_than_a_few():
    track, begin = Track[int](), time.process_time()
    for i in range(100_000):
        track = track.plus(i)
    assert len(track) == 100_000 and time.process_time() - begin < 1  # copying each time: many seconds
