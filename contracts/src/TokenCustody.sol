// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {BoundedCall} from "./lib/BoundedCall.sol";
import {NftMover, Standard} from "./lib/NftMover.sol";
import {IERC1155Receiver} from "@openzeppelin/contracts/token/ERC1155/IERC1155Receiver.sol";
import {IERC721Receiver} from "@openzeppelin/contracts/token/ERC721/IERC721Receiver.sol";

/// @title The ways a token moves: in, on, back, into the fire
/// @notice Each movement is proven by reading the owner or the balances afterwards. Tokens that come in any other way
/// than by the contract's own pull are turned away, since nobody could ever get them out.
abstract contract TokenCustody is IERC721Receiver {
    /// @notice Where a token goes whose contract cannot destroy it. No key is known for this address.
    address public constant DEAD = 0x000000000000000000000000000000000000dEaD;
    /// @notice Gas for a collection's own burn; what is left must suffice for the dead address.
    uint256 public constant BURN_GAS = 300_000;

    /// @notice Neither an ERC-721 nor an ERC-1155 token: no code there, or it answers neither question.
    error TokenUnsupported(address token);
    /// @notice Zero, or not 1 for an ERC-721 token.
    error TokenWrongAmount(address token, uint256 amount);
    /// @notice This account does not own the token, or not this many of it.
    error TokenNotHeld(address token, uint256 tokenId, address account, uint256 held);
    /// @notice The token refused to move; `reason` is what it reverted with, at most 256 bytes.
    error TokenTransferFailed(address token, uint256 tokenId, bytes reason);
    /// @notice The token claims to have moved and has not.
    error TokenTransferUnproven(address token, uint256 tokenId, address to);
    /// @notice Tokens come in by deposit only: a safe transfer that was not asked for is turned away.
    error TokenUnsolicited(address token);

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

    /// @notice Accepts an ERC-1155 token that this contract itself is pulling, and nothing else.
    /// @return Its own selector, as ERC-1155 demands.
    function onERC1155Received(address operator, address, uint256, uint256, bytes calldata)
        external
        view
        returns (bytes4)
    {
        _requireSolicited(operator);
        return IERC1155Receiver.onERC1155Received.selector;
    }

    /// @notice Refused: batches are never pulled.
    function onERC1155BatchReceived(address, address, uint256[] calldata, uint256[] calldata, bytes calldata)
        external
        view
        returns (bytes4)
    {
        revert TokenUnsolicited(msg.sender);
    }

    /// @dev From its holder to this contract or a vault. Proven: the holder had it, the receiver has it.
    /// @return standard How the token answered.
    function _pull(address token, address holder, address to, uint256 tokenId, uint256 amount)
        internal
        returns (Standard standard)
    {
        standard = _requireHeld(token, holder, tokenId, amount);
        _moveProven(standard, token, holder, to, tokenId, amount);
    }

    /// @dev Out of this contract to a vault or the dead address. Proven: the receiver has it.
    function _deliver(Standard standard, address token, address to, uint256 tokenId, uint256 amount) internal {
        _moveProven(standard, token, address(this), to, tokenId, amount);
    }

    /// @dev Out of this contract to the depositor. Proven only that it is gone from here: a depositor that passes the
    /// token on in its receiver hook must not be locked out.
    function _giveBack(Standard standard, address token, address to, uint256 tokenId, uint256 amount) internal {
        uint256 before = NftMover.balance(standard, token, address(this), tokenId);
        _move(standard, token, address(this), to, tokenId, amount);
        uint256 left = NftMover.balance(standard, token, address(this), tokenId);
        unchecked {
            if (before - left != amount) revert TokenTransferUnproven(token, tokenId, to);
        }
    }

    /// @dev ERC-1155 has no owner to read back, so a burn of it could not be told from a transfer: dead address.
    /// @return destroyed Whether the token's own contract says that the token no longer exists.
    function _destroy(Standard standard, address token, uint256 tokenId, uint256 amount)
        internal
        returns (bool destroyed)
    {
        if (standard == Standard.ERC721) {
            bool ok = BoundedCall.tryCall(token, BURN_GAS, 0, abi.encodeWithSignature("burn(uint256)", tokenId));
            address owner = NftMover.ownerOf(token, tokenId);
            if (ok && owner == address(0)) return true;
            // Some collections call a transfer to the dead address a burn.
            if (ok && owner == DEAD) return false;
        }
        _deliver(standard, token, DEAD, tokenId, amount);
    }

    /// @dev Reverts unless the account holds this amount of the token, and such an amount can be returned at all.
    function _requireHeld(address token, address account, uint256 tokenId, uint256 amount)
        internal
        view
        returns (Standard standard)
    {
        uint256 held;
        (standard, held) = NftMover.probe(token, account, tokenId);
        // A burned ERC-721 token has no owner to name.
        if (standard == Standard.None && !NftMover.isCollection(token)) revert TokenUnsupported(token);
        if (amount == 0 || (standard == Standard.ERC721 && amount != 1)) revert TokenWrongAmount(token, amount);
        if (held < amount) revert TokenNotHeld(token, tokenId, account, held);
    }

    function _moveProven(Standard standard, address token, address from, address to, uint256 tokenId, uint256 amount)
        private
    {
        // An ERC-721 token that `from` has cannot be with `to` as well.
        uint256 before = standard == Standard.ERC721 ? 0 : NftMover.balance(standard, token, to, tokenId);
        _move(standard, token, from, to, tokenId, amount);
        uint256 held = NftMover.balance(standard, token, to, tokenId);
        unchecked {
            if (held - before != amount) revert TokenTransferUnproven(token, tokenId, to);
        }
    }

    function _move(Standard standard, address token, address from, address to, uint256 tokenId, uint256 amount)
        private
    {
        if (NftMover.tryMove(standard, token, from, to, tokenId, amount)) return;
        revert TokenTransferFailed(token, tokenId, BoundedCall.returned());
    }

    /// @dev The operator is whoever asked the token to move. A token that lies here cheats with itself alone.
    function _requireSolicited(address operator) private view {
        if (operator != address(this)) revert TokenUnsolicited(msg.sender);
    }
}
