"""Which bytes of a log can be believed."""

import random
from itertools import accumulate

import pytest

from killpoint.model.wal import HEADER_SIZE, Ending, encode, scan

RECORDS = (b"first", b"", b"\x00" * 40, b"KWL\x01" * 5, b"last one")


def log_of(records):
    data = b""
    for sequence, record in enumerate(records):
        data += encode(record, sequence, len(data))
    return data


LOG = log_of(RECORDS)
ENDS = (0, *accumulate(HEADER_SIZE + len(record) for record in RECORDS))


def test_what_was_encoded_is_scanned():
    found = scan(LOG)
    assert found.records == RECORDS
    assert (found.ending, found.offset) == (Ending.CLEAN, len(LOG))
    assert scan(b"") == scan(log_of(()))


def test_every_truncation_keeps_the_whole_records_and_is_torn_unless_it_falls_between_two():
    for size in range(len(LOG) + 1):
        found = scan(LOG[:size])
        whole = sum(end <= size for end in ENDS) - 1
        assert found.records == RECORDS[:whole]
        assert found.offset == ENDS[whole]
        assert found.ending is (Ending.CLEAN if size == ENDS[whole] else Ending.TORN)


def test_every_bit_of_every_frame_counts_and_only_the_last_frame_can_be_torn():
    for position in range(len(LOG)):
        for bit in range(8):
            damaged = bytearray(LOG)
            damaged[position] ^= 1 << bit
            found = scan(bytes(damaged))
            frame = sum(end <= position for end in ENDS) - 1
            assert found.records == RECORDS[:frame]
            if position == 3 and damaged[3] > 1:
                assert "newer" in found.reason
                assert found.ending is Ending.CORRUPT
            else:
                assert found.ending is (Ending.TORN if frame == len(RECORDS) - 1 else Ending.CORRUPT)
                assert found.offset == ENDS[frame]


def test_corruption_says_where_the_valid_record_behind_it_is():
    damaged = LOG[: ENDS[1]] + bytes(ENDS[2] - ENDS[1]) + LOG[ENDS[2] :]
    found = scan(damaged)
    assert found.ending is Ending.CORRUPT
    assert found.reason == f"record 1 cannot be read, but a valid record follows it at offset {ENDS[2]}"


def test_a_frame_is_valid_only_at_its_offset_and_in_its_turn():
    frame = encode(b"moved", 0, 0)
    assert scan(frame).records == (b"moved",)
    assert scan(LOG + encode(b"x", len(RECORDS), 0)).records == RECORDS
    assert scan(LOG + encode(b"x", len(RECORDS) + 1, len(LOG))).records == RECORDS
    assert scan(LOG + encode(b"x", 0, len(LOG))).records == RECORDS


def test_a_log_inside_a_torn_record_does_not_make_it_corrupt():
    inner = log_of([b"inner"] * 20)
    data = log_of([b"outer", inner])
    found = scan(data[:-3])
    assert (found.records, found.ending) == ((b"outer",), Ending.TORN)


def test_zeros_behind_the_log_are_a_torn_tail():
    for count in (1, 19, 20, 21, 512):
        assert scan(LOG + bytes(count)).ending is Ending.TORN


def test_what_cannot_be_framed_is_refused():
    with pytest.raises(ValueError, match="record -1"):
        encode(b"", -1, 0)
    with pytest.raises(ValueError, match="offset -5"):
        encode(b"", 0, -5)


def test_fuzz_24000_damaged_logs_never_yield_a_record_that_was_not_written_there():
    rng = random.Random(7)
    endings = dict.fromkeys(Ending, 0)
    for _ in range(24_000):
        records = tuple(rng.randbytes(rng.choice((0, 3, 30))) for _ in range(rng.randrange(6)))
        data = bytearray(log_of(records))
        for _ in range(rng.randrange(3)):
            start = rng.randrange(len(data) + 1)
            match rng.randrange(5):
                case 0:
                    del data[start:]
                case 1:
                    del data[start : start + rng.randrange(1, 40)]
                case 2:
                    data[start:start] = rng.randbytes(rng.randrange(1, 40))
                case 3:
                    data[start : start + 8] = bytes(len(data[start : start + 8]))
                case 4:
                    data[start:start] = data[: rng.randrange(len(data) + 1)]
        found = scan(bytes(data))
        endings[found.ending] += 1
        assert found.records == records[: len(found.records)]
        assert found.offset == sum(HEADER_SIZE + len(record) for record in found.records)
        assert (found.ending is Ending.CLEAN) == (found.offset == len(data))
        assert scan(bytes(data[: found.offset])).ending is Ending.CLEAN
    assert min(endings.values()) > 1_000  # the fuzzer reaches every ending


def test_fuzz_20000_random_byte_strings_are_never_a_log():
    rng = random.Random(8)
    for _ in range(20_000):
        data = (b"KWL\x01" if rng.random() < 0.5 else b"") + rng.randbytes(rng.randrange(1, 60))
        found = scan(data)
        assert found.records == ()
        assert found.ending is not Ending.CLEAN
