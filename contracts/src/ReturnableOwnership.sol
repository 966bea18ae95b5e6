// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";

/// @title Who owns which token, in as few storage slots as a return can do with
/// @notice OpenZeppelin's ERC-721 with its storage replaced, through the functions that it declares virtual for that.
/// Every rule of who may do what stays theirs. A transfer touches three slots: the token's, its old owner's, its new
/// owner's.
/// @dev What is saved in a transfer by the escrow: the permit nonce lies beside the owner (5,000 gas), an approval is
/// void by itself once the nonce has moved on, so that none is read or cleared (2,200), and the escrow's switch lies
/// beside the balance that is written anyway (2,100).
abstract contract ReturnableOwnership is ERC721 {
    /// @notice The return escrow: may pull every token until the token's owner switches it off.
    address public immutable ESCROW;
    /// @notice Where returned tokens go. A token that has come here from somebody has been returned, for good.
    address public immutable VAULT;

    /// @dev Layout of a token's word: owner in 160 bits, nonce in 95, and whether it was ever returned in the last.
    uint256 private constant NONCE_STEP = 1 << 160;
    uint256 private constant RETURNED = 1 << 255;

    struct Account {
        uint128 balance;
        bool escrowRefused;
        bool neverEmpty;
    }

    /// @dev Outlives the burn: a burned token has no owner and keeps its nonce.
    mapping(uint256 tokenId => uint256 word) private _tokens;
    mapping(address owner => Account) private _accounts;
    /// @dev The spender in 160 bits, and above them the token's nonce for which the approval is good.
    mapping(uint256 tokenId => uint256 word) private _approvals;

    /// @notice An address that must be given is zero.
    error ReturnableNFTZeroAddress();

    /// @dev The escrow is not approved for the tokens of nobody, or it could move, and thereby make, tokens that were
    /// never minted. The accounts of escrow and vault are never all zero, so that on a quiet day their only token does
    /// not pay for a new slot each time (17,100 gas).
    constructor(address escrow, address vault) {
        if (escrow == address(0) || vault == address(0)) revert ReturnableNFTZeroAddress();
        (ESCROW, VAULT) = (escrow, vault);
        _accounts[address(0)].escrowRefused = true;
        (_accounts[escrow].neverEmpty, _accounts[vault].neverEmpty) = (true, true);
    }

    /// @notice Switches the return escrow's approval for the caller's tokens on or off; it starts on. The same as
    /// `setApprovalForAll` for the escrow, so that a wallet's own revoke button works too.
    function setEscrowApproval(bool approved) external {
        _setApprovalForAll(msg.sender, ESCROW, approved);
    }

    /// @inheritdoc ERC721
    function balanceOf(address owner) public view override returns (uint256) {
        if (owner == address(0)) revert ERC721InvalidOwner(address(0));
        return _accounts[owner].balance;
    }

    /// @inheritdoc ERC721
    function isApprovedForAll(address owner, address operator) public view override returns (bool) {
        return operator == ESCROW ? !_accounts[owner].escrowRefused : super.isApprovedForAll(owner, operator);
    }

    /// @dev Every mint, transfer and burn ends here. ERC-4494: a transfer voids every permit signed before it, also if
    /// the token comes back. Unchecked: an owner's balance counts the tokens whose words name it.
    function _update(address to, uint256 tokenId, address auth) internal override returns (address from) {
        uint256 word = _tokens[tokenId];
        from = address(uint160(word));
        if (auth != address(0)) _checkAuthorized(from, auth, tokenId);
        unchecked {
            if (from != address(0)) {
                --_accounts[from].balance;
                word += NONCE_STEP;
                if (to == VAULT) word |= RETURNED;
            }
            if (to != address(0)) ++_accounts[to].balance;
        }
        _tokens[tokenId] = (word >> 160 << 160) | uint160(to);
        emit Transfer(from, to, tokenId);
    }

    /// @dev Bound to the token's nonce, where OpenZeppelin's is cleared by the next transfer.
    function _approve(address to, uint256 tokenId, address auth, bool emitEvent) internal override {
        address owner = _requireOwned(tokenId);
        if (auth != address(0) && owner != auth && !isApprovedForAll(owner, auth)) revert ERC721InvalidApprover(auth);
        _approvals[tokenId] = (_nonceOf(tokenId) << 160) | uint160(to);
        if (emitEvent) emit Approval(owner, to, tokenId);
    }

    /// @dev The escrow's approval is kept in one place, whichever way it is set.
    function _setApprovalForAll(address owner, address operator, bool approved) internal override {
        if (operator != ESCROW) return super._setApprovalForAll(owner, operator, approved);
        _accounts[owner].escrowRefused = !approved;
        emit ApprovalForAll(owner, operator, approved);
    }

    /// @dev Voids every permit and approval of a token that exists.
    /// @return nonce The one that is used up.
    function _useNonce(uint256 tokenId) internal returns (uint256 nonce) {
        nonce = _nonceOf(tokenId);
        _tokens[tokenId] += NONCE_STEP;
    }

    /// @inheritdoc ERC721
    function _ownerOf(uint256 tokenId) internal view override returns (address) {
        return address(uint160(_tokens[tokenId]));
    }

    /// @inheritdoc ERC721
    function _getApproved(uint256 tokenId) internal view override returns (address) {
        uint256 word = _approvals[tokenId];
        return word >> 160 == _nonceOf(tokenId) ? address(uint160(word)) : address(0);
    }

    /// @dev How often the token was transferred, burned or permitted.
    function _nonceOf(uint256 tokenId) internal view returns (uint256) {
        return (_tokens[tokenId] & ~RETURNED) >> 160;
    }

    /// @dev Whether the token has ever come to the vault from somebody.
    function _wasReturned(uint256 tokenId) internal view returns (bool) {
        return _tokens[tokenId] & RETURNED != 0;
    }
}
