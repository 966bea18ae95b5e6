// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// @title Whether an account signed a digest
/// @notice A key's own signature counts for any account with that address, so also for one that has delegated to code
/// (EIP-7702); otherwise the account's code decides (EIP-1271).
library Signatures {
    /// @notice Neither 65 bytes by this account's key nor accepted by its code (EIP-1271). `recovered` is whose key
    /// it was by ecrecover, zero if nobody's: another chain, contract or message recovers to a stranger.
    error SignatureInvalid(address signer, address recovered, bytes32 digest);
    /// @notice The malleable twin of a signature: `s` is above half the order of the curve (EIP-2).
    error SignatureHighS(bytes32 s);

    /// @notice Reverts unless `signer` signed.
    function check(address signer, bytes32 digest, bytes calldata signature) internal view {
        (address recovered, ECDSA.RecoverError problem, bytes32 s) = ECDSA.tryRecoverCalldata(digest, signature);
        if (recovered == signer && signer != address(0)) return;
        if (signer.code.length == 0) {
            if (problem == ECDSA.RecoverError.InvalidSignatureS) revert SignatureHighS(s);
            revert SignatureInvalid(signer, recovered, digest);
        }
        if (!SignatureChecker.isValidERC1271SignatureNowCalldata(signer, digest, signature)) {
            revert SignatureInvalid(signer, recovered, digest);
        }
    }
}
