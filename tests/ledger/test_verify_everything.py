"""Whatever can happen to the money, in whatever order it is told: the books that come of it are proved whole."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.ledger.verify import CHECKS
from plimsoll.ledger.verify.proof import Proof
from plimsoll.ledger.verify.report import Finding
from tests.builders.happenings import Fact, days_of_facts, told_in_groups
from tests.builders.ledger import CHAIN_KEY, Books

#: The desk of these tests writes its orders without asking a gate.
NOT_ASKED = "order_without_approval"


def findings(books: Books) -> list[Finding]:
    with books.engine.connect() as connection:
        proof = Proof(connection, CHAIN_KEY)
        for check in CHECKS:
            check(proof)
    return [finding for finding in proof.findings if finding.code != NOT_ASKED]


@settings(max_examples=60)
@given(days_of_facts(), st.integers(0, 2**32))
def test_what_happened_in_any_order_is_proved(facts: list[Fact], seed: int) -> None:
    """Fills, revisions, late fees, flows, coins, splits; told twice, mixed, some of them together."""
    chance = random.Random(seed)
    often = [*facts, *facts]
    chance.shuffle(often)
    groups = []
    while often:
        size = chance.randint(1, 4)
        groups.append(often[:size])
        often = often[size:]
    assert findings(told_in_groups(groups)) == []
