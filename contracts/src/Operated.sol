// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {DeskAccess} from "./DeskAccess.sol";
import {BoundedCall} from "./lib/BoundedCall.sol";

/// @title What an operator does, one by one or in batches, never re-entered
/// @notice In a batch each item runs on its own, with a bounded share of gas and of return data: an item that fails
/// undoes itself, says why in an event, and leaves the others as they are.
/// @dev The items are calls of this contract to itself (never delegatecalls, so that `msg.sender` and `msg.value` mean
/// what they say), out of a fixed list of functions.
abstract contract Operated is DeskAccess {
    /// @dev 1 while the outermost call into this contract runs. A whole word: a bool would be read before each write.
    uint256 private transient _busy;

    /// @notice An item of a batch did nothing. `id` is its line or payout id, `reason` what it reverted with, cut at
    /// 256 bytes and empty if it ran out of gas.
    event ItemFailed(bytes32 indexed id, uint256 index, bytes4 selector, bytes reason);

    /// @notice A batch needs at least one item.
    error BatchEmpty();
    /// @notice This function cannot be an item.
    error BatchItemForbidden(uint256 index, bytes4 selector);
    /// @notice The items together may take more gas than a block has.
    error BatchOverBlockGas(uint256 items, uint256 gasEach, uint256 blockGas);
    /// @notice What is left would not cover the promised gas of this item.
    error BatchGasTooLow(uint256 index, uint256 left, uint256 needed);
    /// @notice Somebody's code, called by this contract, called back.
    error Reentered();

    /// @dev For whoever calls from outside.
    modifier locked() {
        _lock();
        _;
        _busy = 0;
    }

    /// @dev For an operator, or for an item of a batch, whose role and lock are the batch's.
    modifier operating() {
        bool outermost = msg.sender != address(this);
        if (outermost) {
            _requireOnDuty();
            _lock();
        }
        _;
        if (outermost) _busy = 0;
    }

    /// @notice Runs several operator calls in one transaction, each isolated from the others.
    /// @param calls Calldata of functions of this contract; what fails is in an {ItemFailed} event.
    /// @param gasEach Gas that every item is promised, and at most gets.
    function batch(bytes[] calldata calls, uint256 gasEach) external operating {
        if (calls.length == 0) revert BatchEmpty();
        if (gasEach > block.gaslimit / calls.length) revert BatchOverBlockGas(calls.length, gasEach, block.gaslimit);
        for (uint256 i = 0; i < calls.length; ++i) {
            bytes calldata call = calls[i];
            if (!_canBeItem(bytes4(call))) revert BatchItemForbidden(i, bytes4(call));
            // A call gets at most 63/64 of what is left (EIP-150).
            if (gasleft() - gasleft() / 64 < gasEach) revert BatchGasTooLow(i, gasleft(), gasEach);
            if (!BoundedCall.tryCallCalldata(address(this), gasEach, call)) {
                emit ItemFailed(bytes32(call[4:]), i, bytes4(call), BoundedCall.returned());
            }
        }
    }

    /// @dev The functions that may be items: each is `operating`, and its first word is an id.
    function _canBeItem(bytes4 selector) internal pure virtual returns (bool);

    function _lock() private {
        if (_busy != 0) revert Reentered();
        _busy = 1;
    }
}
