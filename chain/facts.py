"""What strangers' contracts answer, as of one block, asked in few requests.

A contract may refuse, answer nonsense, or not be there: that is an answer, and never an error of
ours. A node that does not answer is one: `ChainUnavailable`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from chain.client import BlockHeader, ChainClient, RpcError
from chain.contracts import is_revert
from returns.errors import ChainUnavailable

#: Who is asked, and the calldata.
Question = tuple[str, bytes]


class Trial(NamedTuple):
    """A call that somebody might make."""

    sender: str
    to: str
    data: bytes


@dataclass(slots=True)
class Facts:
    """Answers of contracts as of one block, each asked for once."""

    client: ChainClient
    block: BlockHeader
    known: dict[Question, bytes] = field(default_factory=dict)

    def learn(self, questions: Iterable[Question]) -> None:
        """Ask in one batch. A contract that refuses has said nothing; a node that does, raises."""
        asked = list(dict.fromkeys(questions))
        answers = self.client.eth_calls(asked, self.block)
        _insist_on_the_chain(answers)
        for question, answer in zip(asked, answers, strict=True):
            self.known[question] = answer if isinstance(answer, bytes) else b""

    def decoded(self, question: Question, *kinds: str) -> tuple[Any, ...] | None:
        """What was answered; None for nothing, or for something else."""
        try:
            return decode(kinds, self.known[question])
        except (DecodingError, UnicodeDecodeError, OverflowError):
            return None

    def one(self, question: Question, kind: str) -> Any:
        """The first value of an answer, None if there is none."""
        values = self.decoded(question, kind)
        return values[0] if values else None

    def would_run(self, trials: Sequence[Trial]) -> list[bool]:
        """Which calls would go through if they were made right after this block, each alone."""
        at = {"blockHash": self.block.hash}
        calls = [
            ({"from": one.sender, "to": one.to, "data": "0x" + one.data.hex()}, at)
            for one in trials
        ]
        answers = self.client.batch([("eth_call", call) for call in calls])
        _insist_on_the_chain(answers)
        return [not isinstance(answer, RpcError) for answer in answers]


def _insist_on_the_chain(answers: Iterable[object]) -> None:
    """A contract's refusal is an answer; a node's is none."""
    for answer in answers:
        if isinstance(answer, RpcError) and not is_revert(answer):
            raise ChainUnavailable(problem=str(answer)) from answer
