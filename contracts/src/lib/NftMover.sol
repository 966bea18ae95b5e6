// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {BoundedCall} from "./BoundedCall.sol";
import {IERC1155} from "@openzeppelin/contracts/token/ERC1155/IERC1155.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {ERC165Checker} from "@openzeppelin/contracts/utils/introspection/ERC165Checker.sol";

/// @notice The token standards that can be returned.
enum Standard {
    None,
    ERC721,
    ERC1155
}

/// @title Moves ERC-721 and ERC-1155 tokens without believing them
/// @notice A token is somebody else's code: it may revert, lie about success, or answer with megabytes. Who owns what
/// is read back after a movement; what the movement itself returned is never trusted.
library NftMover {
    using BoundedCall for address;

    /// @notice Whether an address says by ERC-165 that it is a collection of tokens.
    function isCollection(address token) internal view returns (bool) {
        return ERC165Checker.supportsERC165InterfaceUnchecked(token, type(IERC721).interfaceId)
            || ERC165Checker.supportsERC165InterfaceUnchecked(token, type(IERC1155).interfaceId);
    }

    /// @notice What an account holds of a token, and by which standard the token told.
    /// @dev Told by the answers and not by ERC-165: whoever names an owner is an ERC-721, as CryptoKitties, which is
    /// older than ERC-165's id for it. `None` if neither question is answered.
    /// @return standard How the token answered.
    /// @return held 0 or 1 for ERC-721, the balance for ERC-1155.
    function probe(address token, address account, uint256 tokenId)
        internal
        view
        returns (Standard standard, uint256 held)
    {
        (bool ok, uint256 word) = token.tryRead(IERC721.ownerOf.selector, tokenId);
        if (ok) return (Standard.ERC721, address(uint160(word)) == account ? 1 : 0);
        (ok, word) = token.tryRead(IERC1155.balanceOf.selector, uint160(account), tokenId);
        return ok ? (Standard.ERC1155, word) : (Standard.None, 0);
    }

    /// @notice Owner of an ERC-721 token.
    /// @return The owner, or zero if `ownerOf` reverts, as it does for a burned token.
    function ownerOf(address token, uint256 tokenId) internal view returns (address) {
        // No answer is no owner, which is the zero of the word.
        // slither-disable-next-line unused-return
        (, uint256 word) = token.tryRead(IERC721.ownerOf.selector, tokenId);
        return address(uint160(word));
    }

    /// @notice How many of a token an account holds: 0 or 1 for ERC-721, the balance for ERC-1155.
    function balance(Standard standard, address token, address account, uint256 tokenId)
        internal
        view
        returns (uint256 held)
    {
        if (standard == Standard.ERC721) return ownerOf(token, tokenId) == account ? 1 : 0;
        // No answer counts as nothing held.
        // slither-disable-next-line unused-return
        (, held) = token.tryRead(IERC1155.balanceOf.selector, uint160(account), tokenId);
    }

    /// @notice Asks the token to move. The caller reads the balances afterwards.
    /// @dev `transferFrom` for ERC-721, not the safe variant: a vault or depositor without a receiver hook must still
    /// get its token. ERC-1155 has only the safe variant.
    /// @return ok False if the token reverted; {BoundedCall-returned} says with what.
    function tryMove(Standard standard, address token, address from, address to, uint256 tokenId, uint256 amount)
        internal
        returns (bool ok)
    {
        bytes memory data = standard == Standard.ERC721
            ? abi.encodeCall(IERC721.transferFrom, (from, to, tokenId))
            : abi.encodeCall(IERC1155.safeTransferFrom, (from, to, tokenId, amount, ""));
        return token.tryCall(gasleft(), 0, data);
    }
}
