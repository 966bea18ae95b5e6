// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MerchantFloat} from "../src/MerchantFloat.sol";
import {Operated} from "../src/Operated.sol";
import {Remedy, ReturnAuthorization} from "../src/ReturnAuthorization.sol";
import {ReturnEscrow, State} from "../src/ReturnEscrow.sol";
import {TokenCustody} from "../src/TokenCustody.sol";
import {EscrowTest} from "./EscrowTest.sol";
import {ForwardingHolder} from "./mocks/Accounts.sol";
import {OldNFT} from "./mocks/HonestTokens.sol";
import {Conjuring1155, DestroyedNFT, HostileNFT, Lying1155, Malice, TwoFacedToken} from "./mocks/HostileNFT.sol";

/// @notice Tokens that revert, lie, re-enter and answer with megabytes, on the way in, on and back.
contract HostileTokensTest is EscrowTest {
    HostileNFT private _evil;

    function setUp() public override {
        super.setUp();
        _evil = new HostileNFT();
        _evil.mint(customer, 1);
        vm.prank(customer);
        _evil.setApprovalForAll(address(escrow), true);
    }

    function test_reverting_token_is_refused_with_its_reason() public {
        _evil.turn(Malice.Reverts);
        bytes memory err = _transferFailed(address(_evil), 1, abi.encodeWithSignature("Error(string)", "not today"));
        _depositRefused(_evilDeposit(), err);
        _swapRefused(_evilSwap(), err);
    }

    function test_lying_token_is_refused() public {
        _evil.turn(Malice.Lies);
        _depositRefused(_evilDeposit(), _unproven(address(escrow)));
        _swapRefused(_evilSwap(), _unproven(ACME));
        assertEq(dollar.balanceOf(customer), 0, "no refund for a token that did not come");
    }

    function test_megabytes_of_reasons_are_cut() public {
        _evil.turn(Malice.RevertsWithMegabytes);
        _depositRefused(_evilDeposit(), _transferFailed(address(_evil), 1, new bytes(256)));
    }

    function test_megabytes_of_answers_are_ignored() public {
        _evil.turn(Malice.ReturnsMegabytes);
        _deposit(_evilDeposit());
        assertEq(_evil.ownerOf(1), address(escrow), "in escrow");
    }

    function test_token_that_was_destroyed_has_no_holder() public {
        DestroyedNFT destroyed = new DestroyedNFT();
        ReturnAuthorization memory auth = _depositAuth();
        auth.token = address(destroyed);
        _depositRefused(auth, _notHeld(address(destroyed), 7, customer, 0));
    }

    /// @dev Older than ERC-165's id for ERC-721, as CryptoKitties.
    function test_a_token_that_is_older_than_its_standard_is_taken_and_given() public {
        OldNFT old = new OldNFT();
        old.mint(customer, 1);
        vm.prank(customer);
        old.approve(address(escrow), 1);
        ReturnAuthorization memory auth = _depositAuth();
        (auth.token, auth.tokenId) = (address(old), 1);
        _deposit(auth);
        assertEq(old.ownerOf(1), address(escrow), "in escrow");
        _operate(abi.encodeCall(escrow.release, (auth)));
        assertEq(old.ownerOf(1), customer, "and back");
    }

    /// @dev The token acts as an operator itself, so that only the lock stands in its way.
    function test_reentering_token_finds_the_door_locked() public {
        bytes[] memory calls = _innerCalls();
        _change(abi.encodeCall(escrow.grantRole, (escrow.OPERATOR_ROLE(), address(_evil))));
        _change(abi.encodeCall(escrow.grantRole, (escrow.TREASURER_ROLE(), address(_evil))));
        for (uint256 i = 0; i < calls.length; ++i) {
            _evil.mint(customer, 100 + i);
            _evil.aim(address(escrow), calls[i]);
            ReturnAuthorization memory auth = _evilDeposit();
            (auth.line, auth.tokenId) = (_line(customer, 100 + i), 100 + i);
            _deposit(auth);
            _assertLocked();
        }
        assertEq(dollar.balanceOf(customer), 0, "nothing else happened");
        assertEq(nft.ownerOf(8), customer, "nothing else moved");
    }

    function test_token_that_reenters_a_swap_is_locked_out() public {
        bytes memory payload = abi.encodeCall(escrow.swap, (_swapAuth(), _sign(_swapAuth()), ""));
        _change(abi.encodeCall(escrow.grantRole, (escrow.OPERATOR_ROLE(), address(_evil))));
        _evil.aim(address(escrow), payload);
        ReturnAuthorization memory auth = _evilSwap();
        auth.line = _line(customer, UUID + 1);
        _swap(auth);
        _assertLocked();
        assertEq(dollar.balanceOf(customer), 50e6, "one refund");
        assertEq(nft.ownerOf(7), customer, "one token");
    }

    /// @dev A replacement is a token that moves while another one waits for its proof.
    function test_replacement_that_reenters_or_lies_moves_nothing_else() public {
        _evil.mint(ACME, 2);
        vm.prank(ACME);
        _evil.setApprovalForAll(address(escrow), true);
        ReturnAuthorization memory auth = _replacementAuth();
        (auth.asset, auth.refund) = (address(_evil), 2);
        _evil.turn(Malice.Lies);
        bytes memory call = abi.encodeCall(escrow.swap, (auth, _sign(auth), _approve(auth)));
        _refused(
            OPERATOR,
            call,
            abi.encodeWithSelector(TokenCustody.TokenTransferUnproven.selector, address(_evil), 2, customer)
        );
        _evil.aim(address(escrow), abi.encodeCall(escrow.claim, (NATIVE, STRANGER)));
        _operate(call);
        _assertLocked();
        assertEq(_evil.ownerOf(2), customer, "handed over");
        assertEq(nft.ownerOf(7), ACME, "against this");
    }

    function test_token_that_reenters_on_its_way_to_the_vault_is_locked_out() public {
        _assertLockedOnTheWayOut(OPERATOR, abi.encodeCall(escrow.settle, (_evilDeposit(), "")), ACME);
    }

    function test_token_that_reenters_on_its_way_to_the_fire_is_locked_out() public {
        _assertLockedOnTheWayOut(OPERATOR, abi.encodeCall(escrow.burn, (_evilDeposit(), "")), DEAD);
    }

    function test_token_that_reenters_while_it_is_released_is_locked_out() public {
        _assertLockedOnTheWayOut(OPERATOR, abi.encodeCall(escrow.release, (_evilDeposit())), customer);
    }

    function test_token_that_reenters_while_it_is_reclaimed_is_locked_out() public {
        _assertLockedOnTheWayOut(customer, abi.encodeCall(escrow.reclaim, (_evilDeposit(), STRANGER)), STRANGER);
    }

    function test_token_that_lies_or_reverts_on_its_way_out_stays_held() public {
        _commitEvil();
        _evil.turn(Malice.Lies);
        _refused(OPERATOR, abi.encodeCall(escrow.settle, (_evilDeposit(), "")), _unproven(ACME));
        _refused(OPERATOR, abi.encodeCall(escrow.burn, (_evilDeposit(), "")), _unproven(DEAD));
        _refused(OPERATOR, abi.encodeCall(escrow.release, (_evilDeposit())), _unproven(customer));
        vm.warp(START + 30 days + 1);
        bytes memory call = abi.encodeCall(escrow.reclaim, (_evilDeposit(), customer));
        _refused(customer, call, _unproven(customer));
        _evil.turn(Malice.Reverts);
        bytes memory err = _transferFailed(address(_evil), 1, abi.encodeWithSignature("Error(string)", "not today"));
        _refused(customer, call, err);
        _assertState(LINE, State.Committed);
        _evil.turn(Malice.None);
        vm.prank(customer);
        escrow.reclaim(_evilDeposit(), customer);
        assertEq(_evil.ownerOf(1), customer, "as soon as the token behaves");
    }

    function test_burn_that_burns_nothing_is_not_called_destruction() public {
        _commitEvil();
        _evil.turnBurn();
        vm.expectEmit(address(escrow));
        emit ReturnEscrow.Burned(LINE, address(_evil), 1, 1, false);
        vm.prank(OPERATOR);
        escrow.burn(_evilDeposit(), "");
        assertEq(_evil.ownerOf(1), DEAD, "parked instead");
    }

    /// @dev A burn that eats its gas leaves enough for the dead address.
    function test_burn_that_eats_its_gas_is_bounded() public {
        _commitEvil();
        _evil.turnBurnGreedy();
        uint256 before = gasleft();
        _operate(abi.encodeCall(escrow.burn, (_evilDeposit(), "")));
        assertTrue(before - gasleft() < escrow.BURN_GAS() + 300_000, "bounded");
        assertEq(_evil.ownerOf(1), DEAD, "parked instead");
    }

    /// @dev The vault's refusal is the token's: neither is the token lost nor the money paid.
    function test_settle_pays_nothing_if_the_token_does_not_arrive() public {
        _deposit(_evilSwap());
        _evil.turn(Malice.Lies);
        _refused(OPERATOR, abi.encodeCall(escrow.settle, (_evilSwap(), "")), _unproven(ACME));
        _refused(OPERATOR, abi.encodeCall(escrow.burn, (_evilSwap(), "")), _unproven(DEAD));
        assertEq(dollar.balanceOf(customer), 0, "not paid");
        _evil.turn(Malice.None);
        _operate(abi.encodeCall(escrow.settle, (_evilSwap(), "")));
        assertEq(dollar.balanceOf(customer), 50e6, "paid against the token");
    }

    function test_receiver_hook_is_answered_for_the_own_pull_only() public {
        _evil.turn(Malice.CallsBack);
        _deposit(_evilDeposit());
        assertEq(_evil.ownerOf(1), address(escrow), "in escrow");
        vm.prank(address(_evil));
        vm.expectRevert(abi.encodeWithSelector(TokenCustody.TokenUnsolicited.selector, address(_evil)));
        escrow.onERC721Received(STRANGER, customer, 1, "");
        vm.prank(address(multi));
        vm.expectRevert(abi.encodeWithSelector(TokenCustody.TokenUnsolicited.selector, address(multi)));
        escrow.onERC1155Received(STRANGER, customer, 3, 1, "");
    }

    function test_receiver_hook_refuses_another_operator_during_a_pull() public {
        _evil.aim(address(escrow), abi.encodeCall(escrow.onERC721Received, (STRANGER, customer, 2, "")));
        _deposit(_evilDeposit());
        assertFalse(_evil.reentryOk(), "not the escrow's own transfer");
        bytes memory err = abi.encodeWithSelector(TokenCustody.TokenUnsolicited.selector, address(_evil));
        assertEq(_evil.reentryResult(), err, "and says so");
    }

    function test_erc1155_that_moves_half_is_refused() public {
        Lying1155 half = new Lying1155();
        half.mint(customer, 10);
        ReturnAuthorization memory auth = _evilDeposit();
        (auth.token, auth.amount) = (address(half), 10);
        bytes memory err =
            abi.encodeWithSelector(TokenCustody.TokenTransferUnproven.selector, address(half), 1, address(escrow));
        _depositRefused(auth, err);
        assertEq(half.balanceOf(customer, 1), 10, "nothing moved");
        half.turnHonest();
        _deposit(auth);
        assertEq(half.balanceOf(address(escrow), 1), 10, "all of it, once it is honest");
    }

    /// @dev More than was asked for is as wrong as less: the balance could be another line's.
    function test_erc1155_that_moves_more_than_asked_is_refused_in_every_direction() public {
        Conjuring1155 more = new Conjuring1155();
        more.mint(customer, 10);
        ReturnAuthorization memory auth = _multiAuth(5);
        auth.token = address(more);
        more.conjure(1);
        _depositRefused(auth, _moreUnproven(address(more), address(escrow)));
        more.conjure(0);
        _deposit(auth);
        _operate(abi.encodeCall(escrow.commit, (auth, "")));
        more.conjure(1);
        _refused(OPERATOR, abi.encodeCall(escrow.settle, (auth, "")), _moreUnproven(address(more), ACME));
        _refused(OPERATOR, abi.encodeCall(escrow.burn, (auth, "")), _moreUnproven(address(more), DEAD));
        _refused(OPERATOR, abi.encodeCall(escrow.release, (auth)), _moreUnproven(address(more), customer));
        assertEq(more.balanceOf(address(escrow), 3), 5, "still held");
    }

    /// @dev It answered as one standard when it came; what it says later changes nothing of that.
    function test_token_that_changes_its_standard_is_given_back_as_what_it_came() public {
        TwoFacedToken token = new TwoFacedToken();
        token.mint(customer, 7);
        ReturnAuthorization memory auth = _depositAuth();
        auth.token = address(token);
        _deposit(auth);
        token.turn();
        bytes memory err =
            abi.encodeWithSelector(TokenCustody.TokenTransferUnproven.selector, address(token), 7, customer);
        _refused(OPERATOR, abi.encodeCall(escrow.release, (auth)), err);
        token.turn();
        _operate(abi.encodeCall(escrow.release, (auth)));
        assertEq(token.ownerOf(7), customer, "and back");
    }

    /// @dev A depositor that passes tokens on in its hook ends with a balance of 0, and must not be locked out for it.
    function test_forwarding_depositor_gets_its_tokens_back() public {
        ForwardingHolder forwarder = new ForwardingHolder(STRANGER);
        multi.mint(address(forwarder), 3, 5);
        forwarder.approve(address(multi), address(escrow));
        ReturnAuthorization memory auth = _multiAuth(5);
        (auth.holder, auth.line) = (address(forwarder), _line(address(forwarder), UUID));
        _deposit(auth);
        forwarder.startForwarding();
        _operate(abi.encodeCall(escrow.release, (auth)));
        assertEq(multi.balanceOf(STRANGER, 3), 5, "passed on");
        _assertState(auth.line, State.Released);
    }

    /// @dev Each of them would go through by itself, were the door open.
    function _innerCalls() private returns (bytes[] memory calls) {
        _mintNft(customer, 8);
        ReturnAuthorization memory inner = _swapAuth();
        (inner.line, inner.tokenId) = (_line(customer, UUID + 9), 8);
        MerchantFloat.Refund memory refund = MerchantFloat.Refund(bytes32(uint256(1)), ACME, NATIVE, 1, STRANGER);
        _held();
        calls = new bytes[](8);
        calls[0] = abi.encodeCall(escrow.swap, (inner, _sign(inner), ""));
        calls[1] = abi.encodeCall(escrow.deposit, (inner, _sign(inner)));
        calls[2] = abi.encodeCall(escrow.release, (_depositAuth()));
        calls[3] = abi.encodeCall(escrow.commit, (_depositAuth(), ""));
        calls[4] = abi.encodeCall(escrow.payOut, (refund, ""));
        calls[5] = abi.encodeCall(escrow.withdrawFloat, (ACME, NATIVE, 1));
        calls[6] = abi.encodeCall(escrow.claim, (NATIVE, STRANGER));
        calls[7] = abi.encodeCall(escrow.fundFloat, (ACME, address(dollar), 0));
    }

    /// @dev While it leaves, the token acts as an operator and tries to leave again.
    function _assertLockedOnTheWayOut(address caller, bytes memory call, address to) private {
        _commitEvil();
        _change(abi.encodeCall(escrow.grantRole, (escrow.OPERATOR_ROLE(), address(_evil))));
        _evil.aim(address(escrow), abi.encodeCall(escrow.release, (_evilDeposit())));
        vm.warp(START + 30 days + 1);
        vm.prank(caller);
        (bool ok,) = address(escrow).call(call);
        assertTrue(ok, "the movement itself goes through");
        _assertLocked();
        assertEq(_evil.ownerOf(1), to, "where it was to go");
    }

    function _assertLocked() private view {
        assertFalse(_evil.reentryOk(), "once");
        assertEq(_evil.reentryResult(), abi.encodeWithSelector(Operated.Reentered.selector), "by the lock");
    }

    function _evilDeposit() private view returns (ReturnAuthorization memory auth) {
        auth = _depositAuth();
        (auth.token, auth.tokenId) = (address(_evil), 1);
    }

    function _evilSwap() private view returns (ReturnAuthorization memory auth) {
        auth = _evilDeposit();
        (auth.remedy, auth.asset, auth.refund) = (uint8(Remedy.CryptoRefund), address(dollar), 50e6);
    }

    function _commitEvil() private {
        _deposit(_evilDeposit());
        _operate(abi.encodeCall(escrow.commit, (_evilDeposit(), "")));
    }

    function _unproven(address to) private view returns (bytes memory) {
        return abi.encodeWithSelector(TokenCustody.TokenTransferUnproven.selector, address(_evil), 1, to);
    }

    function _moreUnproven(address token, address to) private pure returns (bytes memory) {
        return abi.encodeWithSelector(TokenCustody.TokenTransferUnproven.selector, token, 3, to);
    }
}
