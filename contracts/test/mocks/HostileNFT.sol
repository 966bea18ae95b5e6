// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC1155} from "@openzeppelin/contracts/token/ERC1155/IERC1155.sol";
import {IERC1155Receiver} from "@openzeppelin/contracts/token/ERC1155/IERC1155Receiver.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {IERC721Receiver} from "@openzeppelin/contracts/token/ERC721/IERC721Receiver.sol";

enum Malice {
    None,
    Reverts, // refuses to move
    Lies, // says that it moved, and did not
    RevertsWithMegabytes,
    ReturnsMegabytes,
    Reenters, // calls `target` with `payload` while it moves
    CallsBack // calls the receiver hook although transferFrom must not
}

/// @notice An ERC-721 that does to the escrow what it is told.
contract HostileNFT is ERC721("Hostile", "HST") {
    Malice public malice;
    address public target;
    bytes public payload;
    bool public reentryOk;
    bytes public reentryResult;
    bool public burnLies;

    function mint(address to, uint256 tokenId) external {
        _mint(to, tokenId);
    }

    function turn(Malice malice_) external {
        malice = malice_;
    }

    function turnBurn() external {
        burnLies = true;
    }

    function aim(address target_, bytes calldata payload_) external {
        malice = Malice.Reenters;
        (target, payload) = (target_, payload_);
    }

    /// @dev Says nothing, does nothing.
    function burn(uint256) external view {
        require(burnLies, "no burn");
    }

    function transferFrom(address from, address to, uint256 tokenId) public override {
        if (malice == Malice.Reverts) revert("not today");
        if (malice == Malice.Lies) return;
        if (malice == Malice.RevertsWithMegabytes) {
            assembly ("memory-safe") { revert(0x20000, 2000000) }
        }
        if (malice == Malice.Reenters) (reentryOk, reentryResult) = target.call(payload);
        if (malice == Malice.CallsBack) IERC721Receiver(to).onERC721Received(msg.sender, from, tokenId, "");
        super.transferFrom(from, to, tokenId);
        if (malice == Malice.ReturnsMegabytes) {
            assembly ("memory-safe") { return(0x20000, 2000000) }
        }
    }
}

/// @notice An ERC-1155 that moves less than it was asked to.
contract Lying1155 {
    mapping(address account => uint256) private _balances;
    bool public honest;

    function mint(address to, uint256 amount) external {
        _balances[to] += amount;
    }

    function turnHonest() external {
        honest = true;
    }

    function balanceOf(address account, uint256) external view returns (uint256) {
        return _balances[account];
    }

    function safeTransferFrom(address from, address to, uint256 tokenId, uint256 amount, bytes calldata) external {
        uint256 moved = honest ? amount : amount / 2;
        _balances[from] -= moved;
        _balances[to] += moved;
        if (to.code.length > 0) IERC1155Receiver(to).onERC1155Received(msg.sender, from, tokenId, amount, "");
    }

    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id == type(IERC1155).interfaceId || id == 0x01ffc9a7;
    }
}
