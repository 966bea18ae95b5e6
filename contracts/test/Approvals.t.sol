// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {DeskAccess} from "../src/DeskAccess.sol";
import {MerchantFloat} from "../src/MerchantFloat.sol";
import {Remedy, ReturnAuthorization} from "../src/ReturnAuthorization.sol";
import {ReturnEscrow, State} from "../src/ReturnEscrow.sol";
import {Signatures} from "../src/lib/Signatures.sol";
import {EscrowTest} from "./EscrowTest.sol";
import {ContractWallet} from "./mocks/Accounts.sol";

/// @notice The second person: 500 dollars are above what the operator may pay alone.
contract ApprovalsTest is EscrowTest {
    uint256 private constant ABOVE = 500e6;
    uint48 private constant DEADLINE = uint48(START + 1 hours);

    MerchantFloat.Refund private refund;

    function setUp() public override {
        super.setUp();
        refund = _payout(1, address(dollar), ABOVE);
    }

    function test_the_approvers_signature_lifts_the_limits_once() public {
        bytes memory approval = _approveAs(APPROVER_KEY, refund);
        vm.expectEmit(address(escrow));
        emit MerchantFloat.RefundApproved(refund.id, approver);
        _payOut(refund, approval);
        assertEq(dollar.balanceOf(customer), ABOVE, "paid");
        bytes memory err = abi.encodeWithSelector(ReturnEscrow.ReturnEscrowIdUsed.selector, refund.id, State.Paid);
        _payOutRefused(refund, approval, err);
        MerchantFloat.Refund memory again = refund;
        again.id = bytes32(uint256(2));
        _payOutRefused(again, approval, _invalid(again, approval));
    }

    function test_a_contract_may_be_the_approver() public {
        ContractWallet wallet = new ContractWallet(approver);
        _change(abi.encodeCall(escrow.grantRole, (escrow.APPROVER_ROLE(), address(wallet))));
        bytes memory approval = _by(address(wallet), DEADLINE, _signed(APPROVER_KEY, _digest(refund, DEADLINE)));
        vm.expectEmit(address(escrow));
        emit MerchantFloat.RefundApproved(refund.id, address(wallet));
        _payOut(refund, approval);
        assertEq(dollar.balanceOf(customer), ABOVE, "paid");
    }

    function test_a_contract_that_says_no_or_answers_with_a_megabyte_does_not_approve() public {
        ContractWallet wallet = new ContractWallet(approver);
        _change(abi.encodeCall(escrow.grantRole, (escrow.APPROVER_ROLE(), address(wallet))));
        bytes memory approval = _by(address(wallet), DEADLINE, _signed(KEY, _digest(refund, DEADLINE)));
        _payOutRefused(refund, approval, _invalid(refund, approval));
        wallet.setBroken();
        approval = _by(address(wallet), DEADLINE, _signed(APPROVER_KEY, _digest(refund, DEADLINE)));
        _payOutRefused(refund, approval, _invalid(refund, approval));
    }

    function test_refuses_a_missing_approval() public {
        bytes memory whole = _approveAs(APPROVER_KEY, refund);
        for (uint256 length = 0; length < 26; ++length) {
            _payOutRefused(refund, _cut(whole, length), _approvalMissing(refund));
        }
        bytes memory unsigned = _cut(whole, 26);
        _payOutRefused(refund, unsigned, _invalid(refund, unsigned));
        bytes memory short = _cut(whole, whole.length - 1);
        _payOutRefused(refund, short, _invalid(refund, short));
    }

    function test_an_approval_holds_until_its_last_second_and_not_longer() public {
        bytes memory approval = _approveAs(APPROVER_KEY, refund);
        vm.warp(DEADLINE + 1);
        bytes memory err = abi.encodeWithSelector(MerchantFloat.FloatApprovalExpired.selector, refund.id, DEADLINE);
        _payOutRefused(refund, approval, err);
        vm.warp(DEADLINE);
        _payOut(refund, approval);
        assertEq(dollar.balanceOf(customer), ABOVE, "in its last second");
    }

    function test_the_deadline_is_part_of_what_is_signed() public {
        bytes memory signature = _signed(APPROVER_KEY, _digest(refund, DEADLINE));
        bytes memory stretched = _by(approver, DEADLINE + 1 days, signature);
        vm.warp(DEADLINE + 1);
        _payOutRefused(refund, stretched, _invalid(refund, stretched));
    }

    function test_refuses_strangers_and_the_operator_as_approvers() public {
        bytes32 role = escrow.APPROVER_ROLE();
        _payOutRefused(refund, _approveAs(0xBAD, refund), _unauthorized(vm.addr(0xBAD), role));
        _change(abi.encodeCall(escrow.grantRole, (escrow.OPERATOR_ROLE(), vm.addr(0xBAD))));
        _payOutRefused(refund, _approveAs(0xBAD, refund), _unauthorized(vm.addr(0xBAD), role));
        bytes memory err = abi.encodeWithSelector(DeskAccess.DeskSamePerson.selector, vm.addr(0xBAD));
        _changeRefused(abi.encodeCall(escrow.grantRole, (role, vm.addr(0xBAD))), err);
    }

    function test_refuses_a_signature_in_the_approvers_name() public {
        bytes memory forged = _by(approver, DEADLINE, _signed(0xBAD, _digest(refund, DEADLINE)));
        _payOutRefused(refund, forged, _invalid(refund, forged));
    }

    function test_refuses_the_recipient_as_its_own_approver() public {
        refund.recipient = approver;
        bytes memory err = abi.encodeWithSelector(DeskAccess.DeskSamePerson.selector, approver);
        _payOutRefused(refund, _approveAs(APPROVER_KEY, refund), err);
        assertEq(dollar.balanceOf(approver), 0, "not paid");
    }

    function test_refuses_an_approver_that_lost_the_role() public {
        bytes memory approval = _approveAs(APPROVER_KEY, refund);
        bytes32 role = escrow.APPROVER_ROLE();
        _change(abi.encodeCall(escrow.revokeRole, (role, approver)));
        _payOutRefused(refund, approval, _unauthorized(approver, role));
        _change(abi.encodeCall(escrow.grantRole, (role, approver)));
        vm.prank(approver);
        escrow.renounceRole(role, approver);
        _payOutRefused(refund, approval, _unauthorized(approver, role));
    }

    function test_an_approval_is_for_one_id_vault_asset_amount_and_recipient() public {
        _fund(BOLT, 1, 1);
        for (uint256 field = 0; field < 5; ++field) {
            MerchantFloat.Refund memory other = refund;
            if (field == 0) other.id = bytes32(uint256(2));
            if (field == 1) other.vault = BOLT;
            if (field == 2) (other.asset, other.amount) = (NATIVE, 5 ether);
            if (field == 3) ++other.amount;
            if (field == 4) other.recipient = STRANGER;
            bytes memory approval = _approveAs(APPROVER_KEY, refund);
            _payOutRefused(other, approval, _invalid(other, approval));
            _payOutRefused(refund, _approveAs(APPROVER_KEY, other), _invalid(refund, _approveAs(APPROVER_KEY, other)));
        }
    }

    function testFuzz_an_approval_is_for_one_amount(uint256 signed, uint256 asked) public {
        signed = bound(signed, 1, 1000e6);
        refund.amount = bound(asked, 100e6 + 1, 1000e6);
        vm.assume(signed != refund.amount);
        bytes memory approval = _approveAs(APPROVER_KEY, _payout(1, address(dollar), signed));
        _payOutRefused(refund, approval, _invalid(refund, approval));
    }

    function test_refuses_an_approval_for_another_chain_or_contract() public {
        bytes memory here = _approveAs(APPROVER_KEY, refund);
        vm.chainId(5);
        bytes memory there = _approveAs(APPROVER_KEY, refund);
        _payOutRefused(refund, here, _invalid(refund, here));
        vm.chainId(31337);
        _payOutRefused(refund, there, _invalid(refund, there));
        ReturnEscrow ours = escrow;
        escrow = new ReturnEscrow(_people());
        bytes memory elsewhere = _approveAs(APPROVER_KEY, refund);
        escrow = ours;
        _payOutRefused(refund, elsewhere, _invalid(refund, elsewhere));
        _payOut(refund, here);
    }

    /// @dev The malleable twin recovers to the same approver, and is refused all the same (EIP-2).
    function test_refuses_a_high_s() public {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(APPROVER_KEY, _digest(refund, DEADLINE));
        bytes32 high = bytes32(CURVE_ORDER - uint256(s));
        bytes memory twin = _by(approver, DEADLINE, abi.encodePacked(r, high, v == 27 ? 28 : 27));
        assertEq(ecrecover(_digest(refund, DEADLINE), v == 27 ? 28 : 27, r, high), approver, "the same person");
        _payOutRefused(refund, twin, abi.encodeWithSelector(Signatures.SignatureHighS.selector, high));
    }

    /// @dev Nobody looks at an approval that is not needed, and none is said to have been given.
    function test_within_the_limits_no_approval_is_needed_or_looked_at() public {
        refund.amount = 100e6;
        bytes memory garbage = abi.encodePacked(STRANGER, uint48(0), "garbage");
        vm.recordLogs();
        _payOut(refund, garbage);
        assertEq(vm.getRecordedLogs().length, 2, "the transfer and the refund");
        assertEq(escrow.floatOf(ACME, address(dollar)).left, 300e6 / 64, "the operator's own day");
    }

    /// @dev A failed item leaves the approval valid until its deadline.
    function test_a_failed_payout_leaves_its_approval_valid() public {
        bytes memory approval = _approveAs(APPROVER_KEY, refund);
        vm.prank(TREASURER);
        escrow.withdrawFloat(ACME, address(dollar), 600e6);
        _payOutRefused(refund, approval, _floatTooLow(ACME, address(dollar), 400e6, ABOVE));
        _fund(ACME, 100e6, 1);
        _payOut(refund, approval);
        assertEq(dollar.balanceOf(customer), ABOVE, "paid");
    }

    function test_a_line_above_the_limits_is_approved_by_its_own_name() public {
        ReturnAuthorization memory auth = _swapAuth();
        auth.refund = ABOVE;
        (bytes memory signature, bytes memory approval) = (_sign(auth), _approveAs(APPROVER_KEY, refund));
        MerchantFloat.Refund memory due = MerchantFloat.Refund(LINE, ACME, address(dollar), ABOVE, customer);
        _refused(OPERATOR, abi.encodeCall(escrow.swap, (auth, signature, approval)), _invalid(due, approval));
        approval = _approve(auth);
        vm.prank(OPERATOR);
        escrow.swap(auth, signature, approval);
        assertEq(dollar.balanceOf(customer), ABOVE, "paid");
        assertEq(nft.ownerOf(7), ACME, "for the token");
    }

    function test_in_a_batch_only_the_unapproved_item_fails() public {
        MerchantFloat.Refund memory other = _payout(2, address(dollar), 400e6);
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(escrow.payOut, (other, ""));
        calls[1] = abi.encodeCall(escrow.payOut, (refund, _approveAs(APPROVER_KEY, refund)));
        vm.prank(OPERATOR);
        escrow.batch(calls, 300_000);
        _assertState(other.id, State.None);
        _assertState(refund.id, State.Paid);
        assertEq(dollar.balanceOf(customer), ABOVE, "one of two");
    }

    function test_a_replacement_always_needs_the_second_person() public {
        ReturnAuthorization memory auth = _replacement();
        MerchantFloat.Refund memory due = MerchantFloat.Refund(LINE, ACME, address(nft), 8, customer);
        _swapRefused(auth, _approvalMissing(due));
        bytes memory err = _unauthorized(vm.addr(0xBAD), escrow.APPROVER_ROLE());
        bytes memory signature = _sign(auth);
        bytes memory call = abi.encodeCall(escrow.swap, (auth, signature, _approveAs(0xBAD, due)));
        _refused(OPERATOR, call, err);
        due.amount = 9;
        bytes memory other = _approveAs(APPROVER_KEY, due);
        due.amount = 8;
        _refused(OPERATOR, abi.encodeCall(escrow.swap, (auth, signature, other)), _invalid(due, other));
        bytes memory approval = _approve(auth);
        vm.prank(OPERATOR);
        escrow.swap(auth, signature, approval);
        assertEq(nft.ownerOf(7), ACME, "this one back");
        assertEq(nft.ownerOf(8), customer, "that one instead");
    }

    function test_a_replacement_from_custody_always_needs_the_second_person() public {
        ReturnAuthorization memory auth = _replacement();
        _deposit(auth);
        bytes memory err = _approvalMissing(MerchantFloat.Refund(LINE, ACME, address(nft), 8, customer));
        _refused(OPERATOR, abi.encodeCall(escrow.settle, (auth, "")), err);
        _refused(OPERATOR, abi.encodeCall(escrow.burn, (auth, "")), err);
        bytes memory approval = _approve(auth);
        vm.prank(OPERATOR);
        escrow.settle(auth, approval);
        assertEq(nft.ownerOf(7), ACME, "this one back");
        assertEq(nft.ownerOf(8), customer, "that one instead");
    }

    function _replacement() private returns (ReturnAuthorization memory auth) {
        _mintNft(ACME, 8);
        vm.prank(ACME);
        nft.setApprovalForAll(address(escrow), true);
        auth = _depositAuth();
        (auth.remedy, auth.asset, auth.refund) = (uint8(Remedy.Replacement), address(nft), 8);
    }

    function _digest(MerchantFloat.Refund memory about, uint48 deadline) private view returns (bytes32) {
        return _typed(keccak256(abi.encode(escrow.APPROVAL_TYPEHASH(), about, deadline)));
    }

    function _signed(uint256 key, bytes32 digest) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function _by(address who, uint48 deadline, bytes memory signature) private pure returns (bytes memory) {
        return abi.encodePacked(who, deadline, signature);
    }

    function _cut(bytes memory whole, uint256 length) private pure returns (bytes memory part) {
        part = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            part[i] = whole[i];
        }
    }

    /// @dev What is refused when this approval, well formed, is brought for that refund: with whose key it really was.
    function _invalid(MerchantFloat.Refund memory about, bytes memory approval) private view returns (bytes memory) {
        (address who, uint48 deadline, bytes32 r, bytes32 s) =
            (address(bytes20(approval)), uint48(bytes6(_word(approval, 20))), _word(approval, 26), _word(approval, 58));
        bytes32 digest = _digest(about, deadline);
        address found = approval.length == 91 ? ecrecover(digest, uint8(approval[90]), r, s) : address(0);
        return abi.encodeWithSelector(Signatures.SignatureInvalid.selector, who, found, digest);
    }

    function _word(bytes memory data, uint256 offset) private pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := mload(add(add(data, 0x20), offset))
        }
    }
}
