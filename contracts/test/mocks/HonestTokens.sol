// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC1155} from "@openzeppelin/contracts/token/ERC1155/ERC1155.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";

/// @notice An ordinary collection without a burn function.
contract PlainNFT is ERC721("Plain", "PLN") {
    function mint(address to, uint256 tokenId) external {
        _mint(to, tokenId);
    }
}

/// @notice Has a `burn` that only parks tokens at the dead address, as some collections do.
contract DeadBurnNFT is ERC721("Dead burn", "DBN") {
    function mint(address to, uint256 tokenId) external {
        _mint(to, tokenId);
    }

    function burn(uint256 tokenId) external {
        _update(0x000000000000000000000000000000000000dEaD, tokenId, msg.sender);
    }
}

/// @notice An ordinary ERC-1155.
contract Plain1155 is ERC1155("") {
    /// @dev Also to accounts whose code does not take ERC-1155 tokens, as if they had got the code later.
    function mintUnsafe(address to, uint256 tokenId, uint256 amount) external {
        (uint256[] memory ids, uint256[] memory amounts) = (new uint256[](1), new uint256[](1));
        (ids[0], amounts[0]) = (tokenId, amount);
        _update(address(0), to, ids, amounts);
    }

    function mint(address to, uint256 tokenId, uint256 amount) external {
        _mint(to, tokenId, amount, "");
    }
}

/// @notice Knows owners, approvals and transfers, and no ERC-165: the way it was before the standard.
contract OldNFT {
    mapping(uint256 tokenId => address) public ownerOf;
    mapping(uint256 tokenId => address) public approved;

    function mint(address to, uint256 tokenId) external {
        ownerOf[tokenId] = to;
    }

    function approve(address spender, uint256 tokenId) external {
        require(ownerOf[tokenId] == msg.sender, "not yours");
        approved[tokenId] = spender;
    }

    function transferFrom(address from, address to, uint256 tokenId) external {
        require(ownerOf[tokenId] == from, "not from");
        require(msg.sender == from || msg.sender == approved[tokenId], "not you");
        delete approved[tokenId];
        ownerOf[tokenId] = to;
    }
}
