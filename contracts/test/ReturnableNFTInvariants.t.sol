// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ReturnableNFT} from "../src/ReturnableNFT.sol";
import {NftHandler} from "./NftHandler.sol";
import {Test} from "./Test.sol";

/// @notice What stays true of the collection whatever anybody does in whatever order.
/// forge-config: default.invariant.fail_on_revert = true
contract ReturnableNFTInvariantsTest is Test {
    NftHandler private handler;
    ReturnableNFT private nft;

    function setUp() public {
        vm.warp(1_800_000_000);
        vm.roll(20_000_000);
        handler = new NftHandler();
        nft = handler.NFT();
    }

    /// @dev Read by Foundry.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev There is exactly the price of every open refund, and it left to where the books say.
    function invariant_every_open_refund_has_its_price_here() external view {
        uint256 open = 0;
        for (uint256 id = 0; id < handler.IDS(); ++id) {
            (,,,, uint256 price,, uint256 deadline,) = handler.books(id);
            if (deadline != 0) open += price;
        }
        assertEq(open, handler.drawers(), "books");
        assertEq(address(nft).balance, open, "balance");
        for (uint256 i = 0; i < 6; ++i) {
            address account = handler.actor(i);
            assertEq(account.balance, handler.paid(account), "paid");
        }
    }

    function invariant_price_and_last_day_of_a_token_never_change() external view {
        for (uint256 id = 0; id < handler.IDS(); ++id) {
            (,,, address owner, uint256 price, uint256 until,,) = handler.books(id);
            if (owner == address(0)) continue;
            assertEq(nft.refundOf(id), price, "price");
            assertEq(nft.returnableUntil(id), until, "last day");
        }
    }

    /// @dev With no id twice: each has the one owner that the books know, and balances count them.
    function invariant_each_token_has_one_owner_and_is_counted_once() external view {
        uint256 alive = 0;
        for (uint256 id = 0; id < handler.IDS(); ++id) {
            (,,, address owner,,,, uint256 moves) = handler.books(id);
            assertEq(nft.nonces(id), moves, "every transfer and permit counts");
            if (owner == address(0)) continue;
            assertEq(nft.ownerOf(id), owner, "owner");
            ++alive;
        }
        uint256 counted = 0;
        for (uint256 i = 0; i < 6; ++i) {
            address account = handler.actor(i);
            assertEq(nft.balanceOf(account), handler.owned(account), "balance");
            counted += handler.owned(account);
        }
        assertEq(counted, alive, "all of them");
    }

    /// @dev A returned token is never refundable again, whoever has it.
    function invariant_deadlines_are_those_of_open_refunds() external view {
        for (uint256 id = 0; id < handler.IDS(); ++id) {
            (,, bool returned, address owner,,, uint256 deadline,) = handler.books(id);
            if (owner == address(0)) continue;
            assertEq(nft.refundDeadlineOf(id), returned ? 0 : deadline, "deadline");
        }
    }
}
