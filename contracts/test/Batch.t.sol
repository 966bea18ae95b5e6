// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC4494} from "../src/IERC4494.sol";
import {MerchantFloat} from "../src/MerchantFloat.sol";
import {Operated} from "../src/Operated.sol";
import {Remedy, ReturnAuthorization} from "../src/ReturnAuthorization.sol";
import {State} from "../src/ReturnEscrow.sol";
import {BatchRun} from "./BatchRun.sol";
import {HostileNFT, Malice} from "./mocks/HostileNFT.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

contract BatchTest is BatchRun {
    HostileNFT private _evil;

    function setUp() public override {
        super.setUp();
        _evil = new HostileNFT();
        _evil.mint(customer, 1);
        vm.prank(customer);
        _evil.setApprovalForAll(address(escrow), true);
    }

    function test_fifty_deposits() public {
        bytes[] memory calls = new bytes[](50);
        for (uint256 i = 0; i < 50; ++i) {
            calls[i] = _goodCall(i);
        }
        assertEq(_run(calls).length, 0, "nothing failed");
        for (uint256 i = 0; i < 50; ++i) {
            _assertDeposited(i);
        }
    }

    function test_fifty_swaps_of_which_the_limits_let_four_through() public {
        bytes[] memory calls = new bytes[](50);
        for (uint256 i = 0; i < 50; ++i) {
            _mintNft(customer, 1000 + i);
            ReturnAuthorization memory auth = _goodSwap(i, 95e6);
            calls[i] = abi.encodeCall(escrow.swap, (auth, _sign(auth), ""));
        }
        Failure[] memory failures = _run(calls);
        assertEq(failures.length, 46, "the day's limit counts across the batch");
        for (uint256 i = 0; i < 46; ++i) {
            bytes32 line = _good(i + 4).line;
            bytes memory err =
                abi.encodeWithSelector(MerchantFloat.FloatApprovalMissing.selector, line, address(dollar), 95e6);
            _assertFailure(failures[i], line, i + 4, calls[i + 4], err);
            _assertUntouched(i + 4);
        }
        assertEq(dollar.balanceOf(customer), 4 * 95e6, "four refunds");
        assertEq(escrow.floatOf(ACME, address(dollar)).balance, 1000e6 - 4 * 95e6, "no more than that");
    }

    function test_a_whole_life_in_one_batch() public {
        ReturnAuthorization memory auth = _depositAuth();
        bytes[] memory calls = new bytes[](6);
        calls[0] = _depositCall(auth);
        calls[1] = abi.encodeCall(escrow.commit, (auth, ""));
        calls[2] = abi.encodeCall(escrow.settle, (auth, ""));
        calls[3] = abi.encodeCall(escrow.payOut, (MerchantFloat.Refund("", ACME, NATIVE, 1, customer), ""));
        MerchantFloat.Refund memory refund = MerchantFloat.Refund(bytes32(uint256(1)), ACME, NATIVE, 1, customer);
        calls[4] = abi.encodeCall(escrow.payOut, (refund, ""));
        calls[5] = calls[4];
        Failure[] memory failures = _run(calls);
        assertEq(nft.ownerOf(7), ACME, "settled");
        assertEq(customer.balance, 1, "paid once");
        assertEq(failures.length, 2, "the payout without an id, and the one with the same");
        assertEq(failures[0].index, 3, "without an id");
        _assertFailure(failures[1], refund.id, 5, calls[5], _idUsed(refund.id, State.Paid));
    }

    function test_every_function_for_items_is_one() public {
        ReturnAuthorization memory auth = _depositAuth();
        _deposit(_good2(0));
        _deposit(_good2(1));
        bytes[] memory calls = new bytes[](5);
        calls[0] = abi.encodeCall(escrow.release, (_good2(0)));
        calls[1] = abi.encodeCall(escrow.commit, (_good2(1), ""));
        calls[2] = abi.encodeCall(escrow.burn, (_good2(1), ""));
        calls[3] = abi.encodeCall(escrow.tryPermit, (address(nft), 7, 0, ""));
        calls[4] = abi.encodeCall(escrow.swap, (_swapAuth(), _sign(_swapAuth()), ""));
        assertEq(_run(calls).length, 0, "nothing failed");
        _assertState(_good2(0).line, State.Released);
        _assertState(_good2(1).line, State.Burned);
        _assertState(auth.line, State.Settled);
    }

    function test_a_duplicate_fails_and_the_first_counts() public {
        bytes memory call = _depositCall(_depositAuth());
        Failure[] memory failures = _run(_list(call, call, _goodCall(0)));
        assertEq(failures.length, 1, "the second");
        _assertFailure(failures[0], LINE, 1, call, _idUsed(LINE, State.Held));
        assertEq(nft.ownerOf(7), address(escrow), "the first");
        _assertDeposited(0);
    }

    function test_an_item_that_fails_leaves_its_authorization_valid() public {
        vm.prank(customer);
        nft.setApprovalForAll(address(escrow), false);
        bytes memory call = _depositCall(_depositAuth());
        Failure[] memory failures = _run(_list(call));
        bytes memory reason = abi.encodeWithSignature("ERC721InsufficientApproval(address,uint256)", address(escrow), 7);
        _assertFailure(failures[0], LINE, 0, call, _transferFailed(address(nft), 7, reason));
        assertFalse(escrow.isUsed(_depositAuth()), "still valid");
        vm.prank(customer);
        nft.setApprovalForAll(address(escrow), true);
        assertEq(_run(_list(call)).length, 0, "now it works");
        _assertState(LINE, State.Held);
    }

    /// @dev Neither float nor limit of the day is used up by what failed.
    function test_an_item_that_fails_late_gives_back_what_it_reserved() public {
        ReturnAuthorization memory auth = _swapAuth();
        (auth.token, auth.tokenId) = (address(_evil), 1);
        _evil.turn(Malice.Lies);
        bytes32 before = keccak256(abi.encode(escrow.floatOf(ACME, address(dollar))));
        assertEq(_run(_list(abi.encodeCall(escrow.swap, (auth, _sign(auth), "")))).length, 1, "failed");
        assertEq(keccak256(abi.encode(escrow.floatOf(ACME, address(dollar)))), before, "float and limits");
    }

    function test_refuses_an_empty_batch() public {
        bytes memory call = abi.encodeCall(escrow.batch, (new bytes[](0), GAS_EACH));
        _refused(OPERATOR, call, abi.encodeWithSelector(Operated.BatchEmpty.selector));
    }

    function test_refuses_more_gas_than_a_block_has() public {
        bytes[] memory calls = _list(_goodCall(0), _goodCall(1), _goodCall(2));
        uint256 most = block.gaslimit / 3;
        bytes memory err = abi.encodeWithSelector(Operated.BatchOverBlockGas.selector, 3, most + 1, block.gaslimit);
        _refused(OPERATOR, abi.encodeCall(escrow.batch, (calls, most + 1)), err);
        err = abi.encodeWithSelector(Operated.BatchOverBlockGas.selector, 3, type(uint256).max, block.gaslimit);
        _refused(OPERATOR, abi.encodeCall(escrow.batch, (calls, type(uint256).max)), err);
        vm.prank(OPERATOR);
        (bool ok, bytes memory reason) = address(escrow).call{gas: 1e6}(abi.encodeCall(escrow.batch, (calls, most)));
        assertFalse(ok, "a million is not a block");
        assertEq(bytes32(bytes4(reason)), Operated.BatchGasTooLow.selector, "as much as a block has may be asked for");
        _assertUntouched(0);
    }

    function test_refuses_when_what_is_left_does_not_cover_the_promise() public {
        bytes[] memory calls = _list(_goodCall(0), _goodCall(1), _goodCall(2));
        assertEq(_gasTooLow(calls, 1_000_000, 1_000_000), 0, "the first");
        assertEq(_gasTooLow(calls, 1_060_000, 1_000_000), 1, "the second, and the one before is undone");
        for (uint256 i = 0; i < 3; ++i) {
            _assertUntouched(i);
        }
    }

    /// @dev With any gas limit: all three items run with what they were promised, or none does.
    function testFuzz_no_gas_limit_makes_an_item_fail(uint256 gasLimit) public {
        bytes[] memory calls = _list(_goodCall(0), _goodCall(1), _goodCall(2));
        gasLimit = bound(gasLimit, 30_000, 1_500_000);
        vm.prank(OPERATOR);
        (bool ok,) = address(escrow).call{gas: gasLimit}(abi.encodeCall(escrow.batch, (calls, 300_000)));
        for (uint256 i = 0; i < 3; ++i) {
            if (ok) _assertDeposited(i);
            else _assertUntouched(i);
        }
    }

    function test_an_item_that_needs_more_than_its_gas_fails_without_a_reason() public {
        bytes memory call = _goodCall(0);
        Failure[] memory failures = _run(_list(call), 15_000);
        _assertFailure(failures[0], _good(0).line, 0, call, "");
        _assertUntouched(0);
    }

    function test_refuses_functions_that_cannot_be_items() public {
        bytes[12] memory calls = [
            abi.encodeCall(escrow.batch, (_list(_goodCall(0)), GAS_EACH)),
            abi.encodeCall(escrow.reclaim, (_depositAuth(), STRANGER)),
            abi.encodeCall(escrow.cancel, (_depositAuth())),
            abi.encodeCall(escrow.cancelBySignature, (_depositAuth(), "")),
            abi.encodeCall(escrow.claim, (NATIVE, STRANGER)),
            abi.encodeCall(escrow.fundFloat, (ACME, NATIVE, 0)),
            abi.encodeCall(escrow.withdrawFloat, (ACME, NATIVE, 1)),
            abi.encodeCall(escrow.grantRole, (escrow.OPERATOR_ROLE(), STRANGER)),
            abi.encodeCall(escrow.setLimits, (ACME, NATIVE, 0, 1, 1)),
            abi.encodeCall(escrow.registerMerchant, (STRANGER)),
            bytes(hex"f3"),
            bytes("")
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            bytes[] memory items = _list(_depositCall(_depositAuth()), calls[i]);
            bytes memory err = abi.encodeWithSelector(Operated.BatchItemForbidden.selector, 1, bytes4(calls[i]));
            _refused(OPERATOR, abi.encodeCall(escrow.batch, (items, GAS_EACH)), err);
        }
        assertFalse(escrow.isMerchant(STRANGER), "nothing of it");
    }

    function testFuzz_only_the_eight_functions_are_items(bytes4 selector) public {
        bytes4[8] memory known = [
            escrow.deposit.selector,
            escrow.commit.selector,
            escrow.settle.selector,
            escrow.burn.selector,
            escrow.release.selector,
            escrow.swap.selector,
            escrow.payOut.selector,
            escrow.tryPermit.selector
        ];
        for (uint256 i = 0; i < known.length; ++i) {
            vm.assume(selector != known[i]);
        }
        bytes memory err = abi.encodeWithSelector(Operated.BatchItemForbidden.selector, 0, selector);
        bytes memory call = abi.encodePacked(selector, bytes32(0));
        _refused(OPERATOR, abi.encodeCall(escrow.batch, (_list(call), GAS_EACH)), err);
    }

    function test_items_without_arguments_fail_alone() public {
        bytes memory call = abi.encodePacked(escrow.deposit.selector);
        bytes memory some = abi.encodePacked(escrow.release.selector, LINE);
        Failure[] memory failures = _run(_list(call, some, _goodCall(0)));
        _assertFailure(failures[0], 0, 0, call, "");
        _assertFailure(failures[1], LINE, 1, some, "");
        _assertDeposited(0);
    }

    function test_strangers_run_neither_batches_nor_items() public {
        bytes memory item = _depositCall(_depositAuth());
        bytes memory err = _unauthorized(STRANGER, escrow.OPERATOR_ROLE());
        _refused(STRANGER, abi.encodeCall(escrow.batch, (_list(item), GAS_EACH)), err);
        _refused(STRANGER, item, err);
    }

    function test_refuses_while_paused_and_with_coin() public {
        bytes memory call = abi.encodeCall(escrow.batch, (_list(_depositCall(_depositAuth())), GAS_EACH));
        vm.deal(OPERATOR, 1);
        vm.prank(OPERATOR);
        (bool ok,) = address(escrow).call{value: 1}(call);
        assertFalse(ok, "coin would be lost here");
        _pause();
        _refused(OPERATOR, call, abi.encodeWithSelector(Pausable.EnforcedPause.selector));
    }

    function test_a_token_that_eats_all_gas_fails_its_own_item() public {
        Malice[2] memory ways = [Malice.EatsGas, Malice.EatsGasWhenAsked];
        // A sixty-fourth of the gas is left after the meal, and suffices to say what failed.
        bytes[2] memory reasons = [_transferFailed(address(_evil), 1, ""), _notHeld(address(_evil), 1, customer, 0)];
        for (uint256 i = 0; i < ways.length; ++i) {
            _evil.turn(ways[i]);
            bytes[] memory calls = _list(_goodCall(2 * i), _depositCall(_evilAuth()), _goodCall(2 * i + 1));
            Failure[] memory failures = _run(calls);
            assertEq(failures.length, 1, "one");
            _assertFailure(failures[0], LINE, 1, calls[1], reasons[i]);
            _assertDeposited(2 * i);
            _assertDeposited(2 * i + 1);
            assertFalse(escrow.isUsed(_evilAuth()), "nothing of it");
        }
    }

    function test_a_token_that_answers_with_megabytes_fails_its_own_item() public {
        Malice[2] memory ways = [Malice.RevertsWithMegabytes, Malice.ReturnsMegabytes];
        for (uint256 i = 0; i < ways.length; ++i) {
            _evil.turn(ways[i]);
            bytes[] memory calls = _list(_goodCall(2 * i), _depositCall(_evilAuth()), _goodCall(2 * i + 1));
            Failure[] memory failures = _run(calls);
            assertEq(failures.length, 1, "one");
            assertEq(failures[0].index, 1, "its own");
            _assertDeposited(2 * i);
            _assertDeposited(2 * i + 1);
        }
    }

    function test_reasons_are_cut_at_256_bytes() public {
        _evil.turn(Malice.RevertsWithMegabytes);
        uint256[4] memory volumes = [uint256(0), 128, 129, 100_000];
        for (uint256 i = 0; i < volumes.length; ++i) {
            _evil.setVolume(volumes[i]);
            bytes memory call = _depositCall(_evilAuth());
            Failure[] memory failures = _run(_list(call));
            uint256 kept = volumes[i] > 256 ? 256 : volumes[i];
            bytes memory whole = _transferFailed(address(_evil), 1, new bytes(kept));
            assertEq(failures[0].reason.length, whole.length > 256 ? 256 : whole.length, "length");
            _assertFailure(failures[0], LINE, 0, call, whole);
        }
    }

    function test_a_token_in_a_batch_finds_the_door_locked() public {
        _change(abi.encodeCall(escrow.grantRole, (escrow.OPERATOR_ROLE(), address(_evil))));
        bytes memory inner = _goodCall(0);
        bytes[2] memory calls = [inner, abi.encodeCall(escrow.batch, (_list(inner), 1000))];
        for (uint256 i = 0; i < calls.length; ++i) {
            _evil.mint(customer, 2 + i);
            _evil.aim(address(escrow), calls[i]);
            ReturnAuthorization memory auth = _evilAuth();
            (auth.line, auth.tokenId) = (_line(customer, 2 + i), 2 + i);
            assertEq(_run(_list(_depositCall(auth))).length, 0, "the item itself goes through");
            assertEq(_evil.reentryResult(), abi.encodeWithSelector(Operated.Reentered.selector), "locked");
        }
        _assertUntouched(0);
    }

    function test_permit_and_deposit_in_one_batch() public {
        bytes[] memory calls = _permitAndDeposit();
        assertEq(_run(calls).length, 0, "nothing failed");
        _assertState(LINE, State.Held);
        assertEq(nft.ownerOf(7), address(escrow), "in escrow");
    }

    function test_permit_that_somebody_brought_before_does_no_harm() public {
        bytes[] memory calls = _permitAndDeposit();
        (bool ok,) = address(nft).call(_permit(KEY));
        assertTrue(ok, "anybody may");
        assertEq(_run(calls).length, 0, "nothing failed");
        assertEq(nft.ownerOf(7), address(escrow), "in escrow");
    }

    function test_permit_that_fails_is_told_by_the_deposit() public {
        bytes[] memory calls = _permitAndDeposit();
        calls[0] = abi.encodeCall(escrow.tryPermit, (address(nft), 7, START + 1 hours, "no signature"));
        Failure[] memory failures = _run(calls);
        assertEq(failures.length, 1, "the deposit");
        bytes memory reason = abi.encodeWithSignature("ERC721InsufficientApproval(address,uint256)", address(escrow), 7);
        _assertFailure(failures[0], LINE, 1, calls[1], _transferFailed(address(nft), 7, reason));
    }

    function test_permit_is_asked_by_operators_on_duty() public {
        bytes memory call = abi.encodeCall(escrow.tryPermit, (address(nft), 7, START + 1 hours, _permitSignature(KEY)));
        _refused(STRANGER, call, _unauthorized(STRANGER, escrow.OPERATOR_ROLE()));
        _pause();
        _refused(OPERATOR, call, abi.encodeWithSelector(Pausable.EnforcedPause.selector));
        assertEq(nft.nonces(7), 0, "not asked");
        vm.prank(GUARDIAN);
        escrow.unpause();
        _operate(call);
        assertEq(nft.getApproved(7), address(escrow), "approved");
    }

    function test_permit_asked_of_a_stranger_or_of_the_escrow_does_nothing() public {
        address[4] memory targets = [STRANGER, address(dollar), address(escrow), address(_evil)];
        bytes32 before = _fingerprint();
        for (uint256 i = 0; i < targets.length; ++i) {
            _operate(abi.encodeCall(escrow.tryPermit, (targets[i], 7, START + 1 hours, "")));
        }
        assertEq(_fingerprint(), before, "nothing");
    }

    /// @dev The holder switched the escrow off and signs a permit for this one token.
    function _permitAndDeposit() private returns (bytes[] memory) {
        vm.prank(customer);
        nft.setApprovalForAll(address(escrow), false);
        bytes memory permit =
            abi.encodeCall(escrow.tryPermit, (address(nft), 7, START + 1 hours, _permitSignature(KEY)));
        return _list(permit, _depositCall(_depositAuth()));
    }

    function _permit(uint256 key) private view returns (bytes memory) {
        return abi.encodeCall(IERC4494.permit, (address(escrow), 7, START + 1 hours, _permitSignature(key)));
    }

    function _permitSignature(uint256 key) private view returns (bytes memory) {
        bytes32 kind = keccak256("Permit(address spender,uint256 tokenId,uint256 nonce,uint256 deadline)");
        bytes32 message = keccak256(abi.encode(kind, address(escrow), 7, nft.nonces(7), START + 1 hours));
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(key, keccak256(abi.encodePacked(hex"1901", nft.DOMAIN_SEPARATOR(), message)));
        return abi.encodePacked(r, s, v);
    }

    /// @dev At which item the batch gave up, having said how much it needed.
    function _gasTooLow(bytes[] memory calls, uint256 gasLimit, uint256 gasEach) private returns (uint256 index) {
        vm.prank(OPERATOR);
        (bool ok, bytes memory reason) =
            address(escrow).call{gas: gasLimit}(abi.encodeCall(escrow.batch, (calls, gasEach)));
        assertFalse(ok, "too little");
        assertEq(bytes32(bytes4(reason)), Operated.BatchGasTooLow.selector, "and says so");
        uint256 left;
        uint256 needed;
        assembly ("memory-safe") {
            index := mload(add(reason, 0x24))
            left := mload(add(reason, 0x44))
            needed := mload(add(reason, 0x64))
        }
        assertEq(needed, gasEach, "needed");
        assertTrue(left < gasLimit && left - left / 64 < needed, "left");
    }

    function _evilAuth() private view returns (ReturnAuthorization memory auth) {
        auth = _depositAuth();
        (auth.token, auth.tokenId) = (address(_evil), 1);
    }

    function _goodSwap(uint256 i, uint256 dollars) private view returns (ReturnAuthorization memory auth) {
        auth = _good(i);
        (auth.remedy, auth.asset, auth.refund) = (uint8(Remedy.CryptoRefund), address(dollar), dollars);
    }

    /// @dev Five of the ERC-1155 token 3, under a line of their own.
    function _good2(uint256 i) private view returns (ReturnAuthorization memory auth) {
        auth = _multiAuth(5);
        auth.line = _line(customer, 900 + i);
    }
}
