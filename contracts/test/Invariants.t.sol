// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Hold, HoldState, Remedy, ReturnAuthorization} from "../src/IReturnEscrow.sol";
import {ReturnEscrow} from "../src/ReturnEscrow.sol";
import {TestDollar} from "../src/TestDollar.sol";
import {EscrowHandler} from "./EscrowHandler.sol";
import {Test} from "./Test.sol";

/// @notice What stays true whatever anybody does in whatever order.
contract InvariantsTest is Test {
    uint256 private constant START = 1_800_000_000;

    ReturnEscrow private escrow;
    TestDollar private dollar;
    EscrowHandler private handler;
    address private native;

    function setUp() public {
        vm.warp(START);
        dollar = new TestDollar(address(this));
        // The handler plays operator, guardian and treasurer; its address is only known once it exists.
        (address adminA, address adminB) = (address(0xA1), address(0xA2));
        escrow = new ReturnEscrow(adminA, adminB, address(1), address(2), address(3));
        handler = new EscrowHandler(escrow, dollar, START);
        native = handler.NATIVE();
        dollar.transferOwnership(address(handler));
        bytes32[3] memory roles = [escrow.OPERATOR_ROLE(), escrow.GUARDIAN_ROLE(), escrow.TREASURER_ROLE()];
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(adminA);
            escrow.proposeRole(roles[i], address(handler), true);
            vm.prank(adminB);
            escrow.confirmRole(roles[i], address(handler), true);
        }
        vm.startPrank(adminA);
        escrow.registerMerchant("acme", address(0xC1));
        escrow.registerMerchant("bolt", address(0xC2));
        vm.stopPrank();
    }

    /// @dev Read by Foundry.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev Each merchant's float equals the books, and the escrow has exactly the sum of floats and claims.
    function invariant_solvent_per_merchant_and_asset() external view {
        address[2] memory assets = [native, address(dollar)];
        for (uint256 i = 0; i < 2; ++i) {
            uint256 owed = escrow.claimable(assets[i], address(handler.REFUSING()));
            assertEq(owed, i == 0 ? handler.claims() : 0, "claims");
            for (uint256 j = 0; j < 2; ++j) {
                bytes32 merchant = handler.merchants(j);
                uint256 float = escrow.floatOf(merchant, assets[i]);
                assertEq(float, handler.float(merchant, assets[i]), "float");
                owed += float;
            }
            uint256 has = i == 0 ? address(escrow).balance : dollar.balanceOf(address(escrow));
            assertEq(has, owed, "what the escrow has is what it owes");
        }
    }

    /// @dev A held token is in escrow, and its one depositor is who signed; nothing else is in escrow.
    function invariant_held_tokens_are_in_escrow_with_one_depositor() external view {
        uint256 multi;
        uint256 single;
        for (uint256 i = 0; i < handler.count(); ++i) {
            ReturnAuthorization memory auth = handler.authOf(i);
            Hold memory hold = escrow.holdOf(auth.line);
            if (hold.state != uint8(HoldState.Held) && hold.state != uint8(HoldState.Committed)) continue;
            assertEq(hold.depositor, auth.holder, "depositor");
            assertEq(hold.token, auth.token, "token");
            assertEq(hold.tokenId, auth.tokenId, "token id");
            assertEq(hold.amount, auth.amount, "amount");
            bool committed = hold.state == uint8(HoldState.Committed);
            assertEq(hold.reclaimAfter, committed ? auth.commitUntil : auth.reclaimAfter, "a signed date");
            if (hold.token == address(handler.MULTI())) multi += hold.amount;
            else ++single;
            if (hold.token == address(handler.NFT())) {
                assertEq(handler.NFT().ownerOf(hold.tokenId), address(escrow), "in escrow");
            }
        }
        assertEq(handler.MULTI().balanceOf(address(escrow), handler.TOKEN_1155()), multi, "no more, no less");
        assertEq(handler.NFT().balanceOf(address(escrow)), single, "no more, no less");
    }

    /// @dev Tokens end where they may end: depositor, vault, dead address.
    function invariant_tokens_end_where_they_may() external view {
        for (uint256 i = 0; i < handler.count(); ++i) {
            ReturnAuthorization memory auth = handler.authOf(i);
            if (auth.token != address(handler.NFT())) continue;
            HoldState state = HoldState(escrow.holdOf(auth.line).state);
            address owner = handler.NFT().ownerOf(auth.tokenId);
            if (state == HoldState.Settled) assertEq(owner, escrow.vaultOf(auth.merchant), "vault");
            if (state == HoldState.Burned) assertEq(owner, address(0xdEaD), "dead");
            if (state == HoldState.Released || state == HoldState.Reclaimed) assertEq(owner, auth.holder, "back");
        }
    }

    /// @dev One refund per authorization, one payment per payout id, and the recipients got exactly that.
    function invariant_everything_happens_once() external view {
        assertEq(handler.doubles(), 0, "nothing twice");
        uint256 paid;
        uint256 dollars;
        for (uint256 i = 0; i < handler.count(); ++i) {
            ReturnAuthorization memory auth = handler.authOf(i);
            assertTrue(escrow.isUsed(escrow.digestOf(auth)), "used up");
            if (auth.remedy != uint8(Remedy.CryptoRefund)) continue;
            ++paid;
            assertTrue(escrow.isPaid(auth.line), "paid");
            if (auth.asset == address(dollar)) dollars += auth.refund;
        }
        assertEq(paid, handler.payouts(), "as many as in the books");
        assertEq(dollars, handler.pushed(address(dollar)), "as much as in the books");
    }
}
