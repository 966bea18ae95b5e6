// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MerchantFloat} from "../src/MerchantFloat.sol";
import {Operated} from "../src/Operated.sol";
import {ReturnAuthorization} from "../src/ReturnAuthorization.sol";
import {ReturnEscrow, State} from "../src/ReturnEscrow.sol";
import {ReturnableNFT} from "../src/ReturnableNFT.sol";
import {BatchRun} from "./BatchRun.sol";
import {RefusingRecipient} from "./mocks/Accounts.sol";
import {Forwarder} from "./mocks/Wallets.sol";

/// @notice Each test is a failure that was published in somebody's refund contract, and must not happen here.
contract PublishedFailuresTest is BatchRun {
    /// @dev `hasRefunded[id] = true` comes first, and `refundOf(id)` then answers 0: the holder loses the token for
    /// nothing (ERC721R). Here the amount is the signed one, whatever is marked before.
    function test_refund_that_pays_0_because_the_flag_is_set_first() public {
        ReturnAuthorization memory auth = _swapAuth();
        (auth.asset, auth.refund) = (NATIVE, 0.5 ether);
        _swap(auth);
        assertTrue(escrow.isUsed(auth), "marked");
        assertEq(customer.balance, 0.5 ether, "and paid in full");
        _mintNft(customer, 8);
        (auth.line, auth.tokenId) = (_line(customer, UUID + 1), 8);
        _deposit(auth);
        _operate(abi.encodeCall(escrow.settle, (auth, "")));
        assertEq(customer.balance, 1 ether, "also by way of a hold");
    }

    /// @dev A deadline in seconds compared with `block.number` lets the owner withdraw at once (or never).
    function test_timestamp_compared_with_block_number() public {
        _held();
        bytes memory call = abi.encodeCall(escrow.reclaim, (_depositAuth(), customer));
        vm.roll(type(uint64).max);
        _refused(customer, call, _tooEarly(uint48(START + 7 days)));
        vm.roll(1);
        vm.warp(START + 7 days + 1);
        vm.prank(customer);
        escrow.reclaim(_depositAuth(), customer);
        assertEq(nft.ownerOf(7), customer, "time passed, whatever the block number");
    }

    /// @dev Tokens sold in a presale, or minted by the owner, whose refund is 0 for ever.
    function test_tokens_that_never_become_refundable() public {
        vm.warp(START - 300 days);
        _mintNft(customer, 1001);
        vm.warp(START);
        _mintNft(customer, 1002);
        for (uint256 id = 1001; id <= 1002; ++id) {
            ReturnAuthorization memory auth = _swapAuth();
            (auth.line, auth.tokenId) = (_line(customer, id), id);
            _swap(auth);
            assertEq(nft.ownerOf(id), ACME, "every token can be returned");
        }
        assertEq(dollar.balanceOf(customer), 100e6, "and is paid for");
    }

    /// @dev A batch with the same id fifteen times pays fifteen refunds for one token.
    function test_one_id_fifteen_times_in_a_batch() public {
        ReturnAuthorization memory auth = _swapAuth();
        bytes[] memory calls = new bytes[](15);
        for (uint256 i = 0; i < 15; ++i) {
            calls[i] = abi.encodeCall(escrow.swap, (auth, _sign(auth), ""));
        }
        Failure[] memory failures = _run(calls);
        assertEq(failures.length, 14, "one token, one refund");
        for (uint256 i = 0; i < 14; ++i) {
            _assertFailure(failures[i], LINE, i + 1, calls[i + 1], _idUsed(LINE, State.Settled));
        }
        assertEq(dollar.balanceOf(customer), 50e6, "once");
        assertEq(escrow.floatOf(ACME, address(dollar)).balance, 950e6, "once");
    }

    /// @dev The same token fifteen times, each time with a signature of its own.
    function test_one_token_under_fifteen_lines_in_a_batch() public {
        bytes[] memory calls = new bytes[](15);
        for (uint256 i = 0; i < 15; ++i) {
            ReturnAuthorization memory auth = _swapAuth();
            auth.line = _line(customer, UUID + i);
            calls[i] = abi.encodeCall(escrow.swap, (auth, _sign(auth), ""));
        }
        Failure[] memory failures = _run(calls);
        assertEq(failures.length, 14, "one token, one refund");
        for (uint256 i = 0; i < 14; ++i) {
            bytes memory err = _notHeld(address(nft), 7, customer, 0);
            // The day's limit of four hundred dollars is not used up by what failed: the ownership is what stops them.
            _assertFailure(failures[i], _line(customer, UUID + i + 1), i + 1, calls[i + 1], err);
        }
        assertEq(dollar.balanceOf(customer), 50e6, "once");
    }

    /// @dev The same in a mint: one id, fifteen times.
    function test_one_id_fifteen_times_in_a_mint_batch() public {
        (address[] memory to, uint256[] memory ids, uint256[] memory prices) =
            (new address[](15), new uint256[](15), new uint256[](15));
        for (uint256 i = 0; i < 15; ++i) {
            (to[i], ids[i], prices[i]) = (customer, 2000, 1 ether);
        }
        vm.expectRevert(abi.encodeWithSelector(ReturnableNFT.ReturnableNFTAlreadyMinted.selector, 2000));
        nft.mintBatch(to, ids, prices);
        assertEq(_ownerOf(address(nft), 2000), address(0), "nothing was minted");
    }

    /// @dev The value of the last call, kept per buyer, becomes the refund of every token that the buyer has. Here each
    /// token has the price that was signed for it, bought in one call or not.
    function test_price_per_call_instead_of_per_token() public {
        (address[] memory to, uint256[] memory ids, uint256[] memory prices) =
            (new address[](3), new uint256[](3), new uint256[](3));
        for (uint256 i = 0; i < 3; ++i) {
            (to[i], ids[i], prices[i]) = (customer, 5000 + i, (i + 1) * 0.1 ether);
        }
        nft.mintBatch(to, ids, prices);
        uint256 paid;
        for (uint256 i = 3; i > 0; --i) {
            ReturnAuthorization memory auth = _swapAuth();
            (auth.line, auth.tokenId) = (_line(customer, 5000 + i), ids[i - 1]);
            (auth.asset, auth.refund) = (NATIVE, prices[i - 1]);
            _swap(auth);
            paid += prices[i - 1];
            assertEq(customer.balance, paid, "its own price");
        }
        assertEq(escrow.floatOf(ACME, NATIVE).balance, 10 ether - 0.6 ether, "their sum");
    }

    /// @dev One pot for all payers: whoever decides can refund one payer with another's money, or pocket it (Circle's
    /// refund protocol says so of its arbiter).
    function test_arbiter_who_can_drain_other_payers() public {
        ReturnAuthorization memory auth = _swapAuth();
        auth.refund = 1000e6 + 1;
        bytes memory err = _floatTooLow(ACME, address(dollar), 1000e6, 1000e6 + 1);
        _refused(OPERATOR, abi.encodeCall(escrow.swap, (auth, _sign(auth), _approve(auth))), err);
        auth = _swapAuth();
        bytes memory signature = _sign(auth);
        auth.recipient = OPERATOR;
        err = _signatureInvalid(customer, escrow.digestOf(auth), signature);
        _refused(OPERATOR, abi.encodeCall(escrow.swap, (auth, signature, "")), err);
        auth = _swapAuth();
        auth.vault = BOLT;
        err = _signatureInvalid(customer, escrow.digestOf(auth), signature);
        _refused(OPERATOR, abi.encodeCall(escrow.swap, (auth, signature, "")), err);
        err = _unauthorized(OPERATOR, escrow.TREASURER_ROLE());
        _refused(OPERATOR, abi.encodeCall(escrow.withdrawFloat, (BOLT, address(dollar), 1)), err);
    }

    /// @dev What an operator may pay alone is bounded: above it a second person signs, who is never the recipient.
    function test_arbiter_who_pays_himself() public {
        MerchantFloat.Refund memory refund =
            MerchantFloat.Refund(bytes32(uint256(1)), ACME, address(dollar), 100e6 + 1, OPERATOR);
        bytes memory err =
            abi.encodeWithSelector(MerchantFloat.FloatApprovalMissing.selector, refund.id, address(dollar), 100e6 + 1);
        _refused(OPERATOR, abi.encodeCall(escrow.payOut, (refund, "")), err);
        assertEq(dollar.balanceOf(OPERATOR), 0, "nothing");
    }

    /// @dev What is owed to one recipient must not be in reach of a later withdrawal or refund.
    function test_arbiter_who_can_reach_a_reserved_claim() public {
        ReturnAuthorization memory auth = _swapAuth();
        RefusingRecipient refusing = new RefusingRecipient();
        (auth.asset, auth.refund, auth.recipient) = (NATIVE, 10 ether, address(refusing));
        _operate(abi.encodeCall(escrow.swap, (auth, _sign(auth), _approve(auth))));
        assertEq(escrow.claimable(NATIVE, address(refusing)), 10 ether, "reserved");
        bytes memory err = _floatTooLow(ACME, NATIVE, 0, 1);
        _refused(TREASURER, abi.encodeCall(escrow.withdrawFloat, (ACME, NATIVE, 1)), err);
        MerchantFloat.Refund memory refund = MerchantFloat.Refund(bytes32(uint256(1)), ACME, NATIVE, 1, OPERATOR);
        _refused(OPERATOR, abi.encodeCall(escrow.payOut, (refund, "")), err);
        assertEq(escrow.claimable(NATIVE, address(refusing)), 10 ether, "still reserved");
        refusing.setOpen(true);
        refusing.fetch(escrow, NATIVE);
        assertEq(address(refusing).balance, 10 ether, "and paid");
    }

    /// @dev A contract that trusts a forwarder to append the sender (ERC-2771), and runs its batch by delegatecall: the
    /// last twenty bytes of an item become its sender (disclosed by OpenZeppelin and thirdweb in December 2023). Here
    /// nothing is trusted to append, items are calls, and what an item has at its end means nothing.
    function test_sender_spoofed_through_a_forwarder_and_a_batch() public {
        Forwarder forwarder = new Forwarder();
        bytes memory release = abi.encodeCall(escrow.release, (_depositAuth()));
        bytes memory err = _unauthorized(address(forwarder), escrow.OPERATOR_ROLE());
        _held();
        bytes32 before = _fingerprint();
        bytes[] memory items = _list(abi.encodePacked(release, OPERATOR));
        bytes memory call = abi.encodeCall(escrow.batch, (items, GAS_EACH));
        vm.expectRevert(err);
        forwarder.forward(address(escrow), call, OPERATOR);
        vm.expectRevert(err);
        forwarder.forward(address(escrow), release, OPERATOR);
        call = abi.encodeCall(escrow.cancel, (_good(0)));
        vm.expectRevert(
            abi.encodeWithSelector(ReturnEscrow.ReturnEscrowNotHolder.selector, _good(0).line, address(forwarder))
        );
        forwarder.forward(address(escrow), call, customer);
        assertEq(_fingerprint(), before, "nothing moved");
    }

    /// @dev Even an operator's batch lets nobody speak in another's name: what belongs to holders, recipients and admins
    /// is no item, and the money sent along with a batch cannot be counted once per item.
    function test_operator_who_speaks_for_others_in_a_batch() public {
        _held();
        vm.warp(START + 7 days + 1);
        bytes[3] memory others = [
            abi.encodePacked(abi.encodeCall(escrow.reclaim, (_depositAuth(), OPERATOR)), customer),
            abi.encodePacked(abi.encodeCall(escrow.claim, (NATIVE, OPERATOR)), customer),
            abi.encodePacked(abi.encodeCall(escrow.fundFloat, (ACME, NATIVE, 1 ether)), customer)
        ];
        for (uint256 i = 0; i < others.length; ++i) {
            bytes memory err = abi.encodeWithSelector(Operated.BatchItemForbidden.selector, 0, bytes4(others[i]));
            _refused(OPERATOR, abi.encodeCall(escrow.batch, (_list(others[i]), GAS_EACH)), err);
        }
        bytes memory release = abi.encodePacked(abi.encodeCall(escrow.release, (_depositAuth())), STRANGER);
        assertEq(_run(_list(release)).length, 0, "an item with something at its end");
        assertEq(nft.ownerOf(7), customer, "does what it says without");
    }
}
