// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title ERC-4494: approval of one token by signature
interface IERC4494 {
    /// @notice Approves `spender` for one token with the owner's EIP-712 signature.
    /// @param spender Who may move the token.
    /// @param tokenId The token.
    /// @param deadline Last second at which the signature may be used.
    /// @param signature 65 bytes by the owner's key, or whatever the owner's code accepts (EIP-1271).
    function permit(address spender, uint256 tokenId, uint256 deadline, bytes calldata signature) external;

    /// @notice The number that the next permit of a token has to carry; grows with every permit and transfer.
    function nonces(uint256 tokenId) external view returns (uint256);

    /// @notice The EIP-712 domain separator.
    // solhint-disable-next-line func-name-mixedcase
    function DOMAIN_SEPARATOR() external view returns (bytes32);
}
