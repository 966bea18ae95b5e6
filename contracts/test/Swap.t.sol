// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MerchantFloat} from "../src/MerchantFloat.sol";
import {Remedy, ReturnAuthorization} from "../src/ReturnAuthorization.sol";
import {ReturnEscrow, State} from "../src/ReturnEscrow.sol";
import {TokenCustody} from "../src/TokenCustody.sol";
import {EscrowTest} from "./EscrowTest.sol";
import {RefusingRecipient} from "./mocks/Accounts.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

/// @notice Token against money or another token in one step, and money for a token that stays.
contract SwapTest is EscrowTest {
    function test_swaps_token_against_dollars() public {
        _expectSwapped(_swapAuth());
        _swap(_swapAuth());
        assertEq(nft.ownerOf(7), ACME, "token");
        assertEq(dollar.balanceOf(customer), 50e6, "money");
        assertEq(escrow.floatOf(ACME, address(dollar)).balance, 950e6, "float");
        assertEq(escrow.floatOf(BOLT, address(dollar)).balance, 1000e6, "nobody else's float");
        assertTrue(escrow.isUsed(_swapAuth()), "authorization");
        _assertState(LINE, State.Settled);
    }

    function test_swaps_an_amount_of_erc1155_against_coin_for_another_recipient() public {
        ReturnAuthorization memory auth = _coinAuth(address(0xFEED));
        (auth.token, auth.tokenId, auth.amount) = (address(multi), 3, 25);
        _expectSwapped(auth);
        _swap(auth);
        assertEq(multi.balanceOf(ACME, 3), 25, "tokens");
        assertEq(multi.balanceOf(customer, 3), 75, "the rest stays");
        assertEq(address(0xFEED).balance, 0.5 ether, "coin");
        assertEq(escrow.floatOf(ACME, NATIVE).balance, 9.5 ether, "float");
    }

    function test_reclaim_dates_mean_nothing_in_a_swap() public {
        ReturnAuthorization memory auth = _swapAuth();
        (auth.reclaimAfter, auth.commitUntil) = (1, 0);
        _swap(auth);
        assertEq(nft.ownerOf(7), ACME, "swapped");
    }

    function testFuzz_pays_exactly_what_was_signed_or_nothing(uint256 refund, bool native, bool approved) public {
        ReturnAuthorization memory auth = _swapAuth();
        auth.asset = native ? NATIVE : address(dollar);
        MerchantFloat.Float memory float = escrow.floatOf(ACME, auth.asset);
        auth.refund = bound(refund, 1, 2 * uint256(float.balance));
        bytes memory approval = approved ? _approve(auth) : bytes("");
        bytes memory call = abi.encodeCall(escrow.swap, (auth, _sign(auth), approval));
        vm.prank(OPERATOR);
        (bool ok,) = address(escrow).call(call);
        uint256 got = native ? customer.balance : dollar.balanceOf(customer);
        bool allowed = approved || auth.refund <= uint256(float.single) << float.unit;
        assertTrue(ok == (allowed && auth.refund <= float.balance), "covered and allowed, or refused");
        assertEq(got, ok ? auth.refund : 0, "paid");
        assertEq(escrow.floatOf(ACME, auth.asset).balance, float.balance - got, "debited");
        assertEq(nft.ownerOf(7), ok ? ACME : customer, "token");
    }

    function test_replaces_token_against_token() public {
        _mintNft(ACME, 8);
        ReturnAuthorization memory auth = _replacementAuth();
        auth.recipient = address(0xFEED);
        bytes memory call = abi.encodeCall(escrow.swap, (auth, _sign(auth), _approve(auth)));
        vm.expectEmit(address(escrow));
        emit MerchantFloat.RefundApproved(LINE, approver);
        _expectSwapped(auth);
        _operate(call);
        assertEq(nft.ownerOf(7), ACME, "the old one");
        assertEq(nft.ownerOf(8), address(0xFEED), "the new one");
        _assertState(LINE, State.Settled);
    }

    function test_replaces_with_one_of_an_erc1155_token() public {
        multi.mint(ACME, 8, 2);
        vm.prank(ACME);
        multi.setApprovalForAll(address(escrow), true);
        ReturnAuthorization memory auth = _replacementAuth();
        auth.asset = address(multi);
        _operate(abi.encodeCall(escrow.swap, (auth, _sign(auth), _approve(auth))));
        assertEq(multi.balanceOf(customer, 8), 1, "one");
        assertEq(multi.balanceOf(ACME, 8), 1, "the other stays");
        assertEq(nft.ownerOf(7), ACME, "against the old one");
    }

    function test_replacement_always_takes_a_second_person() public {
        _mintNft(ACME, 8);
        bytes memory err = abi.encodeWithSelector(MerchantFloat.FloatApprovalMissing.selector, LINE, address(nft), 8);
        _swapRefused(_replacementAuth(), err);
        assertEq(nft.ownerOf(8), ACME, "not moved");
    }

    function test_replacement_that_the_vault_does_not_have_leaves_the_token_with_its_holder() public {
        _mintNft(STRANGER, 8);
        _approvedSwapRefused(_replacementAuth(), _notHeld(address(nft), 8, ACME, 0));
        vm.prank(STRANGER);
        nft.transferFrom(STRANGER, ACME, 8);
        vm.prank(ACME);
        nft.setApprovalForAll(address(escrow), false);
        bytes memory reason = abi.encodeWithSignature("ERC721InsufficientApproval(address,uint256)", address(escrow), 8);
        _approvedSwapRefused(_replacementAuth(), _transferFailed(address(nft), 8, reason));
    }

    function test_replacement_must_be_a_token_of_a_registered_merchant() public {
        ReturnAuthorization memory auth = _replacementAuth();
        auth.asset = address(dollar);
        _approvedSwapRefused(auth, abi.encodeWithSelector(TokenCustody.TokenUnsupported.selector, address(dollar)));
        auth = _replacementAuth();
        auth.vault = STRANGER;
        _approvedSwapRefused(auth, abi.encodeWithSelector(MerchantFloat.MerchantUnknown.selector, STRANGER));
    }

    /// @dev A vault's word counts for its own tokens: no held token can be handed out as somebody's replacement.
    function test_replacement_cannot_be_a_held_token() public {
        _held();
        _mintNft(customer, 9);
        ReturnAuthorization memory auth = _replacementAuth();
        (auth.line, auth.tokenId, auth.refund) = (_line(customer, UUID + 1), 9, 7);
        _approvedSwapRefused(auth, _notHeld(address(nft), 7, ACME, 0));
        auth.vault = address(escrow);
        _approvedSwapRefused(auth, abi.encodeWithSelector(MerchantFloat.MerchantUnknown.selector, address(escrow)));
        assertEq(nft.ownerOf(9), customer, "not moved");
    }

    function test_partial_refund_leaves_the_token_with_its_holder() public {
        ReturnAuthorization memory auth = _partialAuth();
        bytes memory signature = _sign(auth);
        vm.expectEmit(address(escrow));
        emit ReturnEscrow.Kept(LINE, ACME, customer, address(nft), 7);
        vm.expectEmit(address(escrow));
        emit MerchantFloat.Refunded(LINE, ACME, customer, address(dollar), 10e6);
        vm.prank(OPERATOR);
        escrow.swap(auth, signature, "");
        assertEq(nft.ownerOf(7), customer, "kept");
        assertEq(dollar.balanceOf(customer), 10e6, "money");
        assertEq(escrow.floatOf(ACME, address(dollar)).balance, 990e6, "float");
        _assertState(LINE, State.Settled);
        assertTrue(escrow.isUsed(auth), "once");
    }

    function test_partial_refund_is_for_who_has_the_token() public {
        ReturnAuthorization memory auth = _partialAuth();
        auth.amount = 2;
        _swapRefused(auth, abi.encodeWithSelector(TokenCustody.TokenWrongAmount.selector, address(nft), 2));
        vm.prank(customer);
        nft.transferFrom(customer, STRANGER, 7);
        _swapRefused(_partialAuth(), _notHeld(address(nft), 7, customer, 0));
        auth = _partialAuth();
        (auth.token, auth.tokenId, auth.amount) = (address(multi), 3, 101);
        _swapRefused(auth, _notHeld(address(multi), 3, customer, 100));
        auth.amount = 100;
        _swap(auth);
        assertEq(multi.balanceOf(customer, 3), 100, "kept");
    }

    function test_refuses_the_same_line_again_in_any_way() public {
        _swap(_swapAuth());
        vm.prank(ACME);
        nft.transferFrom(ACME, customer, 7);
        bytes memory err = _idUsed(LINE, State.Settled);
        ReturnAuthorization memory auth = _swapAuth();
        _refused(OPERATOR, abi.encodeCall(escrow.swap, (auth, _sign(auth), "")), err);
        _swapRefused(_partialAuth(), err);
        _depositRefused(_depositAuth(), err);
        err = _wrongState(State.Settled);
        _refused(OPERATOR, abi.encodeCall(escrow.release, (auth)), err);
        _refused(OPERATOR, abi.encodeCall(escrow.settle, (auth, "")), err);
        _refused(OPERATOR, abi.encodeCall(escrow.burn, (auth, "")), err);
        vm.warp(START + 365 days);
        _refused(customer, abi.encodeCall(escrow.reclaim, (auth, customer)), err);
    }

    function test_refuses_a_held_line() public {
        _deposit(_swapAuth());
        ReturnAuthorization memory auth = _swapAuth();
        bytes memory call = abi.encodeCall(escrow.swap, (auth, _sign(auth), ""));
        _refused(OPERATOR, call, _idUsed(LINE, State.Held));
    }

    function test_refuses_remedies_that_are_paid_outside_and_unknown_ones() public {
        ReturnAuthorization memory auth = _swapAuth();
        uint8[4] memory wrong = [uint8(Remedy.FiatRefund), uint8(Remedy.StoreCredit), 5, 255];
        for (uint256 i = 0; i < wrong.length; ++i) {
            auth.remedy = wrong[i];
            _swapRefused(auth, _wrongRemedy(wrong[i]));
        }
    }

    function test_refuses_a_refund_of_nothing() public {
        ReturnAuthorization memory auth = _swapAuth();
        auth.refund = 0;
        _swapRefused(auth, abi.encodeWithSelector(MerchantFloat.FloatZeroAmount.selector));
    }

    function test_refuses_the_vault_as_holder() public {
        _change(abi.encodeCall(escrow.registerMerchant, (customer)));
        ReturnAuthorization memory auth = _swapAuth();
        auth.vault = customer;
        _swapRefused(auth, abi.encodeWithSelector(ReturnEscrow.ReturnEscrowHolderIsVault.selector, LINE, customer));
    }

    function test_refuses_unknown_vaults_and_assets() public {
        ReturnAuthorization memory auth = _swapAuth();
        address[2] memory wrong = [address(0), STRANGER];
        for (uint256 i = 0; i < wrong.length; ++i) {
            auth = _swapAuth();
            auth.vault = wrong[i];
            _swapRefused(auth, _floatTooLow(wrong[i], address(dollar), 0, 50e6));
            auth = _swapAuth();
            auth.asset = wrong[i];
            _swapRefused(auth, _floatTooLow(ACME, wrong[i], 0, 50e6));
        }
    }

    function test_refuses_expired_deadline_bad_recipients_and_foreign_lines() public {
        ReturnAuthorization memory auth = _swapAuth();
        address[2] memory wrong = [address(0), address(escrow)];
        for (uint256 i = 0; i < wrong.length; ++i) {
            auth.recipient = wrong[i];
            _swapRefused(auth, abi.encodeWithSelector(MerchantFloat.FloatBadRecipient.selector, wrong[i]));
        }
        auth = _swapAuth();
        auth.line = _line(STRANGER, UUID);
        _swapRefused(auth, abi.encodeWithSelector(ReturnEscrow.ReturnEscrowForeignLine.selector, auth.line, customer));
        auth = _swapAuth();
        vm.warp(auth.deadline + 1);
        _swapRefused(
            auth, abi.encodeWithSelector(ReturnEscrow.ReturnEscrowDeadlinePassed.selector, LINE, auth.deadline)
        );
    }

    function test_refuses_a_token_that_moved_on() public {
        vm.prank(customer);
        nft.transferFrom(customer, STRANGER, 7);
        _swapRefused(_swapAuth(), _notHeld(address(nft), 7, customer, 0));
    }

    function test_refuses_what_is_not_a_token() public {
        ReturnAuthorization memory auth = _swapAuth();
        address[2] memory wrong = [address(0), STRANGER];
        for (uint256 i = 0; i < wrong.length; ++i) {
            auth.token = wrong[i];
            _swapRefused(auth, abi.encodeWithSelector(TokenCustody.TokenUnsupported.selector, wrong[i]));
        }
    }

    function test_refuses_when_the_owner_switched_the_escrow_off() public {
        vm.prank(customer);
        nft.setApprovalForAll(address(escrow), false);
        bytes memory reason = abi.encodeWithSignature("ERC721InsufficientApproval(address,uint256)", address(escrow), 7);
        _swapRefused(_swapAuth(), _transferFailed(address(nft), 7, reason));
    }

    function test_refuses_anybody_but_the_operator_and_while_paused() public {
        ReturnAuthorization memory auth = _swapAuth();
        bytes memory call = abi.encodeCall(escrow.swap, (auth, _sign(auth), ""));
        _refused(STRANGER, call, _unauthorized(STRANGER, escrow.OPERATOR_ROLE()));
        _pause();
        _refused(OPERATOR, call, abi.encodeWithSelector(Pausable.EnforcedPause.selector));
    }

    function test_a_recipient_that_refuses_coin_does_not_stop_the_return() public {
        RefusingRecipient refusing = new RefusingRecipient();
        ReturnAuthorization memory auth = _coinAuth(address(refusing));
        bytes memory signature = _sign(auth);
        vm.expectEmit(address(escrow));
        emit MerchantFloat.ClaimReserved(LINE, address(refusing), NATIVE, 0.5 ether);
        _expectSwapped(auth);
        vm.prank(OPERATOR);
        escrow.swap(auth, signature, "");
        assertEq(nft.ownerOf(7), ACME, "token");
        assertEq(escrow.claimable(NATIVE, address(refusing)), 0.5 ether, "reserved");
        assertEq(escrow.floatOf(ACME, NATIVE).balance, 9.5 ether, "no longer the merchant's");
    }

    function _expectSwapped(ReturnAuthorization memory auth) private {
        vm.expectEmit(address(escrow));
        emit ReturnEscrow.Swapped(
            LINE, ACME, customer, auth.token, auth.tokenId, auth.amount, auth.recipient, auth.asset, auth.refund
        );
    }

    function _approvedSwapRefused(ReturnAuthorization memory auth, bytes memory err) private {
        _refused(OPERATOR, abi.encodeCall(escrow.swap, (auth, _sign(auth), _approve(auth))), err);
        assertFalse(escrow.isUsed(auth), "a failed swap leaves its authorization valid");
    }

    function _coinAuth(address recipient) private view returns (ReturnAuthorization memory auth) {
        auth = _swapAuth();
        (auth.asset, auth.refund, auth.recipient) = (NATIVE, 0.5 ether, recipient);
    }

    /// @dev Ten dollars for keeping token 7.
    function _partialAuth() private view returns (ReturnAuthorization memory auth) {
        auth = _swapAuth();
        (auth.remedy, auth.refund) = (uint8(Remedy.PartialRefund), 10e6);
    }
}
