// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {HoldState, ReturnAuthorization} from "../src/IReturnEscrow.sol";
import {ReturnableNFT} from "../src/ReturnableNFT.sol";
import {EscrowTest} from "./EscrowTest.sol";
import {RefusingRecipient} from "./mocks/Accounts.sol";

/// @notice Each test is a failure that was published in somebody's refund contract, and must not happen here.
contract PublishedFailuresTest is EscrowTest {
    /// @dev `hasRefunded[id] = true` comes first, and `refundOf(id)` then answers 0: the holder loses the token for
    /// nothing. Here the amount is the signed one, and `refundOf` depends on no flag.
    function test_refund_that_pays_0_because_the_flag_is_set_first() public {
        ReturnAuthorization memory auth = _swapAuth();
        (auth.asset, auth.refund) = (NATIVE, nft.refundOf(7));
        _swap(auth, PAYOUT);
        assertTrue(escrow.isUsed(escrow.digestOf(auth)), "marked");
        assertEq(customer.balance, 0.5 ether, "and paid in full");
        assertEq(nft.refundOf(7), 0.5 ether, "the price outlives the refund");
    }

    /// @dev A deadline in seconds compared with `block.number` lets the owner withdraw at once (or never).
    function test_timestamp_compared_with_block_number() public {
        _held();
        vm.roll(type(uint64).max);
        _refused(customer, abi.encodeCall(escrow.reclaim, (LINE)), _tooEarly(uint48(START + 7 days)));
        vm.roll(1);
        vm.warp(START + 7 days + 1);
        vm.prank(customer);
        escrow.reclaim(LINE);
        assertEq(nft.ownerOf(7), customer, "time passed, whatever the block number");
        assertEq(nft.returnableUntil(7), START + 14 days, "the desk goes by seconds, not blocks");
    }

    /// @dev Tokens sold in a presale, or minted by the owner, whose refund is 0 for ever.
    function test_tokens_that_never_become_refundable() public {
        vm.warp(START - 300 days);
        _mintNft(customer, 1001);
        vm.warp(START);
        _mintNft(customer, 1002);
        for (uint256 id = 1001; id <= 1002; ++id) {
            assertEq(nft.refundOf(id), 0.5 ether, "every token has a price");
            ReturnAuthorization memory auth = _swapAuth();
            (auth.line, auth.tokenId) = (bytes32(id), id);
            _swap(auth, bytes32(id));
            assertEq(nft.ownerOf(id), ACME_VAULT, "every token can be returned");
        }
        assertEq(dollar.balanceOf(customer), 100e6, "and is paid for");
    }

    /// @dev A batch with the same id fifteen times pays fifteen refunds for one token.
    function test_one_id_fifteen_times_in_a_batch() public {
        ReturnAuthorization memory auth = _swapAuth();
        bytes memory signature = _sign(auth);
        uint256 paid;
        for (uint256 i = 0; i < 15; ++i) {
            vm.prank(OPERATOR);
            try escrow.swapRefund(auth, signature, bytes32(i + 1)) {
                ++paid;
            } catch {}
        }
        assertEq(paid, 1, "one token, one refund");
        assertEq(dollar.balanceOf(customer), 50e6, "once");
    }

    /// @dev The same in a mint: one id, fifteen times.
    function test_one_id_fifteen_times_in_a_mint_batch() public {
        (address[] memory to, uint256[] memory ids, uint256[] memory prices) = _batchOf(15);
        for (uint256 i = 0; i < 15; ++i) {
            ids[i] = 2000;
        }
        vm.expectRevert(abi.encodeWithSelector(ReturnableNFT.ReturnableNFTAlreadyMinted.selector, 2000));
        nft.mintBatch(to, ids, prices);
        assertEq(_ownerOf(address(nft), 2000), address(0), "nothing was minted");
    }

    /// @dev The value of the last call, kept per buyer, becomes the refund of every token that the buyer has.
    function test_price_per_call_instead_of_per_token() public {
        (address[] memory to, uint256[] memory ids, uint256[] memory prices) = _batchOf(3);
        (prices[0], prices[1], prices[2]) = (1 ether, 2 ether, 0);
        nft.mintBatch(to, ids, prices);
        _mintNft(customer, 3000);
        assertEq(nft.refundOf(ids[0]), 1 ether, "first");
        assertEq(nft.refundOf(ids[1]), 2 ether, "second");
        assertEq(nft.refundOf(ids[2]), 0, "a gift is a gift");
        assertEq(nft.refundOf(3000), 0.5 ether, "a later call changes nothing");
    }

    /// @dev One pot for all payers: whoever decides can refund one payer with another's money, or pocket it.
    function test_arbiter_who_can_drain_other_payers() public {
        ReturnAuthorization memory auth = _swapAuth();
        auth.refund = 1000e6 + 1;
        bytes memory err = abi.encodeWithSelector(FLOAT_TOO_LOW, ACME, address(dollar), 1000e6, 1000e6 + 1);
        _swapRefused(auth, err);
        assertEq(escrow.floatOf(BOLT, address(dollar)), 1000e6, "the other merchant's float is untouched");

        auth = _swapAuth();
        bytes memory signature = _sign(auth);
        auth.recipient = OPERATOR;
        bytes memory call = abi.encodeCall(escrow.swapRefund, (auth, signature, PAYOUT));
        _refused(OPERATOR, call, abi.encodeWithSelector(INVALID_SIGNATURE, customer));

        call = abi.encodeCall(escrow.withdrawFloat, (BOLT, address(dollar), 1, OPERATOR));
        bytes32 role = escrow.TREASURER_ROLE();
        _refused(OPERATOR, call, abi.encodeWithSelector(UNAUTHORIZED, OPERATOR, role));
    }

    /// @dev What is owed to one recipient must not be in reach of a later withdrawal or refund.
    function test_arbiter_cannot_reach_a_reserved_claim() public {
        ReturnAuthorization memory auth = _swapAuth();
        RefusingRecipient refusing = new RefusingRecipient();
        (auth.asset, auth.refund, auth.recipient) = (NATIVE, 10 ether, address(refusing));
        _swap(auth, PAYOUT);
        bytes memory call = abi.encodeCall(escrow.withdrawFloat, (ACME, NATIVE, 1, TREASURER));
        _refused(TREASURER, call, abi.encodeWithSelector(FLOAT_TOO_LOW, ACME, NATIVE, 0, 1));
        assertEq(escrow.claimable(NATIVE, address(refusing)), 10 ether, "reserved");
        _assertState(LINE, HoldState.Settled);
    }

    function _batchOf(uint256 size)
        private
        view
        returns (address[] memory to, uint256[] memory ids, uint256[] memory prices)
    {
        (to, ids, prices) = (new address[](size), new uint256[](size), new uint256[](size));
        for (uint256 i = 0; i < size; ++i) {
            (to[i], ids[i], prices[i]) = (customer, 5000 + i, 1 ether);
        }
    }
}
