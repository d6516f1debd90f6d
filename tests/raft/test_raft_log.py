"""The log against a plain list."""

from random import Random

from killpoint.model.raft import Entry, Log


def test_it_is_a_list_of_entries_from_1_on():
    rng = Random(3)
    for _ in range(300):
        log, plain = Log(), []
        for _ in range(rng.randrange(1, 12)):
            first = rng.randint(1, len(plain) + 1)
            term = max([entry.term for entry in plain[: first - 1]], default=0)
            entries = [Entry(term := term + rng.choice((0, 0, 1, 3)), rng.randrange(3)) for _ in range(rng.randrange(4))]
            log.replace(first, entries)
            plain[first - 1 :] = entries
        assert log.last == len(plain)
        assert log.slice(1) == tuple(plain)
        assert log.last_term == log.term(log.last) == (plain[-1].term if plain else 0)
        first, count = rng.randint(1, len(plain) + 1), rng.randrange(5)
        assert log.slice(first, count) == tuple(plain[first - 1 : first - 1 + count])
        assert log.summary(first) == tuple((entry.term, log.chain(i)) for i, entry in enumerate(plain, 1) if i >= first)
        for index in range(len(plain) + 3):
            term = plain[index - 1].term if 0 < index <= len(plain) else 0
            assert log.term(index) == term
            for other in range(12):
                assert log.matches(index, other) is (index <= len(plain) and other == term)
                at_most = [i for i in range(1, min(index, len(plain)) + 1) if plain[i - 1].term <= other]
                assert log.last_not_after(index, other) == max(at_most, default=0)


def test_chains_are_equal_exactly_where_prefixes_are():
    rng = Random(4)
    prefixes = {}
    for _ in range(2_000):
        entries = tuple(Entry(rng.randrange(2), rng.choice((None, "x", b"x", 0, ("x",)))) for _ in range(rng.randrange(5)))
        chain = Log(entries).chain(len(entries))
        assert prefixes.setdefault(chain, entries) == entries
    assert len(set(prefixes.values())) == len(prefixes) > 200
