// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ReturnAuthorization} from "../src/ReturnAuthorization.sol";
import {ReturnEscrow, State} from "../src/ReturnEscrow.sol";
import {Signatures} from "../src/lib/Signatures.sol";
import {EscrowTest} from "./EscrowTest.sol";
import {ContractWallet} from "./mocks/Accounts.sol";

/// @notice A holder takes its word back, with or without gas; nobody else does it for it.
contract CancelTest is EscrowTest {
    function test_holder_cancels() public {
        vm.expectEmit(address(escrow));
        emit ReturnEscrow.AuthorizationCanceled(LINE, customer, _hash(_depositAuth()));
        vm.prank(customer);
        escrow.cancel(_depositAuth());
        _assertState(LINE, State.Canceled);
        assertTrue(escrow.isUsed(_depositAuth()), "unusable");
    }

    function test_anybody_brings_the_signed_cancellation() public {
        bytes memory signature = _signCancel(KEY, _depositAuth());
        vm.expectEmit(address(escrow));
        emit ReturnEscrow.AuthorizationCanceled(LINE, customer, _hash(_depositAuth()));
        vm.prank(STRANGER);
        escrow.cancelBySignature(_depositAuth(), signature);
        _assertState(LINE, State.Canceled);
        assertTrue(escrow.isUsed(_depositAuth()), "unusable");
    }

    /// @dev Written out by hand, independent of the contract's own constant.
    function test_the_signed_message_is_eip712() public {
        bytes32 kind = keccak256("ReturnCancellation(bytes32 line,address holder,bytes32 authorization)");
        assertEq(escrow.CANCELLATION_TYPEHASH(), kind, "type hash");
        bytes32 message = keccak256(abi.encode(kind, LINE, customer, _hash(_depositAuth())));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, _typed(message));
        escrow.cancelBySignature(_depositAuth(), abi.encodePacked(r, s, v));
        _assertState(LINE, State.Canceled);
    }

    function test_works_while_paused() public {
        _pause();
        vm.prank(customer);
        escrow.cancel(_depositAuth());
        _assertState(LINE, State.Canceled);
        ReturnAuthorization memory second = _second();
        escrow.cancelBySignature(second, _signCancel(KEY, second));
        _assertState(second.line, State.Canceled);
    }

    function test_works_for_contract_wallets() public {
        ContractWallet wallet = new ContractWallet(customer);
        ReturnAuthorization memory auth = _depositAuth();
        (auth.holder, auth.line) = (address(wallet), _line(address(wallet), UUID));
        escrow.cancelBySignature(auth, _signCancel(KEY, auth));
        _assertState(auth.line, State.Canceled);
        auth.line = _line(address(wallet), UUID + 1);
        wallet.run(address(escrow), abi.encodeCall(escrow.cancel, (auth)));
        _assertState(auth.line, State.Canceled);
    }

    /// @dev What does not matter any more is not asked: dates, remedy, merchant.
    function test_cancels_whatever_was_signed() public {
        ReturnAuthorization memory auth = _depositAuth();
        (auth.vault, auth.remedy, auth.recipient, auth.deadline) = (STRANGER, 255, address(0), 0);
        vm.prank(customer);
        escrow.cancel(auth);
        assertTrue(escrow.isUsed(auth), "unusable");
    }

    function test_a_canceled_line_refuses_everything() public {
        vm.prank(customer);
        escrow.cancel(_depositAuth());
        bytes memory err = _idUsed(LINE, State.Canceled);
        ReturnAuthorization memory auth = _depositAuth();
        _refused(OPERATOR, abi.encodeCall(escrow.deposit, (auth, _sign(auth))), err);
        _swapRefused(_swapAuth(), err);
        err = _wrongState(State.Canceled);
        _refused(OPERATOR, abi.encodeCall(escrow.commit, (auth, "")), err);
        _refused(OPERATOR, abi.encodeCall(escrow.settle, (auth, "")), err);
        _refused(OPERATOR, abi.encodeCall(escrow.burn, (auth, "")), err);
        _refused(OPERATOR, abi.encodeCall(escrow.release, (auth)), err);
        _refused(customer, abi.encodeCall(escrow.reclaim, (auth, customer)), err);
        assertEq(nft.ownerOf(7), customer, "the token stays");
    }

    function test_another_line_survives_the_cancel() public {
        vm.prank(customer);
        escrow.cancel(_depositAuth());
        _deposit(_second());
        assertEq(nft.ownerOf(7), address(escrow), "the new one counts");
    }

    function test_a_line_is_canceled_once() public {
        bytes memory signature = _signCancel(KEY, _depositAuth());
        escrow.cancelBySignature(_depositAuth(), signature);
        bytes memory err = _idUsed(LINE, State.Canceled);
        _refused(STRANGER, abi.encodeCall(escrow.cancelBySignature, (_depositAuth(), signature)), err);
        _refused(customer, abi.encodeCall(escrow.cancel, (_depositAuth())), err);
        _refused(customer, abi.encodeCall(escrow.cancel, (_swapAuth())), err);
    }

    function test_what_is_used_is_not_canceled() public {
        bytes memory call = abi.encodeCall(escrow.cancel, (_depositAuth()));
        bytes memory signed =
            abi.encodeCall(escrow.cancelBySignature, (_depositAuth(), _signCancel(KEY, _depositAuth())));
        _held();
        _refused(customer, call, _idUsed(LINE, State.Held));
        _refused(STRANGER, signed, _idUsed(LINE, State.Held));
        _operate(abi.encodeCall(escrow.commit, (_depositAuth(), "")));
        _refused(customer, call, _idUsed(LINE, State.Committed));
        _operate(abi.encodeCall(escrow.settle, (_depositAuth(), "")));
        _refused(customer, call, _idUsed(LINE, State.Settled));
        _refused(STRANGER, signed, _idUsed(LINE, State.Settled));
    }

    function test_nobody_else_cancels() public {
        address[4] memory others = [OPERATOR, ADMIN_A, GUARDIAN, ACME];
        for (uint256 i = 0; i < others.length; ++i) {
            bytes memory err = abi.encodeWithSelector(ReturnEscrow.ReturnEscrowNotHolder.selector, LINE, others[i]);
            _refused(others[i], abi.encodeCall(escrow.cancel, (_depositAuth())), err);
        }
        _assertState(LINE, State.None);
    }

    /// @dev An authorization of one's own with the line of somebody else would make that line unusable.
    function testFuzz_nobody_cancels_a_line_of_somebody_else(uint256 key) public {
        key = bound(key, 1, CURVE_ORDER - 1);
        address other = vm.addr(key);
        vm.assume(uint128(uint160(other)) != uint128(uint160(customer)));
        ReturnAuthorization memory auth = _depositAuth();
        auth.holder = other;
        bytes memory err = abi.encodeWithSelector(ReturnEscrow.ReturnEscrowForeignLine.selector, LINE, other);
        _refused(other, abi.encodeCall(escrow.cancel, (auth)), err);
        _refused(STRANGER, abi.encodeCall(escrow.cancelBySignature, (auth, _signCancel(key, auth))), err);
        _held();
        _assertState(LINE, State.Held);
    }

    /// @dev Payout ids lie where no holder's lines do.
    function test_nobody_cancels_a_payout() public {
        ReturnAuthorization memory auth = _depositAuth();
        auth.line = bytes32(UUID);
        bytes memory err = abi.encodeWithSelector(ReturnEscrow.ReturnEscrowForeignLine.selector, auth.line, customer);
        _refused(customer, abi.encodeCall(escrow.cancel, (auth)), err);
        _assertState(bytes32(UUID), State.None);
    }

    function test_refuses_signatures_of_others_for_others_and_malleable_ones() public {
        ReturnAuthorization memory auth = _depositAuth();
        bytes32 digest = _cancelDigest(auth);
        bytes memory wrong = _signCancel(KEY + 1, auth);
        _cancelRefused(auth, wrong, _signatureInvalid(customer, digest, wrong));
        wrong = _signCancel(KEY, _second());
        _cancelRefused(auth, wrong, _signatureInvalid(customer, digest, wrong));
        wrong = _signCancel(KEY, _swapAuth());
        _cancelRefused(auth, wrong, _signatureInvalid(customer, digest, wrong));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, digest);
        bytes32 twin = bytes32(CURVE_ORDER - uint256(s));
        wrong = abi.encodePacked(r, twin, v == 27 ? uint8(28) : uint8(27));
        _cancelRefused(auth, wrong, abi.encodeWithSelector(Signatures.SignatureHighS.selector, twin));
    }

    /// @dev The signature that lets a token move must not be good for taking the word back, nor the other way round.
    function test_authorization_and_cancellation_are_no_substitutes() public {
        ReturnAuthorization memory auth = _depositAuth();
        bytes memory signed = _sign(auth);
        _cancelRefused(auth, signed, _signatureInvalid(customer, _cancelDigest(auth), signed));
        bytes memory cancels = _signCancel(KEY, auth);
        bytes memory err = _signatureInvalid(customer, escrow.digestOf(auth), cancels);
        _refused(OPERATOR, abi.encodeCall(escrow.deposit, (auth, cancels)), err);
    }

    function test_refuses_a_cancellation_for_another_chain_or_contract() public {
        ReturnAuthorization memory auth = _depositAuth();
        bytes memory signature = _signCancel(KEY, auth);
        ReturnEscrow home = escrow;
        escrow = new ReturnEscrow(_people());
        _cancelRefused(auth, signature, _signatureInvalid(customer, _cancelDigest(auth), signature));
        escrow = home;
        vm.chainId(block.chainid + 1);
        _cancelRefused(auth, signature, _signatureInvalid(customer, _cancelDigest(auth), signature));
    }

    function _cancelRefused(ReturnAuthorization memory auth, bytes memory signature, bytes memory err) private {
        _refused(STRANGER, abi.encodeCall(escrow.cancelBySignature, (auth, signature)), err);
        assertFalse(escrow.isUsed(auth), "still valid");
    }

    function _cancelDigest(ReturnAuthorization memory auth) private view returns (bytes32) {
        return _typed(keccak256(abi.encode(escrow.CANCELLATION_TYPEHASH(), auth.line, auth.holder, _hash(auth))));
    }

    function _signCancel(uint256 key, ReturnAuthorization memory auth) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, _cancelDigest(auth));
        return abi.encodePacked(r, s, v);
    }

    /// @dev The same return under another line of the same holder.
    function _second() private view returns (ReturnAuthorization memory auth) {
        auth = _depositAuth();
        auth.line = _line(customer, UUID + 1);
    }
}
