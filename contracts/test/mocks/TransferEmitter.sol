// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";

/// @notice Says that tokens move, and keeps nothing: what reading events costs does not depend on storage.
contract TransferEmitter is IERC165 {
    event Transfer(address indexed from, address indexed to, uint256 indexed tokenId);

    /// @notice One event for each of `count` tokens, between addresses that are made of its number.
    function move(uint256 first, uint256 count) external {
        for (uint256 id = first; id < first + count; ++id) {
            emit Transfer(_party(id), _party(id + 1), id);
        }
    }

    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id == type(IERC721).interfaceId || id == type(IERC165).interfaceId;
    }

    function _party(uint256 number) private pure returns (address) {
        return address(uint160(uint256(keccak256(abi.encode(number)))));
    }
}
