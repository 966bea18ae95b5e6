// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MerchantFloat} from "../src/MerchantFloat.sol";
import {Operated} from "../src/Operated.sol";
import {ReturnAuthorization} from "../src/ReturnAuthorization.sol";
import {ReturnEscrow, State} from "../src/ReturnEscrow.sol";
import {EscrowHandler} from "./EscrowHandler.sol";
import {EscrowTest} from "./EscrowTest.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

/// @notice What stays true whatever anybody does in whatever order; and at the end of every run, everybody gets out.
contract InvariantsTest is EscrowTest {
    EscrowHandler private handler;
    address[2] private assets;

    function setUp() public override {
        super.setUp();
        handler = new EscrowHandler(escrow, dollar, START);
        dollar.transferOwnership(address(handler));
        assets = [NATIVE, address(dollar)];
    }

    /// @dev Read by Foundry.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev The invariants are worth as much as what the handler reaches: each kind of event, on one fixed walk.
    function test_the_handler_reaches_every_kind_of_event() external {
        for (uint256 i = 0; i < 3000; ++i) {
            bytes memory call = _step(uint256(keccak256(abi.encode("step", i))));
            (bool ok,) = address(handler).call(call);
            assertTrue(ok, "the handler never reverts");
        }
        bytes32[20] memory kinds = [
            ReturnEscrow.Deposited.selector,
            ReturnEscrow.Committed.selector,
            ReturnEscrow.Settled.selector,
            ReturnEscrow.Burned.selector,
            ReturnEscrow.Released.selector,
            ReturnEscrow.Reclaimed.selector,
            ReturnEscrow.Swapped.selector,
            ReturnEscrow.Kept.selector,
            ReturnEscrow.Replaced.selector,
            ReturnEscrow.AuthorizationCanceled.selector,
            MerchantFloat.FloatFunded.selector,
            MerchantFloat.FloatWithdrawn.selector,
            MerchantFloat.RefundApproved.selector,
            MerchantFloat.Refunded.selector,
            MerchantFloat.ClaimReserved.selector,
            MerchantFloat.Claimed.selector,
            MerchantFloat.LimitsSet.selector,
            Operated.ItemFailed.selector,
            Pausable.Paused.selector,
            Pausable.Unpaused.selector
        ];
        for (uint256 i = 0; i < kinds.length; ++i) {
            emit log_named_uint(vm.toString(abi.encodePacked(bytes4(kinds[i]))), handler.booked(kinds[i]));
            assertTrue(handler.booked(kinds[i]) > 3, "this kind of event is hardly reached");
        }
        assertEq(handler.broken(), "", "a rule was broken");
    }

    function _step(uint256 dice) private view returns (bytes memory) {
        bytes4[13] memory wide = [
            handler.deposit.selector,
            handler.swap.selector,
            handler.payOut.selector,
            handler.batch.selector,
            handler.pauseAndBack.selector,
            handler.relimit.selector,
            handler.passTime.selector,
            handler.reclaim.selector,
            handler.cancel.selector,
            handler.claim.selector,
            handler.commit.selector,
            handler.end.selector,
            handler.replay.selector
        ];
        uint256 seed = uint256(keccak256(abi.encode(dice)));
        uint256 which = dice % 16;
        if (which == 13) return abi.encodeCall(handler.fund, (dice >> 8, seed, seed >> 255 == 0));
        if (which == 14) return abi.encodeCall(handler.withdraw, (dice >> 8, seed >> 2, seed >> 255 == 0));
        if (which == 15) return abi.encodeCall(handler.drain, (dice >> 8, seed >> 255 == 0));
        if (which == 9) return abi.encodeCall(handler.claim, (seed >> 255 == 0));
        return abi.encodePacked(wide[which], seed, dice >> 8);
    }

    /// @dev Each merchant's float and each claim are what the events add up to, and the escrow has exactly their sum.
    function invariant_solvent_per_merchant_and_asset() external view {
        address[2] memory claimants = [address(handler.REFUSING()), address(handler.WALLET())];
        for (uint256 i = 0; i < 2; ++i) {
            uint256 owed;
            for (uint256 j = 0; j < 2; ++j) {
                (address vault, uint256 claim) = (handler.vaults(j), escrow.claimable(assets[i], claimants[j]));
                uint256 float = escrow.floatOf(vault, assets[i]).balance;
                assertEq(float, handler.float(vault, assets[i]), "a float is what its events add up to");
                assertEq(claim, handler.claims(assets[i], claimants[j]), "a claim is what its events add up to");
                owed += float + claim;
            }
            assertEq(_balance(assets[i], address(escrow)), owed, "what the escrow has is what it owes");
        }
    }

    /// @dev Everybody outside got what the events say, and nothing else.
    function invariant_everybody_got_what_the_events_say() external view {
        for (uint256 i = 0; i < 2; ++i) {
            for (uint256 j = 0; j < 4; ++j) {
                _assertGot(assets[i], handler.holderOf(j));
            }
            _assertGot(assets[i], handler.vaults(0));
            _assertGot(assets[i], handler.vaults(1));
            _assertGot(assets[i], address(handler.REFUSING()));
            _assertGot(assets[i], handler.HOME());
        }
    }

    /// @dev Every line is in the state that its events tell, and its token with whom they say: in escrow, at its
    /// depositor, in its vault, or in the fire. Nothing else is in escrow.
    function invariant_every_token_is_where_the_events_say() external view {
        uint256 held;
        for (uint256 i = 0; i < handler.count(); ++i) {
            bytes32 id = handler.ids(i);
            assertEq(uint256(escrow.stateOf(id)), uint256(handler.state(id)), "a state is what its events tell");
            ReturnAuthorization memory auth = handler.authOf(id);
            if (auth.token != address(handler.NFT()) || handler.place(id) == address(0)) continue;
            assertEq(handler.NFT().ownerOf(auth.tokenId), handler.place(id), "a token is where it may be");
            if (handler.place(id) == address(escrow)) ++held;
        }
        assertEq(handler.NFT().balanceOf(address(escrow)), held, "each held token has one hold");
        assertEq(handler.SPARE().balanceOf(address(escrow)), 0, "nothing else is held");
        address[4] memory places = [address(escrow), ACME, BOLT, DEAD];
        for (uint256 i = 0; i < 4; ++i) {
            uint256 there = handler.MULTI().balanceOf(places[i], handler.TOKEN_1155());
            assertEq(there, handler.stock(places[i]), "amounts are where they may be");
        }
    }

    /// @dev One refund per authorization, one payment per id, nothing without its holder's signature, nothing above the
    /// limits without a second person, nothing during a pause, no reclaim before its date: see EscrowBooks.
    function invariant_no_rule_was_broken() external view {
        assertEq(handler.broken(), "", "a rule was broken");
    }

    /// @dev Whatever the run did: every held token goes back to its depositor right after its date, also during a
    /// pause, and to nobody else; every claim is fetched, every float withdrawn; then nothing is left.
    function afterInvariant() external {
        if (!escrow.paused() && handler.count() % 2 == 0) {
            vm.prank(GUARDIAN);
            escrow.pause();
        }
        for (uint256 i = 0; i < handler.count(); ++i) {
            State state = handler.state(handler.ids(i));
            if (state == State.Held || state == State.Committed) _takeBack(handler.ids(i));
        }
        assertEq(handler.NFT().balanceOf(address(escrow)), 0, "every token is out");
        assertEq(handler.MULTI().balanceOf(address(escrow), handler.TOKEN_1155()), 0, "every amount is out");
        _fetch(address(handler.REFUSING()));
        _fetch(address(handler.WALLET()));
        _withdrawAll();
    }

    function _takeBack(bytes32 id) private {
        ReturnAuthorization memory auth = handler.authOf(id);
        uint256 after_ = handler.dateOf(id) + 1;
        vm.warp(after_ > handler.clock() ? after_ : handler.clock());
        bytes memory err = abi.encodeWithSelector(ReturnEscrow.ReturnEscrowNotDepositor.selector, id, address(handler));
        _refused(address(handler), abi.encodeCall(escrow.reclaim, (auth, address(handler))), err);
        address safe = vm.addr(0x5AFE);
        uint256 before = handler.MULTI().balanceOf(safe, auth.tokenId);
        vm.prank(auth.holder);
        escrow.reclaim(auth, safe);
        bool back = auth.token == address(handler.NFT())
            ? handler.NFT().ownerOf(auth.tokenId) == safe
            : handler.MULTI().balanceOf(safe, auth.tokenId) == before + auth.amount;
        assertTrue(back, "the depositor has it");
    }

    function _fetch(address who) private {
        if (escrow.claimable(NATIVE, who) == 0) return;
        vm.prank(who);
        escrow.claim(NATIVE, vm.addr(0x5AFE));
    }

    function _withdrawAll() private {
        for (uint256 i = 0; i < 4; ++i) {
            (address vault, address asset) = (handler.vaults(i % 2), assets[i / 2]);
            uint256 float = escrow.floatOf(vault, asset).balance;
            if (float == 0) continue;
            vm.prank(TREASURER);
            escrow.withdrawFloat(vault, asset, float);
        }
        assertEq(address(escrow).balance + dollar.balanceOf(address(escrow)), 0, "nothing is left, nothing was missing");
    }

    function _assertGot(address asset, address who) private view {
        assertEq(_balance(asset, who), handler.received(asset, who), "a payment is what its event says");
    }

    function _balance(address asset, address who) private view returns (uint256) {
        return asset == NATIVE ? who.balance : dollar.balanceOf(who);
    }
}
