// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice What the customer gets.
enum Remedy {
    FiatRefund, // paid by card, outside
    CryptoRefund, // paid from the merchant's float, against the token
    StoreCredit, // booked outside
    Replacement, // another token from the merchant's vault, against this one
    PartialRefund // paid from the merchant's float, the token stays with its holder
}

/// @notice What a holder signs (EIP-712): exactly this token may move for exactly this remedy, until a deadline.
struct ReturnAuthorization {
    bytes32 line; // the last 16 bytes of the holder's address, then the return line (a UUID)
    address vault; // the merchant: whose float pays, and where the token goes
    address holder; // signer, and owner of the token
    address token;
    uint256 tokenId;
    uint256 amount; // 1 for ERC-721; the quantity for ERC-1155
    uint8 remedy; // Remedy
    address asset; // of the refund: ERC-20; 0xEeee…EEeE for the native coin (EIP-7528); address(ISO 4217 number) for fiat;
    // the collection of a replacement
    uint256 refund; // minor units of the asset; the token id of a replacement
    address recipient; // of a crypto refund or replacement; the holder otherwise
    uint48 deadline; // last second at which the signature may be used
    uint48 reclaimAfter; // once this second is over the depositor may take the token back
    uint48 commitUntil; // the reclaim date once the hold is committed
}

/// @title Hashes of what holders sign
library ReturnAuthorizations {
    /// @notice EIP-712 type hash of {ReturnAuthorization}.
    bytes32 internal constant TYPEHASH = keccak256(
        "ReturnAuthorization(bytes32 line,address vault,address holder,address token,uint256 tokenId,uint256 amount,"
        "uint8 remedy,address asset,uint256 refund,address recipient,uint48 deadline,uint48 reclaimAfter,"
        "uint48 commitUntil)"
    );

    /// @notice Whether the line carries its holder. Nobody can then use up, by canceling it, a line of somebody else.
    function isOwnLine(ReturnAuthorization memory auth) internal pure returns (bool) {
        return uint256(auth.line) >> 128 == uint128(uint160(auth.holder));
    }

    /// @notice EIP-712 struct hash; the name under which the escrow remembers an authorization.
    function hash(ReturnAuthorization memory auth) internal pure returns (bytes32 result) {
        bytes32 typeHash = TYPEHASH;
        assembly ("memory-safe") {
            // The thirteen words of the struct stand side by side; the word before them is lent for the type hash.
            let start := sub(auth, 0x20)
            let lent := mload(start)
            mstore(start, typeHash)
            result := keccak256(start, 0x1c0)
            mstore(start, lent)
        }
    }
}
