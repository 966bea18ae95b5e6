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
    CallsBack, // calls the receiver hook although transferFrom must not
    EatsGas, // never comes back
    EatsGasWhenAsked // not even from the question who the owner is
}

/// @notice An ERC-721 that does to the escrow what it is told.
contract HostileNFT is ERC721("Hostile", "HST") {
    Malice public malice;
    address public target;
    bytes public payload;
    bool public reentryOk;
    bytes public reentryResult;
    bool public burnLies;
    bool public burnGreedy;
    /// @dev How many bytes are megabytes.
    uint256 public volume = 2_000_000;

    function mint(address to, uint256 tokenId) external {
        _mint(to, tokenId);
    }

    function turn(Malice malice_) external {
        malice = malice_;
    }

    function setVolume(uint256 volume_) external {
        volume = volume_;
    }

    function turnBurn() external {
        burnLies = true;
    }

    function aim(address target_, bytes calldata payload_) external {
        malice = Malice.Reenters;
        (target, payload) = (target_, payload_);
    }

    function turnBurnGreedy() external {
        burnGreedy = true;
    }

    /// @dev Says nothing, does nothing.
    function burn(uint256) external view {
        while (burnGreedy) {}
        require(burnLies, "no burn");
    }

    function transferFrom(address from, address to, uint256 tokenId) public override {
        if (malice == Malice.Reverts) revert("not today");
        if (malice == Malice.Lies) return;
        uint256 size = volume;
        if (malice == Malice.RevertsWithMegabytes) {
            assembly ("memory-safe") { revert(0x1000, size) }
        }
        while (malice == Malice.EatsGas) {}
        if (malice == Malice.Reenters) (reentryOk, reentryResult) = target.call(payload);
        if (malice == Malice.CallsBack) IERC721Receiver(to).onERC721Received(msg.sender, from, tokenId, "");
        super.transferFrom(from, to, tokenId);
        if (malice == Malice.ReturnsMegabytes) {
            assembly ("memory-safe") { return(0x1000, size) }
        }
    }

    function ownerOf(uint256 tokenId) public view override returns (address) {
        while (malice == Malice.EatsGasWhenAsked) {}
        return super.ownerOf(tokenId);
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

/// @notice An ERC-1155 that moves what it was asked to, and some more on top.
contract Conjuring1155 {
    mapping(address account => uint256) private _balances;
    uint256 private _more;

    function mint(address to, uint256 amount) external {
        _balances[to] += amount;
    }

    function conjure(uint256 more) external {
        _more = more;
    }

    function balanceOf(address account, uint256) external view returns (uint256) {
        return _balances[account];
    }

    function safeTransferFrom(address from, address to, uint256, uint256 amount, bytes calldata) external {
        _balances[from] -= _more == 0 ? amount : amount - _more;
        _balances[to] += amount + _more;
    }
}

/// @notice Names owners like an ERC-721, until it no longer does.
contract TwoFacedToken {
    mapping(uint256 tokenId => address) private _owners;
    bool private _turned;

    function mint(address to, uint256 tokenId) external {
        _owners[tokenId] = to;
    }

    function turn() external {
        _turned = !_turned;
    }

    function ownerOf(uint256 tokenId) external view returns (address) {
        require(!_turned, "what owner?");
        return _owners[tokenId];
    }

    /// @dev As an ERC-1155 it would have as many as anybody likes.
    function balanceOf(address, uint256) external pure returns (uint256) {
        return 1;
    }

    function transferFrom(address, address to, uint256 tokenId) external {
        _owners[tokenId] = to;
    }

    function safeTransferFrom(address, address, uint256, uint256, bytes calldata) external {}
}

/// @notice A collection by its own word (ERC-165), whose tokens are all gone.
contract DestroyedNFT {
    function ownerOf(uint256) external pure returns (address) {
        revert("no such token");
    }

    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id == 0x80ac58cd || id == 0x01ffc9a7;
    }
}
