// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Calls into strangers' contracts that copy back a bounded number of bytes
/// @notice A plain Solidity call copies everything that the callee returns or reverts with, so a hostile contract
/// could make the caller pay for megabytes of memory. Nothing here copies more than {MAX_RETURN} bytes.
library BoundedCall {
    /// @notice Enough for a custom error with six words, or a revert string of about 180 characters.
    uint256 internal constant MAX_RETURN = 256;

    /// @notice Calls `target` with at most `gasLimit` gas.
    /// @param target Contract or account called.
    /// @param gasLimit Upper bound; the EVM itself never forwards more than 63/64 of what is left (EIP-150).
    /// @param value Wei sent along.
    /// @param data Calldata.
    /// @return ok False if the call reverted.
    /// @return result The first {MAX_RETURN} bytes of what came back.
    function tryCall(address target, uint256 gasLimit, uint256 value, bytes memory data)
        internal
        returns (bool ok, bytes memory result)
    {
        assembly ("memory-safe") {
            ok := call(gasLimit, target, value, add(data, 0x20), mload(data), 0, 0)
            let size := returndatasize()
            if gt(size, MAX_RETURN) { size := MAX_RETURN }
            result := mload(0x40)
            mstore(0x40, add(result, add(0x20, MAX_RETURN)))
            mstore(result, size)
            returndatacopy(add(result, 0x20), 0, size)
        }
    }

    /// @notice Reads one word.
    /// @param target Contract read.
    /// @param data Calldata.
    /// @return ok False if the call reverted or returned less than 32 bytes (as an account without code does).
    /// @return word The first 32 bytes of the answer, 0 if `ok` is false.
    function tryReadWord(address target, bytes memory data) internal view returns (bool ok, uint256 word) {
        assembly ("memory-safe") {
            ok := staticcall(gas(), target, add(data, 0x20), mload(data), 0, 0x20)
            ok := and(ok, gt(returndatasize(), 0x1f))
            word := mul(ok, mload(0))
        }
    }
}
