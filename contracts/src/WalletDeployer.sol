// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {BoundedCall} from "./lib/BoundedCall.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// @title Checks signatures of wallets that do not exist yet (EIP-6492), by deploying them
/// @notice It makes whatever call a signature asks for, so it must never own anything or be trusted by anybody.
contract WalletDeployer {
    /// @notice Whether a wallet, deployed first if need be, accepts a signature.
    /// @param wallet The signer.
    /// @param digest What was signed.
    /// @param signature abi.encode(address factory, bytes call, bytes inner) and the 32 bytes that mark EIP-6492.
    /// @return Whether the wallet's code accepts the inner signature (EIP-1271). Reverts if the wrapping is malformed.
    function isValid(address wallet, bytes32 digest, bytes calldata signature) external returns (bool) {
        bytes calldata wrapped = signature[:signature.length - 32];
        (address factory, bytes memory call, bytes memory inner) = abi.decode(wrapped, (address, bytes, bytes));
        // Somebody may have deployed it already: then the call would fail, and is not needed.
        // Whether it worked is seen by the wallet's code.
        // slither-disable-next-line unused-return
        if (wallet.code.length == 0) BoundedCall.tryCall(factory, gasleft(), 0, call);
        return wallet.code.length != 0 && SignatureChecker.isValidERC1271SignatureNow(wallet, digest, inner);
    }
}
