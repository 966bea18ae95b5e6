// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC5507} from "./IERC5507.sol";
import {ReturnableOwnership} from "./ReturnableOwnership.sol";

/// @title ERC-5507: what a token cost, and for tokens that were opened for it, the refund without a desk
/// @notice Ordinary returns go through the escrow and the merchant's float, and leave this contract without money. A
/// merchant that wants to promise more opens tokens for self-service: it puts each token's whole price here, once.
///
/// There is no common pool that the first to come could empty or that a treasurer could withdraw. Each open token has
/// its own price in here until one of two things happens: its holder gives the token back and gets it, or the refund
/// is over (its block has come, or the token was burned or returned in another way) and anybody sends it to the vault,
/// the only other place it can go. The contract's balance is therefore never less than the sum of open refunds.
///
/// The right of return itself is in days, as laws are: {returnableUntil} is a time in seconds, and the desk goes by it.
/// {refundDeadlineOf} is a block number, as ERC-5507 has it, and only self-service goes by it: a number of blocks that
/// the opener names, since no contract knows the pace of its chain. The two are never compared with each other.
///
/// @dev The desk and self-service exclude each other through the token itself: either pays against it only. Tokens that
/// were paid by card, or for which the desk credits a customer who keeps the token, should not be opened.
abstract contract SelfServiceRefund is ReturnableOwnership, IERC5507 {
    /// @notice Longest window, in blocks. Eleven days at a tenth of a second, years at twelve seconds; and it refuses a
    /// Unix time that was taken for a number of blocks.
    uint256 public constant MAX_REFUND_BLOCKS = 10_000_000;

    /// @dev One slot, written at the mint and never deleted, which is why no id is minted twice.
    struct Sale {
        uint128 price;
        uint48 returnableUntil;
        /// @dev Not zero exactly while the price lies in this contract.
        uint48 refundDeadline;
        bool replaced;
    }

    mapping(uint256 tokenId => Sale) internal _sales;

    /// @notice A token's price was put here for its holder.
    /// @param tokenId The token.
    /// @param price In wei.
    /// @param deadline The first block without refund.
    event RefundOpened(uint256 indexed tokenId, uint256 price, uint256 deadline);
    /// @notice A refund that is over went to the vault.
    /// @param tokenId The token.
    /// @param price In wei.
    event RefundClosed(uint256 indexed tokenId, uint256 price);

    /// @notice The list names no token.
    error ReturnableNFTEmptyBatch();
    /// @notice The token cannot be opened: it was a gift, or it was returned before and its price already paid back.
    error ReturnableNFTNotRefundable(uint256 tokenId, uint256 price);
    /// @notice The token's price lies here already.
    error ReturnableNFTRefundOpen(uint256 tokenId, uint256 deadline);
    /// @notice The token's price does not lie here.
    error ReturnableNFTRefundNotOpen(uint256 tokenId);
    /// @notice The holder can still have the refund, up to the block before the deadline.
    error ReturnableNFTRefundNotOver(uint256 tokenId, uint256 deadline);
    /// @notice No refund in this block. A deadline of 0: never opened, closed, or the token was returned before.
    error ReturnableNFTRefundInactive(uint256 tokenId, uint256 deadline, uint256 blockNumber);
    /// @notice The window is no block long, or longer than a window can be.
    error ReturnableNFTBadRefundWindow(uint256 blocks, uint256 most);
    /// @notice The coin that was sent is not the sum of the prices.
    error ReturnableNFTWrongFunding(uint256 sent, uint256 needed);
    /// @notice The receiver turned the coin down.
    error ReturnableNFTCoinRefused(address receiver, uint256 amount);

    /// @inheritdoc IERC5507
    /// @dev The token goes to the vault. Reverts unless the caller holds it and the refund is active.
    function refund(uint256 tokenId) external override {
        uint256 price = _takeBack(msg.sender, tokenId);
        emit Refund(msg.sender, tokenId);
        _send(msg.sender, price);
    }

    /// @inheritdoc IERC5507
    /// @dev An operator or the token's approved address may; as the standard wants it, the coin goes to the caller.
    function refundFrom(address from, uint256 tokenId) external override {
        uint256 price = _takeBack(from, tokenId);
        emit RefundFrom(msg.sender, from, tokenId);
        _send(msg.sender, price);
    }

    /// @notice Sends the money of refunds that are over to the vault. Anybody may, since it can go nowhere else.
    /// @param ids Tokens whose deadline has come, or that are burned or returned; one that is not reverts the batch.
    function closeRefunds(uint256[] calldata ids) external {
        if (ids.length == 0) revert ReturnableNFTEmptyBatch();
        uint256 total = 0;
        for (uint256 i = 0; i < ids.length; ++i) {
            total += _close(ids[i]);
        }
        _send(VAULT, total);
    }

    /// @inheritdoc IERC5507
    /// @dev The price of its sale: no refund, return or replacement ever changes it. Whether it can be had right now
    /// says {refundDeadlineOf}. Reverts for a token that does not exist.
    function refundOf(uint256 tokenId) external view override returns (uint256) {
        _requireOwned(tokenId);
        return _sales[tokenId].price;
    }

    /// @notice Until when the token can be returned at the desk: a Unix time in seconds, its last second.
    /// @dev Reverts for a token that does not exist.
    function returnableUntil(uint256 tokenId) external view returns (uint256) {
        _requireOwned(tokenId);
        return _sales[tokenId].returnableUntil;
    }

    /// @inheritdoc IERC5507
    /// @dev Zero, a block that has always passed, unless the price lies here for the token's holder. Reverts for a
    /// token that does not exist.
    function refundDeadlineOf(uint256 tokenId) public view override returns (uint256) {
        _requireOwned(tokenId);
        return _wasReturned(tokenId) ? 0 : _sales[tokenId].refundDeadline;
    }

    /// @dev Takes exactly the sum of the prices.
    function _openRefunds(uint256[] calldata ids, uint256 blocks) internal {
        if (ids.length == 0) revert ReturnableNFTEmptyBatch();
        if (blocks == 0 || blocks > MAX_REFUND_BLOCKS) revert ReturnableNFTBadRefundWindow(blocks, MAX_REFUND_BLOCKS);
        uint256 total = 0;
        for (uint256 i = 0; i < ids.length; ++i) {
            total += _open(ids[i], block.number + blocks);
        }
        if (msg.value != total) revert ReturnableNFTWrongFunding(msg.value, total);
    }

    function _open(uint256 tokenId, uint256 deadline) private returns (uint256 price) {
        _requireOwned(tokenId);
        Sale storage sale = _sales[tokenId];
        price = sale.price;
        if (price == 0 || _wasReturned(tokenId)) revert ReturnableNFTNotRefundable(tokenId, price);
        if (sale.refundDeadline != 0) revert ReturnableNFTRefundOpen(tokenId, sale.refundDeadline);
        sale.refundDeadline = uint48(deadline);
        emit RefundOpened(tokenId, price, deadline);
    }

    /// @dev Everything but the payment; the price is read, not derived from what is changed here.
    function _takeBack(address from, uint256 tokenId) private returns (uint256) {
        uint256 deadline = refundDeadlineOf(tokenId);
        if (block.number >= deadline) revert ReturnableNFTRefundInactive(tokenId, deadline, block.number);
        address owner = _update(VAULT, tokenId, msg.sender);
        if (owner != from) revert ERC721IncorrectOwner(from, tokenId, owner);
        _sales[tokenId].refundDeadline = 0;
        return _sales[tokenId].price;
    }

    function _close(uint256 tokenId) private returns (uint256 price) {
        Sale storage sale = _sales[tokenId];
        uint256 deadline = sale.refundDeadline;
        if (deadline == 0) revert ReturnableNFTRefundNotOpen(tokenId);
        bool gone = _ownerOf(tokenId) == address(0) || _wasReturned(tokenId);
        if (!gone && block.number < deadline) revert ReturnableNFTRefundNotOver(tokenId, deadline);
        sale.refundDeadline = 0;
        price = sale.price;
        emit RefundClosed(tokenId, price);
    }

    /// @dev Last in every function: whoever re-enters finds the token in the vault and the refund closed.
    /// The receiver is the caller, who gave a token back for exactly this, or the vault.
    function _send(address receiver, uint256 amount) private {
        // slither-disable-next-line arbitrary-send-eth
        (bool ok,) = receiver.call{value: amount}("");
        if (!ok) revert ReturnableNFTCoinRefused(receiver, amount);
    }
}
