// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Signatures} from "../../src/lib/Signatures.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

/// @notice What contracts make of the two halves of any EIP-712 message, and of signatures over it.
contract Digests {
    function digestOf(bytes32 domain, bytes32 message) external pure returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(domain, message);
    }

    function check(address signer, bytes32 digest, bytes calldata signature) external view {
        Signatures.check(signer, digest, signature);
    }
}
