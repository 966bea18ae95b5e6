// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IReturnEscrow} from "./IReturnEscrow.sol";
import {BoundedCall} from "./lib/BoundedCall.sol";
import {NftMover, Standard} from "./lib/NftMover.sol";
import {IERC1155Receiver} from "@openzeppelin/contracts/token/ERC1155/IERC1155Receiver.sol";
import {IERC721Receiver} from "@openzeppelin/contracts/token/ERC721/IERC721Receiver.sol";

/// @title The three ways a token moves: in, on, and back
/// @notice Each movement is proven by reading the owner or the balances afterwards. Tokens that come in any other way
/// than by the escrow's own pull are turned away, since nobody could ever get them out.
abstract contract TokenCustody is IReturnEscrow, IERC721Receiver {
    /// @notice Where a token goes whose contract cannot destroy it. No key is known for this address.
    address public constant DEAD = 0x000000000000000000000000000000000000dEaD;
    /// @notice Gas for a collection's own burn; what is left must suffice for the dead address.
    uint256 public constant BURN_GAS = 300_000;

    /// @dev The token being pulled right now; its callbacks are expected.
    address private transient _pulling;

    /// @inheritdoc IERC721Receiver
    function onERC721Received(address operator, address, uint256, bytes calldata)
        external
        view
        override
        returns (bytes4)
    {
        _requireSolicited(operator);
        return IERC721Receiver.onERC721Received.selector;
    }

    /// @notice Accepts an ERC-1155 token that the escrow itself is pulling, and nothing else.
    /// @return Its own selector, as ERC-1155 demands.
    function onERC1155Received(address operator, address, uint256, uint256, bytes calldata)
        external
        view
        returns (bytes4)
    {
        _requireSolicited(operator);
        return IERC1155Receiver.onERC1155Received.selector;
    }

    /// @notice Refused: the escrow never pulls batches.
    function onERC1155BatchReceived(address, address, uint256[] calldata, uint256[] calldata, bytes calldata)
        external
        view
        returns (bytes4)
    {
        revert ReturnEscrowUnsolicitedToken(msg.sender);
    }

    /// @dev From its holder to the escrow or a vault. Proven: the holder had it, the receiver has it.
    function _pull(Standard standard, address token, address holder, address to, uint256 tokenId, uint256 amount)
        internal
    {
        if (NftMover.balance(standard, token, holder, tokenId) < amount) {
            revert ReturnEscrowNotHolder(token, tokenId, holder);
        }
        _pulling = token;
        _moveProven(standard, token, holder, to, tokenId, amount);
        _pulling = address(0);
    }

    /// @dev Out of the escrow to a vault or the dead address. Proven: the receiver has it.
    function _deliver(Standard standard, address token, address to, uint256 tokenId, uint256 amount) internal {
        _moveProven(standard, token, address(this), to, tokenId, amount);
    }

    /// @dev Out of the escrow to the depositor. Proven only that the escrow no longer has it: a depositor that passes
    /// the token on in its receiver hook must not be locked out.
    function _giveBack(Standard standard, address token, address to, uint256 tokenId, uint256 amount) internal {
        uint256 before = NftMover.balance(standard, token, address(this), tokenId);
        _move(standard, token, address(this), to, tokenId, amount);
        uint256 left = NftMover.balance(standard, token, address(this), tokenId);
        unchecked {
            if (before - left != amount) revert ReturnEscrowTransferUnproven(token, tokenId, to);
        }
    }

    /// @dev ERC-1155 has no owner to read back, so a burn of it could not be told from a transfer: dead address.
    /// @return destroyed Whether the token's own contract says that the token no longer exists.
    function _destroy(Standard standard, address token, uint256 tokenId, uint256 amount)
        internal
        returns (bool destroyed)
    {
        if (standard == Standard.ERC721) {
            (bool ok,) = BoundedCall.tryCall(token, BURN_GAS, 0, abi.encodeWithSignature("burn(uint256)", tokenId));
            address owner = NftMover.ownerOf(token, tokenId);
            if (ok && owner == address(0)) return true;
            // Some collections call a transfer to the dead address a burn.
            if (ok && owner == DEAD) return false;
        }
        _deliver(standard, token, DEAD, tokenId, amount);
    }

    /// @dev The token's standard, if this amount of it can be returned at all.
    function _standardFor(address token, uint256 amount) internal view returns (Standard standard) {
        standard = NftMover.standardOf(token);
        if (standard == Standard.None) revert ReturnEscrowUnsupportedToken(token);
        if (amount == 0 || (standard == Standard.ERC721 && amount != 1)) revert ReturnEscrowWrongAmount(amount);
    }

    function _moveProven(Standard standard, address token, address from, address to, uint256 tokenId, uint256 amount)
        private
    {
        // An ERC-721 token that `from` has cannot be with `to` as well.
        uint256 before = standard == Standard.ERC721 ? 0 : NftMover.balance(standard, token, to, tokenId);
        _move(standard, token, from, to, tokenId, amount);
        uint256 held = NftMover.balance(standard, token, to, tokenId);
        unchecked {
            if (held - before != amount) revert ReturnEscrowTransferUnproven(token, tokenId, to);
        }
    }

    function _move(Standard standard, address token, address from, address to, uint256 tokenId, uint256 amount)
        private
    {
        (bool ok, bytes memory reason) = NftMover.tryMove(standard, token, from, to, tokenId, amount);
        if (!ok) revert ReturnEscrowTransferFailed(token, tokenId, reason);
    }

    function _requireSolicited(address operator) private view {
        if (msg.sender != _pulling || operator != address(this)) revert ReturnEscrowUnsolicitedToken(msg.sender);
    }
}
