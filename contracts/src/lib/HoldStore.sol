// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Standard} from "./NftMover.sol";

/// @notice A hold as it is stored: two slots for an ERC-721 with an id below 2^48 - 1, which is nearly every one.
/// @dev The order of the fields is the packing. The first slot is what a state change reads and writes.
struct StoredHold {
    address depositor;
    uint48 reclaimAfter;
    uint8 state;
    Standard standard;
    uint32 merchantIndex;
    // second slot
    address token;
    uint48 commitUntil;
    uint48 shortId;
    // written only when the short form does not fit
    uint256 longId;
    uint256 beyondOne;
}

/// @title Packing of a hold's token id and amount
/// @notice A new storage slot costs 22,100 gas; most token ids are small and most amounts are 1.
library HoldStore {
    /// @dev The id is in `longId`.
    uint48 private constant LONG = type(uint48).max;

    /// @notice Stores a token id and an amount of at least 1.
    function setToken(StoredHold storage hold, uint256 tokenId, uint256 amount) internal {
        if (tokenId < LONG) {
            hold.shortId = uint48(tokenId);
        } else {
            hold.shortId = LONG;
            hold.longId = tokenId;
        }
        if (amount > 1) hold.beyondOne = amount - 1;
    }

    /// @notice The token id, whichever form it has.
    function tokenIdOf(StoredHold storage hold) internal view returns (uint256) {
        uint48 shortId = hold.shortId;
        return shortId == LONG ? hold.longId : shortId;
    }

    /// @notice The amount: always 1 for ERC-721, without reading its slot.
    function amountOf(StoredHold storage hold) internal view returns (uint256) {
        return hold.standard == Standard.ERC721 ? 1 : hold.beyondOne + 1;
    }
}
