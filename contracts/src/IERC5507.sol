// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title ERC-5507, the part for ERC-721: tokens that can be given back for what they cost
/// @dev Signatures, units and events are the standard's. Its text gives the interface id 0xe97f3c83, which dates from
/// before `refundFrom` came in and leaves it out; ERC-165's rule makes it 0x54a15145. Whoever implements all of this
/// implements both, and should say so to readers of either.
interface IERC5507 {
    /// @notice A holder gave its token back and was paid.
    /// @param from Who held the token and got the coin.
    /// @param tokenId The token.
    event Refund(address indexed from, uint256 indexed tokenId);

    /// @notice Somebody with the holder's approval gave the token back and was paid.
    /// @param sender Who had the approval and got the coin.
    /// @param from Who held the token.
    /// @param tokenId The token.
    event RefundFrom(address indexed sender, address indexed from, uint256 indexed tokenId);

    /// @notice Gives the caller's token back and pays the caller {refundOf} wei.
    function refund(uint256 tokenId) external;

    /// @notice Gives the token of `from` back with its approval, and pays the caller {refundOf} wei.
    function refundFrom(address from, uint256 tokenId) external;

    /// @notice What is paid for the token, in wei.
    function refundOf(uint256 tokenId) external view returns (uint256);

    /// @notice The first block, by number, in which the token can no longer be refunded.
    function refundDeadlineOf(uint256 tokenId) external view returns (uint256);
}
