"""The parts of CivicTrust that decide: canonical documents, signatures, and what the log means."""

from random import Random

import pytest

from killpoint.model.civictrust.document import Document, content_of, digest_of, issue_document, parse_signed
from killpoint.model.civictrust.keys import KeyRing, verify
from killpoint.model.civictrust.ledger import Ledger
from killpoint.model.civictrust.recovery import issue_command

KEYS = KeyRing(("registry", "court"))


def signed(request: str, issuer: str = "registry", at: float = 1.0):
    return issue_document(Document(request, issuer, f"subject of {request}", at), KEYS.secrets[issuer])


def test_a_document_has_one_canonical_form_whatever_the_order_of_its_fields() -> None:
    document = Document(request="d1", issuer="court", subject='é"\n', issued_at=1.0)
    assert document.canonical() == b'{"issued_at":1,"issuer":"court","request":"d1","subject":"\xc3\xa9\\"\\n"}'


def test_issuing_the_same_request_twice_makes_the_same_bytes() -> None:
    assert content_of(signed("d1")) == content_of(signed("d1"))


def test_content_round_trips_and_names_itself() -> None:
    one = signed("d1")
    again = parse_signed(content_of(one))
    assert again == one
    assert digest_of(again.document) == one.digest


def test_every_damaged_content_is_refused_or_has_another_name() -> None:
    # 20,000 inputs: the store checks the name, so what must never happen is damaged bytes under the old name, or another exception.
    content, random = content_of(signed("d1")), Random(1)
    for _ in range(20_000):
        damaged = bytearray(content)
        for _ in range(random.randint(1, 4)):
            place = random.randrange(len(damaged))
            match random.randrange(3):
                case 0:
                    damaged[place] = random.randrange(256)
                case 1:
                    del damaged[place:]
                    damaged += b" "
                case _:
                    damaged.insert(place, random.randrange(256))
        try:
            parsed = parse_signed(bytes(damaged))
        except ValueError:
            continue
        intact = parsed.document == signed("d1").document
        assert intact or parsed.digest != signed("d1").digest


def test_a_signature_holds_for_its_document_only() -> None:
    one, other = signed("d1"), signed("d2")
    assert verify(KEYS.public["registry"], bytes.fromhex(one.digest), one.signature)
    assert not verify(KEYS.public["registry"], bytes.fromhex(other.digest), one.signature)
    assert not verify(KEYS.public["court"], bytes.fromhex(one.digest), one.signature)


def test_a_document_takes_its_place_once_it_is_in_the_log() -> None:
    ledger = Ledger(KEYS.public)
    assert ledger.apply(3, issue_command(signed("d1"))) == ("issued", 3)
    entry = ledger.find("d1")
    assert entry is not None
    assert entry.index == 3
    assert ledger.has(signed("d1").digest)


@pytest.mark.parametrize("claimed", [0.0, 1.0, 1e9])
def test_from_its_revocation_on_no_signature_of_a_key_counts_whatever_time_it_claims(claimed: float) -> None:
    ledger = Ledger(KEYS.public)
    assert ledger.apply(1, issue_command(signed("before", at=claimed)))[0] == "issued"
    assert ledger.apply(2, ("revoke", "registry")) == ("revoked", 2)
    assert ledger.apply(3, issue_command(signed("behind", at=claimed))) == ("rejected", "the key of registry is revoked")
    assert ledger.apply(4, issue_command(signed("other", "court", at=claimed)))[0] == "issued"
    assert [entry.request for entry in ledger.entries] == ["before", "other"]


def test_a_second_revocation_does_not_move_the_first() -> None:
    ledger = Ledger(KEYS.public)
    ledger.apply(2, ("revoke", "registry"))
    assert ledger.apply(9, ("revoke", "registry")) == ("revoked", 2)


def test_an_aborted_request_is_never_issued_and_an_issued_one_never_aborted() -> None:
    ledger = Ledger(KEYS.public)
    assert ledger.apply(1, ("abort", "d1", signed("d1").digest)) == ("aborted", 1)
    assert ledger.apply(2, issue_command(signed("d1"))) == ("rejected", "the request was aborted")
    assert ledger.apply(3, issue_command(signed("d2")))[0] == "issued"
    assert ledger.apply(4, ("abort", "d2", signed("d2").digest)) == ("rejected", "already issued")


def test_replicas_that_took_the_same_commands_have_one_hash_and_others_have_not() -> None:
    one, same, other = (Ledger(KEYS.public) for _ in range(3))
    for ledger, requests in ((one, ("a", "b")), (same, ("a", "b")), (other, ("b", "a"))):
        for index, request in enumerate(requests, 1):
            ledger.apply(index, issue_command(signed(request)))
    assert one.state_hash == same.state_hash != other.state_hash


def test_a_command_that_is_none_changes_the_hash_but_issues_nothing() -> None:
    ledger = Ledger(KEYS.public)
    before = ledger.state_hash
    assert ledger.apply(1, ("issue", "too", "few")) == ("rejected", "unknown command")
    assert ledger.state_hash != before
    assert not ledger.entries
