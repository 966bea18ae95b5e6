// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ContractWallet} from "./Accounts.sol";

/// @notice Deploys wallets at addresses that are known before (CREATE2), and does on the way what it is told.
contract WalletFactory {
    address public target;
    bytes public payload;
    bool public aimed;
    bool public callOk;
    bytes public callResult;
    uint256 public deployed;
    bool public greedy;

    function aim(address target_, bytes calldata payload_) external {
        (target, payload, aimed) = (target_, payload_, true);
    }

    function turnGreedy() external {
        greedy = true;
    }

    /// @dev Fails for a wallet that exists, as CREATE2 does.
    function deploy(address owner, bytes32 salt) external returns (ContractWallet wallet) {
        while (greedy) {}
        wallet = new ContractWallet{salt: salt}(owner);
        ++deployed;
        if (aimed) (callOk, callResult) = target.call(payload);
    }

    function fail(uint256 bytes_) external pure {
        assembly ("memory-safe") { revert(0x20000, bytes_) }
    }

    /// @dev Where {deploy} will put the wallet of this owner.
    function foresee(address owner, bytes32 salt) external view returns (address) {
        bytes32 code = keccak256(abi.encodePacked(type(ContractWallet).creationCode, abi.encode(owner)));
        return address(uint160(uint256(keccak256(abi.encodePacked(hex"ff", address(this), salt, code)))));
    }
}

/// @notice Appends to a call who it says is calling (ERC-2771).
contract Forwarder {
    /// @dev As a forwarder does: what the call reverts with, it reverts with too.
    function forward(address target, bytes calldata call, address sender) external {
        (bool ok, bytes memory reason) = target.call(abi.encodePacked(call, sender));
        if (!ok) {
            assembly ("memory-safe") { revert(add(reason, 0x20), mload(reason)) }
        }
    }
}

/// @notice Makes wallets at addresses that are known before, as slowly as it is told.
contract SlowFactory {
    /// @dev Burns about so much gas first.
    function create(address owner, uint256 burnt) external returns (address) {
        uint256 end = gasleft() - burnt;
        while (gasleft() > end) {}
        return address(new ContractWallet{salt: 0}(owner));
    }

    function addressOf(address owner) external view returns (address) {
        bytes32 code = keccak256(abi.encodePacked(type(ContractWallet).creationCode, abi.encode(owner)));
        return address(uint160(uint256(keccak256(abi.encodePacked(hex"ff", this, bytes32(0), code)))));
    }
}
