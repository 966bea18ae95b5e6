// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ContractWallet} from "./Accounts.sol";

/// @notice Makes wallets at addresses that are known before (EIP-1014).
contract WalletFactory {
    /// @notice Burns about so much gas first.
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
