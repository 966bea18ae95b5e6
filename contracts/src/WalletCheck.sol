// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {WalletDeployer} from "./WalletDeployer.sol";

/// @title Asks off chain what the escrow would find about a wallet that does not exist yet (EIP-6492)
/// @notice Never deployed: its creation code is run by `eth_call` without a receiver, and what would become its code is
/// the answer, one word, 1 for yes. So it works on any chain, before the escrow stands there, and sends nothing.
contract WalletCheck {
    /// @param wallet The signer.
    /// @param digest What was signed.
    /// @param signature As {WalletDeployer-isValid} takes it; reverts as that does.
    constructor(address wallet, bytes32 digest, bytes memory signature) {
        // As much gas as the escrow gives it: what passes here passes there.
        bool ok = new WalletDeployer().isValid{gas: 2_000_000}(wallet, digest, signature);
        assembly ("memory-safe") {
            mstore(0, ok)
            return(0, 0x20)
        }
    }
}
