// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Calls into strangers' contracts that copy back a bounded number of bytes
/// @notice A plain Solidity call copies everything that the callee returns or reverts with, so a hostile contract
/// could make the caller pay for megabytes of memory. Nothing here copies more than {MAX_RETURN} bytes.
library BoundedCall {
    /// @notice Enough for a custom error with six words, or a revert string of about 180 characters.
    uint256 internal constant MAX_RETURN = 256;

    /// @notice Calls `target` with at most `gasLimit` gas. What came back is in {returned}, until the next call.
    /// @param target Contract or account called.
    /// @param gasLimit Upper bound; the EVM itself never forwards more than 63/64 of what is left (EIP-150).
    /// @param value Wei sent along.
    /// @param data Calldata.
    /// @return ok False if the call reverted.
    function tryCall(address target, uint256 gasLimit, uint256 value, bytes memory data) internal returns (bool ok) {
        assembly ("memory-safe") {
            ok := call(gasLimit, target, value, add(data, 0x20), mload(data), 0, 0)
        }
    }

    /// @notice The same for calldata that is passed on as it came, without a copy that stays in memory.
    function tryCallCalldata(address target, uint256 gasLimit, bytes calldata data) internal returns (bool ok) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, data.offset, data.length)
            ok := call(gasLimit, target, 0, free, data.length, 0, 0)
        }
    }

    /// @notice Whether the last call answered false. Saying nothing is not saying no, as some ERC-20 tokens do.
    function saidNo() internal pure returns (bool no) {
        assembly ("memory-safe") {
            if gt(returndatasize(), 0x1f) {
                returndatacopy(0, 0, 0x20)
                no := iszero(mload(0))
            }
        }
    }

    /// @notice The first {MAX_RETURN} bytes of what the last call came back with.
    function returned() internal pure returns (bytes memory result) {
        assembly ("memory-safe") {
            let size := returndatasize()
            if gt(size, MAX_RETURN) { size := MAX_RETURN }
            result := mload(0x40)
            mstore(0x40, add(result, add(0x20, MAX_RETURN)))
            mstore(result, size)
            returndatacopy(add(result, 0x20), 0, size)
        }
    }

    /// @notice Reads one word from a function of one word.
    /// @return ok False if the call reverted or returned less than 32 bytes (as an account without code does).
    /// @return word The first 32 bytes of the answer, 0 if `ok` is false.
    function tryRead(address target, bytes4 selector, uint256 a) internal view returns (bool ok, uint256 word) {
        assembly ("memory-safe") {
            mstore(0, selector)
            mstore(4, a)
            ok := staticcall(gas(), target, 0, 0x24, 0, 0x20)
            ok := and(ok, gt(returndatasize(), 0x1f))
            word := mul(ok, mload(0))
        }
    }

    /// @notice The same for a function of two words.
    function tryRead(address target, bytes4 selector, uint256 a, uint256 b)
        internal
        view
        returns (bool ok, uint256 word)
    {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, selector)
            mstore(add(free, 4), a)
            mstore(add(free, 0x24), b)
            ok := staticcall(gas(), target, free, 0x44, 0, 0x20)
            ok := and(ok, gt(returndatasize(), 0x1f))
            word := mul(ok, mload(0))
        }
    }
}
