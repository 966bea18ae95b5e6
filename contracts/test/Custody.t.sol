// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MerchantFloat} from "../src/MerchantFloat.sol";
import {Remedy, ReturnAuthorization} from "../src/ReturnAuthorization.sol";
import {ReturnEscrow, State} from "../src/ReturnEscrow.sol";
import {TokenCustody} from "../src/TokenCustody.sol";
import {EscrowTest} from "./EscrowTest.sol";
import {ContractWallet} from "./mocks/Accounts.sol";
import {DeadBurnNFT, PlainNFT} from "./mocks/HonestTokens.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

/// @notice From a hold to its end: commit, settle, burn, release, reclaim.
contract CustodyTest is EscrowTest {
    function test_commit_moves_the_reclaim_date_once() public {
        _held();
        vm.warp(START + 7 days);
        vm.expectEmit(address(escrow));
        emit ReturnEscrow.Committed(LINE, uint48(START + 30 days));
        vm.prank(OPERATOR);
        escrow.commit(_depositAuth(), "");
        _assertState(LINE, State.Committed);
        assertTrue(escrow.isUsed(_depositAuth()), "still this authorization");
        _refused(OPERATOR, abi.encodeCall(escrow.commit, (_depositAuth(), "")), _wrongState(State.Committed));
    }

    function test_commit_serves_store_credit() public {
        ReturnAuthorization memory auth = _depositAuth();
        auth.remedy = uint8(Remedy.StoreCredit);
        _deposit(auth);
        _operate(abi.encodeCall(escrow.commit, (auth, "")));
        _assertState(LINE, State.Committed);
        _operate(abi.encodeCall(escrow.settle, (auth, "")));
        assertEq(nft.ownerOf(7), ACME, "in the vault");
    }

    function test_commit_serves_no_remedy_that_is_paid_here() public {
        uint8[3] memory wrong = [uint8(Remedy.CryptoRefund), uint8(Remedy.Replacement), uint8(Remedy.PartialRefund)];
        _held();
        for (uint256 i = 0; i < wrong.length; ++i) {
            ReturnAuthorization memory auth = _depositAuth();
            auth.remedy = wrong[i];
            _refused(OPERATOR, abi.encodeCall(escrow.commit, (auth, "")), _wrongRemedy(wrong[i]));
        }
    }

    function test_commit_is_refused_once_the_depositor_may_reclaim() public {
        _held();
        vm.warp(START + 7 days + 1);
        bytes memory err =
            abi.encodeWithSelector(ReturnEscrow.ReturnEscrowReclaimOpen.selector, LINE, uint48(START + 7 days));
        _refused(OPERATOR, abi.encodeCall(escrow.commit, (_depositAuth(), "")), err);
    }

    function test_commit_above_the_limit_of_its_currency_takes_a_second_person() public {
        ReturnAuthorization memory auth = _depositAuth();
        auth.refund = 100_01;
        _deposit(auth);
        bytes memory err =
            abi.encodeWithSelector(MerchantFloat.FloatApprovalMissing.selector, LINE, EURO, uint256(100_01));
        _refused(OPERATOR, abi.encodeCall(escrow.commit, (auth, "")), err);
        _operate(abi.encodeCall(escrow.commit, (auth, _approve(auth))));
        _assertState(LINE, State.Committed);
    }

    function test_settle_sends_the_token_to_the_vault() public {
        _committed();
        vm.expectEmit(address(escrow));
        emit ReturnEscrow.Settled(LINE, ACME, address(nft), 7, 1);
        vm.prank(OPERATOR);
        escrow.settle(_depositAuth(), "");
        assertEq(nft.ownerOf(7), ACME, "in the vault");
        assertEq(escrow.floatOf(ACME, address(dollar)).balance, 1000e6, "paid outside, not here");
        _assertState(LINE, State.Settled);
        assertTrue(escrow.isUsed(_depositAuth()), "remembered");
    }

    function test_settle_sends_an_amount_of_erc1155() public {
        _commitOf(_multiAuth(40));
        _operate(abi.encodeCall(escrow.settle, (_multiAuth(40), "")));
        assertEq(multi.balanceOf(ACME, 3), 40, "in the vault");
        assertEq(multi.balanceOf(customer, 3), 60, "no more than that");
        _assertState(LINE, State.Settled);
    }

    function test_settle_pays_a_crypto_refund_both_or_neither() public {
        _deposit(_swapAuth());
        vm.expectEmit(address(escrow));
        emit ReturnEscrow.Settled(LINE, ACME, address(nft), 7, 1);
        vm.expectEmit(address(escrow));
        emit MerchantFloat.Refunded(LINE, ACME, customer, address(dollar), 50e6);
        vm.prank(OPERATOR);
        escrow.settle(_swapAuth(), "");
        assertEq(nft.ownerOf(7), ACME, "token");
        assertEq(dollar.balanceOf(customer), 50e6, "money");
        assertEq(escrow.floatOf(ACME, address(dollar)).balance, 950e6, "float");
    }

    function test_settle_pays_in_coin_to_another_recipient() public {
        ReturnAuthorization memory auth = _multiAuth(5);
        (auth.remedy, auth.asset, auth.refund) = (uint8(Remedy.CryptoRefund), NATIVE, 0.5 ether);
        auth.recipient = address(0xFEED);
        _deposit(auth);
        _operate(abi.encodeCall(escrow.settle, (auth, "")));
        assertEq(address(0xFEED).balance, 0.5 ether, "coin");
        assertEq(multi.balanceOf(ACME, 3), 5, "tokens");
        assertEq(escrow.floatOf(ACME, NATIVE).balance, 9.5 ether, "float");
    }

    function test_settle_that_cannot_be_paid_keeps_the_token_held() public {
        ReturnAuthorization memory auth = _swapAuth();
        auth.refund = 1000e6 + 1;
        _deposit(auth);
        bytes memory err = _floatTooLow(ACME, address(dollar), 1000e6, 1000e6 + 1);
        _refused(OPERATOR, abi.encodeCall(escrow.settle, (auth, _approve(auth))), err);
        _refused(OPERATOR, abi.encodeCall(escrow.burn, (auth, _approve(auth))), err);
        _assertState(LINE, State.Held);
    }

    function test_settle_hands_the_replacement_over() public {
        _mintNft(ACME, 8);
        ReturnAuthorization memory auth = _replacementAuth();
        _deposit(auth);
        bytes memory approval = _approve(auth);
        vm.expectEmit(address(escrow));
        emit MerchantFloat.RefundApproved(LINE, approver);
        vm.expectEmit(address(escrow));
        emit ReturnEscrow.Settled(LINE, ACME, address(nft), 7, 1);
        vm.expectEmit(address(escrow));
        emit ReturnEscrow.Replaced(LINE, customer, address(nft), 8);
        vm.prank(OPERATOR);
        escrow.settle(auth, approval);
        assertEq(nft.ownerOf(7), ACME, "the old one");
        assertEq(nft.ownerOf(8), customer, "the new one");
        _assertState(LINE, State.Settled);
    }

    function test_replacement_needs_a_second_person_and_the_vaults_token() public {
        ReturnAuthorization memory auth = _replacementAuth();
        _mintNft(STRANGER, 8);
        _deposit(auth);
        bytes memory err = abi.encodeWithSelector(MerchantFloat.FloatApprovalMissing.selector, LINE, address(nft), 8);
        _refused(OPERATOR, abi.encodeCall(escrow.settle, (auth, "")), err);
        err = _notHeld(address(nft), 8, ACME, 0);
        _refused(OPERATOR, abi.encodeCall(escrow.settle, (auth, _approve(auth))), err);
        _assertState(LINE, State.Held);
    }

    function test_burn_destroys_where_the_collection_can() public {
        _committed();
        vm.expectEmit(address(escrow));
        emit ReturnEscrow.Burned(LINE, address(nft), 7, 1, true);
        vm.prank(OPERATOR);
        escrow.burn(_depositAuth(), "");
        assertEq(_ownerOf(address(nft), 7), address(0), "gone");
        _assertState(LINE, State.Burned);
    }

    function test_burn_parks_at_the_dead_address_otherwise() public {
        PlainNFT plain = new PlainNFT();
        plain.mint(customer, 1);
        _burnOf(address(plain));
        assertEq(plain.ownerOf(1), DEAD, "parked");
    }

    function test_burn_does_not_call_a_transfer_destruction() public {
        DeadBurnNFT dead = new DeadBurnNFT();
        dead.mint(customer, 1);
        _burnOf(address(dead));
        assertEq(dead.ownerOf(1), DEAD, "parked by its own contract");
    }

    function test_burn_parks_erc1155() public {
        _commitOf(_multiAuth(40));
        vm.expectEmit(address(escrow));
        emit ReturnEscrow.Burned(LINE, address(multi), 3, 40, false);
        vm.prank(OPERATOR);
        escrow.burn(_multiAuth(40), "");
        assertEq(multi.balanceOf(DEAD, 3), 40, "parked");
    }

    function test_burn_pays_a_crypto_refund_and_hands_a_replacement_over() public {
        _deposit(_swapAuth());
        _operate(abi.encodeCall(escrow.burn, (_swapAuth(), "")));
        assertEq(dollar.balanceOf(customer), 50e6, "money");
        _mintNft(ACME, 8);
        _mintNft(customer, 9);
        ReturnAuthorization memory auth = _replacementAuth();
        (auth.line, auth.tokenId) = (_line(customer, UUID + 1), 9);
        _deposit(auth);
        _operate(abi.encodeCall(escrow.burn, (auth, _approve(auth))));
        assertEq(_ownerOf(address(nft), 9), address(0), "the old one is gone");
        assertEq(nft.ownerOf(8), customer, "the new one");
        _assertState(auth.line, State.Burned);
    }

    function test_release_gives_back_to_the_depositor() public {
        _held();
        vm.expectEmit(address(escrow));
        emit ReturnEscrow.Released(LINE, customer, address(nft), 7, 1);
        vm.prank(OPERATOR);
        escrow.release(_depositAuth());
        assertEq(nft.ownerOf(7), customer, "back");
        _assertState(LINE, State.Released);
    }

    function test_release_works_when_committed() public {
        _committed();
        _operate(abi.encodeCall(escrow.release, (_depositAuth())));
        assertEq(nft.ownerOf(7), customer, "back");
    }

    function test_reclaim_works_after_the_date_also_while_paused() public {
        _held();
        _pause();
        vm.warp(START + 7 days);
        bytes memory call = abi.encodeCall(escrow.reclaim, (_depositAuth(), customer));
        _refused(customer, call, _tooEarly(uint48(START + 7 days)));
        vm.warp(START + 7 days + 1);
        vm.expectEmit(address(escrow));
        emit ReturnEscrow.Reclaimed(LINE, customer, customer, address(nft), 7, 1);
        vm.prank(customer);
        escrow.reclaim(_depositAuth(), customer);
        assertEq(nft.ownerOf(7), customer, "back");
        _assertState(LINE, State.Reclaimed);
    }

    function test_reclaim_waits_for_the_second_date_once_committed() public {
        _committed();
        vm.warp(START + 30 days);
        bytes memory call = abi.encodeCall(escrow.reclaim, (_depositAuth(), customer));
        _refused(customer, call, _tooEarly(uint48(START + 30 days)));
        vm.warp(START + 30 days + 1);
        vm.prank(customer);
        escrow.reclaim(_depositAuth(), customer);
        assertEq(nft.ownerOf(7), customer, "back");
    }

    function testFuzz_reclaim_opens_exactly_after_the_date_in_force(uint256 delay, bool commits) public {
        if (commits) _committed();
        else _held();
        uint256 opens = START + (commits ? 30 days : 7 days);
        uint256 time = bound(delay, opens - 2, opens + 2);
        vm.warp(time);
        vm.prank(customer);
        (bool ok,) = address(escrow).call(abi.encodeCall(escrow.reclaim, (_depositAuth(), customer)));
        assertTrue(ok == (time > opens), "date");
    }

    function test_reclaim_is_the_depositors_alone() public {
        _held();
        vm.warp(START + 7 days + 1);
        address[5] memory others = [OPERATOR, ADMIN_A, GUARDIAN, TREASURER, ACME];
        for (uint256 i = 0; i < others.length; ++i) {
            bytes memory err = abi.encodeWithSelector(ReturnEscrow.ReturnEscrowNotDepositor.selector, LINE, others[i]);
            _refused(others[i], abi.encodeCall(escrow.reclaim, (_depositAuth(), others[i])), err);
            ReturnAuthorization memory own = _depositAuth();
            own.holder = others[i];
            err = abi.encodeWithSelector(ReturnEscrow.ReturnEscrowOtherAuthorization.selector, LINE, _hash(own));
            _refused(others[i], abi.encodeCall(escrow.reclaim, (own, others[i])), err);
        }
    }

    function test_reclaim_goes_where_the_depositor_says_and_not_nowhere() public {
        _held();
        vm.warp(START + 7 days + 1);
        address[2] memory nowhere = [address(0), address(escrow)];
        for (uint256 i = 0; i < nowhere.length; ++i) {
            bytes memory err = abi.encodeWithSelector(MerchantFloat.FloatBadRecipient.selector, nowhere[i]);
            _refused(customer, abi.encodeCall(escrow.reclaim, (_depositAuth(), nowhere[i])), err);
        }
        vm.prank(customer);
        escrow.reclaim(_depositAuth(), STRANGER);
        assertEq(nft.ownerOf(7), STRANGER, "elsewhere");
    }

    /// @dev The wallet has no receiver hook, which ERC-1155 demands: its tokens go to somebody who has.
    function test_depositor_that_cannot_receive_erc1155_reclaims_to_somebody_who_can() public {
        ContractWallet wallet = new ContractWallet(customer);
        multi.mintUnsafe(address(wallet), 3, 5);
        wallet.run(address(multi), abi.encodeCall(multi.setApprovalForAll, (address(escrow), true)));
        ReturnAuthorization memory auth = _multiAuth(5);
        (auth.holder, auth.line) = (address(wallet), _line(address(wallet), UUID));
        _deposit(auth);
        bytes memory reason = abi.encodeWithSignature("ERC1155InvalidReceiver(address)", address(wallet));
        _refused(OPERATOR, abi.encodeCall(escrow.release, (auth)), _transferFailed(address(multi), 3, reason));
        vm.warp(START + 7 days + 1);
        wallet.run(address(escrow), abi.encodeCall(escrow.reclaim, (auth, STRANGER)));
        assertEq(multi.balanceOf(STRANGER, 3), 5, "all of them");
    }

    function test_nothing_but_a_deposit_works_on_an_unknown_line() public {
        _assertNothingWorks(_depositAuth(), State.None);
        _assertNothingWorks(_swapAuth(), State.None);
    }

    function test_held_lines_that_are_paid_outside_are_neither_settled_nor_burned() public {
        _held();
        _refused(OPERATOR, abi.encodeCall(escrow.settle, (_depositAuth(), "")), _wrongState(State.Held));
        _refused(OPERATOR, abi.encodeCall(escrow.burn, (_depositAuth(), "")), _wrongState(State.Held));
    }

    function testFuzz_every_end_is_final(uint256 end, bool erc1155) public {
        State state = State(bound(end, uint256(State.Settled), uint256(State.Reclaimed)));
        ReturnAuthorization memory auth = erc1155 ? _multiAuth(40) : _depositAuth();
        _commitOf(auth);
        vm.warp(START + 30 days + 1);
        vm.prank(state == State.Reclaimed ? customer : OPERATOR);
        if (state == State.Settled) escrow.settle(auth, "");
        if (state == State.Burned) escrow.burn(auth, "");
        if (state == State.Released) escrow.release(auth);
        if (state == State.Reclaimed) escrow.reclaim(auth, customer);
        _assertState(LINE, state);
        assertTrue(escrow.isUsed(auth), "remembered");
        _assertNothingWorks(auth, state);
        _assertNothingWorks(_swapAuth(), state);
    }

    /// @dev Whoever does something with a hold presents the authorization it was deposited with, and no other.
    function testFuzz_another_authorization_does_nothing(uint256 word, bool commits) public {
        if (commits) _committed();
        else _held();
        vm.warp(START + 7 days);
        ReturnAuthorization memory auth = _altered(bound(word, 0, 10));
        bytes memory err =
            abi.encodeWithSelector(ReturnEscrow.ReturnEscrowOtherAuthorization.selector, LINE, _hash(auth));
        if (commits) _refused(OPERATOR, abi.encodeCall(escrow.settle, (auth, "")), err);
        if (commits) _refused(OPERATOR, abi.encodeCall(escrow.burn, (auth, "")), err);
        if (!commits) _refused(OPERATOR, abi.encodeCall(escrow.commit, (auth, "")), err);
        _refused(OPERATOR, abi.encodeCall(escrow.release, (auth)), err);
        _refused(auth.holder, abi.encodeCall(escrow.reclaim, (auth, STRANGER)), err);
        assertEq(nft.ownerOf(7), address(escrow), "still held");
    }

    /// @dev A hold that is paid outside must not be ended as one that is paid here.
    function test_a_hold_keeps_its_remedy() public {
        _held();
        bytes memory err =
            abi.encodeWithSelector(ReturnEscrow.ReturnEscrowOtherAuthorization.selector, LINE, _hash(_swapAuth()));
        _refused(OPERATOR, abi.encodeCall(escrow.settle, (_swapAuth(), "")), err);
        _refused(OPERATOR, abi.encodeCall(escrow.burn, (_swapAuth(), "")), err);
    }

    function test_roles_are_needed() public {
        _held();
        bytes memory err = _unauthorized(ADMIN_A, escrow.OPERATOR_ROLE());
        _refused(ADMIN_A, abi.encodeCall(escrow.commit, (_depositAuth(), "")), err);
        _refused(ADMIN_A, abi.encodeCall(escrow.settle, (_depositAuth(), "")), err);
        _refused(ADMIN_A, abi.encodeCall(escrow.burn, (_depositAuth(), "")), err);
        _refused(ADMIN_A, abi.encodeCall(escrow.release, (_depositAuth())), err);
    }

    function test_pause_stops_whatever_operators_do() public {
        _committed();
        _pause();
        bytes memory err = abi.encodeWithSelector(Pausable.EnforcedPause.selector);
        _refused(OPERATOR, abi.encodeCall(escrow.commit, (_depositAuth(), "")), err);
        _refused(OPERATOR, abi.encodeCall(escrow.settle, (_depositAuth(), "")), err);
        _refused(OPERATOR, abi.encodeCall(escrow.burn, (_depositAuth(), "")), err);
        _refused(OPERATOR, abi.encodeCall(escrow.release, (_depositAuth())), err);
    }

    /// @dev Two lines of the same ERC-1155 token lie in one balance and stay apart.
    function test_lines_of_one_erc1155_token_stay_apart() public {
        ReturnAuthorization memory second = _multiAuth(60);
        second.line = _line(customer, UUID + 1);
        _deposit(_multiAuth(40));
        _deposit(second);
        _operate(abi.encodeCall(escrow.release, (_multiAuth(40))));
        assertEq(multi.balanceOf(customer, 3), 40, "only the first came back");
        assertEq(multi.balanceOf(address(escrow), 3), 60, "the second is still held");
        _assertState(second.line, State.Held);
    }

    function test_unsolicited_safe_transfers_are_turned_away() public {
        bytes memory err = abi.encodeWithSelector(TokenCustody.TokenUnsolicited.selector, address(nft));
        vm.prank(customer);
        vm.expectRevert(err);
        nft.safeTransferFrom(customer, address(escrow), 7);
        err = abi.encodeWithSelector(TokenCustody.TokenUnsolicited.selector, address(multi));
        vm.prank(customer);
        vm.expectRevert(err);
        multi.safeTransferFrom(customer, address(escrow), 3, 1, "");
        (uint256[] memory ids, uint256[] memory amounts) = (new uint256[](2), new uint256[](2));
        (ids[0], ids[1], amounts[0], amounts[1]) = (3, 3, 1, 1);
        vm.prank(customer);
        vm.expectRevert(err);
        multi.safeBatchTransferFrom(customer, address(escrow), ids, amounts, "");
        assertEq(nft.ownerOf(7), customer, "still the customer's");
        assertEq(multi.balanceOf(customer, 3), 100, "all of them");
    }

    function test_declares_its_interfaces() public view {
        assertTrue(escrow.supportsInterface(0x4e2312e0), "ERC-1155 receiver");
        assertTrue(escrow.supportsInterface(0x01ffc9a7), "ERC-165");
        assertTrue(escrow.supportsInterface(0x7965db0b), "access control");
        assertFalse(escrow.supportsInterface(0x80ac58cd), "not a token itself");
    }

    function _assertNothingWorks(ReturnAuthorization memory auth, State state) private {
        bytes memory err = _wrongState(state);
        if (auth.remedy == 0) _refused(OPERATOR, abi.encodeCall(escrow.commit, (auth, "")), err);
        _refused(OPERATOR, abi.encodeCall(escrow.settle, (auth, "")), err);
        _refused(OPERATOR, abi.encodeCall(escrow.burn, (auth, "")), err);
        _refused(OPERATOR, abi.encodeCall(escrow.release, (auth)), err);
        _refused(customer, abi.encodeCall(escrow.reclaim, (auth, customer)), err);
    }

    /// @dev The authorization of the fixture with one field changed, and the same line and a remedy paid outside.
    function _altered(uint256 word) private view returns (ReturnAuthorization memory auth) {
        auth = _depositAuth();
        if (word == 0) auth.vault = BOLT;
        if (word == 1) auth.holder = STRANGER;
        if (word == 2) auth.token = address(multi);
        if (word == 3) auth.tokenId = 8;
        if (word == 4) auth.amount = 2;
        if (word == 5) auth.remedy = uint8(Remedy.StoreCredit);
        if (word == 6) auth.asset = address(840);
        if (word == 7) auth.refund = 1;
        if (word == 8) auth.recipient = STRANGER;
        if (word == 9) auth.deadline = 0;
        if (word == 10) auth.commitUntil -= 1;
    }

    function _commitOf(ReturnAuthorization memory auth) private {
        _deposit(auth);
        _operate(abi.encodeCall(escrow.commit, (auth, "")));
    }

    /// @dev Token 1 of a collection that parks it in the end.
    function _burnOf(address token) private {
        vm.prank(customer);
        PlainNFT(token).setApprovalForAll(address(escrow), true);
        ReturnAuthorization memory auth = _depositAuth();
        (auth.token, auth.tokenId) = (token, 1);
        _commitOf(auth);
        vm.expectEmit(address(escrow));
        emit ReturnEscrow.Burned(LINE, token, 1, 1, false);
        vm.prank(OPERATOR);
        escrow.burn(auth, "");
        _assertState(LINE, State.Burned);
    }
}
