"""What a token of any collection is asked, and told, about its holder and who may move it.

ERC-721 and ERC-1155 alike, as strangers' contracts: see `chain.facts` for their answers.
"""

from __future__ import annotations

from dataclasses import dataclass

from chain.addresses import ZERO
from chain.contracts import encode_signature
from chain.facts import Question


@dataclass(frozen=True, slots=True)
class Holding:
    """A token and who is said to hold it; addresses in lower case."""

    token: str
    token_id: int
    holder: str

    def owner(self) -> Question:
        """Of an ERC-721 token: its owner (address)."""
        return self.token, encode_signature("ownerOf(uint256)", self.token_id)

    def balance(self) -> Question:
        """Of an ERC-1155 token: how many the holder has (uint256)."""
        call = "balanceOf(address,uint256)"
        return self.token, encode_signature(call, self.holder, self.token_id)

    def locked(self) -> Question:
        """Whether an ERC-721 token cannot move (bool, ERC-5192)."""
        return self.token, encode_signature("locked(uint256)", self.token_id)

    def approved(self) -> Question:
        """Who may move this ERC-721 token (address)."""
        return self.token, encode_signature("getApproved(uint256)", self.token_id)

    def approved_for_all(self, operator: str) -> Question:
        """Whether somebody may move all tokens of the holder in this collection (bool)."""
        call = "isApprovedForAll(address,address)"
        return self.token, encode_signature(call, self.holder, operator)

    def move_721(self, to: str) -> bytes:
        """Calldata that moves the token from its holder."""
        call = "transferFrom(address,address,uint256)"
        return encode_signature(call, self.holder, to, self.token_id)

    def move_1155(self, to: str) -> bytes:
        """Calldata that moves one of the token from its holder."""
        call = "safeTransferFrom(address,address,uint256,uint256,bytes)"
        return encode_signature(call, self.holder, to, self.token_id, 1, b"")

    def approve_nobody(self) -> bytes:
        """Calldata after which nobody is approved for this ERC-721 token alone."""
        return encode_signature("approve(address,uint256)", ZERO, self.token_id)


def approve_for_all(operator: str, approved: bool) -> bytes:
    """Calldata by which its sender lets somebody move all its tokens, or no longer."""
    return encode_signature("setApprovalForAll(address,bool)", operator, approved)
