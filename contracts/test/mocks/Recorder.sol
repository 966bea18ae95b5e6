// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice Counts how often each id was recorded, by anybody: a call that runs twice can be seen from outside.
contract Recorder {
    /// @notice How often an id was recorded. More than once is what nobody wants.
    mapping(bytes32 id => uint256) public executions;
    /// @notice How often anything was recorded.
    uint256 public total;

    event Recorded(bytes32 indexed id, address indexed sender, uint256 execution);

    /// @dev Never reverts: what would refuse the second time would hide that it was tried.
    function record(bytes32 id) external {
        ++total;
        emit Recorded(id, msg.sender, ++executions[id]);
    }
}
