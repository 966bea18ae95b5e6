"""What will happen around settlement, and to whom: kinds of faults and of returns, by weight."""

from __future__ import annotations

import random
from collections.abc import Mapping

from tests.chaos.chain.plan import Decks

#: On the way to the processor, and of its webhooks on their way back.
WIRE = {
    "drop_request": 2,
    "drop_answer": 5,
    "delay": 1,
    "late_request": 2,
    "late_answer": 3,
    "duplicate": 3,
    "http_429": 1,
    "http_500": 2,
    "answer_500": 4,
    "hook_repeated": 5,
    "hook_delayed": 5,
    "hook_unheard": 3,
    "hook_refused": 3,
}
#: A kill or a stall names its process.
DEEDS = {
    "kill worker": 6,
    "kill api": 2,
    "kill indexer": 2,
    "kill relayer": 2,
    "kill processor": 3,
    "freeze worker": 3,
    "freeze api": 1,
    "freeze indexer": 1,
    "freeze relayer": 1,
    "freeze processor": 1,
    "broker_lost": 3,
    "partition": 3,
    "reorg": 3,
    "rewind": 2,
    "processor_down": 2,
    "processor_loses_answers": 3,
    "processor_declines": 1,
    "processor_fails_later": 2,
    "refund_fails_after_success": 6,
    "dispute": 5,
}
#: Nobody is told to die at a step; the number chooses among several.
_CHOICES = {"": 6}
#: By what is sabotaged; there, the faults against which it would have helped.
DECKS = {
    "": Decks(WIRE, DEEDS, _CHOICES, sends=0.6, pauses=(0.5, 2.5)),
    "idempotency": Decks(
        {"drop_answer": 1, "answer_500": 1, "duplicate": 1},
        {"kill worker": 1, "processor_loses_answers": 1, "broker_lost": 1},
        _CHOICES,
        sends=1.0,
        pauses=(0.5, 2.5),
    ),
}

#: Ways of buying and returning: each once in a round, then by weight.
RETURNS = {
    "card": 5,
    "card_in_part": 2,
    "card_burned": 2,
    "card_kept": 2,
    "two_cards": 1,
    "card_and_gift_card": 2,
    "card_and_credit_kept": 1,
    "card_for_credit": 2,
    "gift_card": 1,
    "crypto": 4,
    "racer": 3,
}


def faults_for(cases: int) -> int:
    """How many faults so many returns suffer: a short run too has some of every kind."""
    return 60 + cases


def returns(draw: random.Random, cases: int, weights: Mapping[str, int] = RETURNS) -> list[str]:
    """The kind of each return, in the order in which they are asked for."""
    kinds = list(weights)
    rest = draw.choices(kinds, list(weights.values()), k=max(0, cases - len(kinds)))
    found = [*kinds, *rest][:cases]
    draw.shuffle(found)
    return found
