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
    function mint(address to, uint256 tokenId, uint256 amount) external {
        _mint(to, tokenId, amount, "");
    }
}
