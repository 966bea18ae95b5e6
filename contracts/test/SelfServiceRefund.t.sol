// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC5507} from "../src/IERC5507.sol";
import {SelfServiceRefund} from "../src/SelfServiceRefund.sol";
import {NftTest} from "./NftTest.sol";
import {GreedyHolder, SigningWallet} from "./mocks/NftAccounts.sol";
import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

contract SelfServiceRefundTest is NftTest {
    function test_refund_pays_the_price_to_the_holder_and_the_token_goes_to_the_vault() public {
        _open(7);
        assertEq(nft.refundDeadlineOf(7), BLOCK + BLOCKS, "first block without refund");
        vm.expectEmit(address(nft));
        emit IERC5507.Refund(customer, 7);
        _refund(customer);
        assertEq(customer.balance, PRICE, "paid");
        assertEq(nft.ownerOf(7), address(vault), "returned");
        assertEq(address(nft).balance, 0, "nothing is left");
        assertEq(nft.nonces(7), 1, "a transfer like any other");
    }

    /// @dev `hasRefunded[id] = true` comes first, and `refundOf(id)` then answers 0: the token for nothing.
    function test_refund_that_pays_0_because_the_flag_is_set_first() public {
        _open(7);
        _refund(customer);
        assertEq(customer.balance, PRICE, "paid in full");
        assertEq(nft.refundOf(7), PRICE, "the price outlives the refund");
        assertEq(nft.refundDeadlineOf(7), 0, "which is closed");
    }

    /// @dev A deadline in seconds compared with `block.number` lets the owner withdraw at once, or never.
    function test_withdrawal_that_compares_a_timestamp_with_a_block_number() public {
        _open(7);
        vm.warp(START + 3650 days);
        _refused(STRANGER, _closeCall(7), _notOver(7, BLOCK + BLOCKS));
        vm.warp(1);
        vm.roll(BLOCK + BLOCKS - 1);
        _refused(STRANGER, _closeCall(7), _notOver(7, BLOCK + BLOCKS));
        vm.roll(BLOCK + BLOCKS);
        nft.closeRefunds(_ids(7));
        assertEq(address(vault).balance, PRICE, "blocks, whatever the clock says");
        assertEq(nft.returnableUntil(7), START + 14 days, "and seconds for the desk, whatever the block");
    }

    /// @dev And one that is set as the other: 14 days of seconds are a window, a Unix time is none.
    function test_a_unix_time_is_no_number_of_blocks() public {
        bytes memory call = abi.encodeCall(nft.openRefunds, (_ids(7), START + 14 days));
        _refused(address(this), PRICE, call, _badWindow(START + 14 days));
        _refused(address(this), PRICE, abi.encodeCall(nft.openRefunds, (_ids(7), 10_000_001)), _badWindow(10_000_001));
        _refused(address(this), PRICE, abi.encodeCall(nft.openRefunds, (_ids(7), 0)), _badWindow(0));
    }

    function test_the_longest_window_is_allowed() public {
        vm.deal(address(this), PRICE);
        nft.openRefunds{value: PRICE}(_ids(7), 10_000_000);
        assertEq(nft.refundDeadlineOf(7), BLOCK + 10_000_000, "deadline");
    }

    /// @dev Tokens sold in a presale, long before refunds are switched on.
    function test_presale_tokens_that_never_become_refundable() public {
        vm.warp(START - 300 days);
        vm.roll(BLOCK - 2_000_000);
        _mint(customer, 1001, 1 ether);
        vm.warp(START);
        vm.roll(BLOCK);
        assertEq(nft.refundOf(1001), 1 ether, "it has its price");
        _open(1001);
        assertEq(nft.refundDeadlineOf(1001), BLOCK + BLOCKS, "and a whole window");
        vm.prank(customer);
        nft.refund(1001);
        assertEq(customer.balance, 1 ether, "paid");
    }

    function test_last_block_is_the_one_before_the_deadline() public {
        _open(7);
        vm.roll(BLOCK + BLOCKS);
        _refused(customer, _refundCall(7), _inactive(7, BLOCK + BLOCKS, BLOCK + BLOCKS));
        vm.roll(BLOCK + BLOCKS - 1);
        _refund(customer);
        assertEq(customer.balance, PRICE, "paid");
    }

    function test_refund_goes_to_whoever_holds_the_token() public {
        _open(7);
        _move(customer, OTHER, 7);
        bytes memory err = abi.encodeWithSelector(IERC721Errors.ERC721InsufficientApproval.selector, customer, 7);
        _refused(customer, _refundCall(7), err);
        _refund(OTHER);
        assertEq(OTHER.balance, PRICE, "the holder");
    }

    function test_refund_from_pays_the_approved_caller() public {
        _open(7);
        _refused(STRANGER, abi.encodeCall(nft.refundFrom, (customer, 7)), _noApproval(STRANGER, 7));
        vm.prank(customer);
        nft.approve(STRANGER, 7);
        _refused(STRANGER, abi.encodeCall(nft.refundFrom, (OTHER, 7)), _incorrectOwner(OTHER, 7, customer));
        _refused(STRANGER, _refundCall(7), _incorrectOwner(STRANGER, 7, customer));
        vm.expectEmit(address(nft));
        emit IERC5507.RefundFrom(STRANGER, customer, 7);
        vm.prank(STRANGER);
        nft.refundFrom(customer, 7);
        assertEq(STRANGER.balance, PRICE, "the caller");
        assertEq(customer.balance, 0, "not the holder");
        assertEq(nft.ownerOf(7), address(vault), "returned");
    }

    function test_refuses_what_is_not_open() public {
        _refused(customer, _refundCall(7), _inactive(7, 0, BLOCK));
        _refused(customer, _refundCall(404), _noToken(404));
        _refused(STRANGER, _closeCall(7), _notOpen(7));
        _open(7);
        _refund(customer);
        _refused(STRANGER, _closeCall(7), _notOpen(7));
        _refused(address(vault), _refundCall(7), _inactive(7, 0, BLOCK));
    }

    function test_opening_takes_the_exact_sum_of_prices() public {
        uint256[] memory ids = new uint256[](2);
        (ids[0], ids[1]) = (7, 8);
        _mint(OTHER, 8, 2 ether);
        bytes memory call = abi.encodeCall(nft.openRefunds, (ids, BLOCKS));
        _refused(address(this), 2.5 ether - 1, call, _wrongFunding(2.5 ether - 1, 2.5 ether));
        _refused(address(this), 2.5 ether + 1, call, _wrongFunding(2.5 ether + 1, 2.5 ether));
        vm.deal(address(this), 2.5 ether);
        vm.expectEmit(address(nft));
        emit SelfServiceRefund.RefundOpened(7, PRICE, BLOCK + BLOCKS);
        nft.openRefunds{value: 2.5 ether}(ids, BLOCKS);
        assertEq(address(nft).balance, 2.5 ether, "both prices");
        assertEq(nft.refundDeadlineOf(8), BLOCK + BLOCKS, "both windows");
    }

    function test_opening_is_for_minters_and_tokens_that_cost_something() public {
        bytes memory call = abi.encodeCall(nft.openRefunds, (_ids(7), BLOCKS));
        _refused(STRANGER, PRICE, call, _noRole(STRANGER, nft.MINTER_ROLE()));
        _mint(customer, 8, 0);
        _refused(address(this), abi.encodeCall(nft.openRefunds, (_ids(8), BLOCKS)), _notRefundable(8, 0));
        _refused(address(this), abi.encodeCall(nft.openRefunds, (_ids(404), BLOCKS)), _noToken(404));
        _refused(address(this), abi.encodeCall(nft.openRefunds, (new uint256[](0), BLOCKS)), _emptyBatch());
        _refused(STRANGER, abi.encodeCall(nft.closeRefunds, (new uint256[](0))), _emptyBatch());
    }

    function test_opening_twice_takes_no_second_price() public {
        uint256[] memory twice = new uint256[](2);
        (twice[0], twice[1]) = (7, 7);
        bytes memory open =
            abi.encodeWithSelector(SelfServiceRefund.ReturnableNFTRefundOpen.selector, 7, BLOCK + BLOCKS);
        _refused(address(this), 2 * PRICE, abi.encodeCall(nft.openRefunds, (twice, BLOCKS)), open);
        _open(7);
        _refused(address(this), PRICE, abi.encodeCall(nft.openRefunds, (_ids(7), BLOCKS)), open);
        vm.roll(BLOCK + BLOCKS);
        _refused(STRANGER, abi.encodeCall(nft.closeRefunds, (twice)), _notOpen(7));
        nft.closeRefunds(_ids(7));
        _open(7);
        assertEq(nft.refundDeadlineOf(7), BLOCK + 2 * BLOCKS, "once it is closed it can be opened again");
    }

    /// @dev The pool cannot be pulled out from under open refunds: not by any role, not by the vault.
    function test_nobody_reaches_the_money_of_an_open_refund() public {
        _open(7);
        address[4] memory callers = [address(this), address(vault), ESCROW, STRANGER];
        for (uint256 i = 0; i < 4; ++i) {
            _refused(callers[i], _closeCall(7), _notOver(7, BLOCK + BLOCKS));
            _refused(
                callers[i],
                _refundCall(7),
                callers[i] == ESCROW ? _incorrectOwner(ESCROW, 7, customer) : _noApproval(callers[i], 7)
            );
        }
        _move(customer, OTHER, 7);
        _refused(address(this), _closeCall(7), _notOver(7, BLOCK + BLOCKS));
        _refund(OTHER);
        assertEq(OTHER.balance, PRICE, "it is the holder's");
    }

    function test_a_return_through_the_escrow_ends_self_service() public {
        _open(7);
        vm.prank(ESCROW);
        nft.transferFrom(customer, ESCROW, 7);
        _refused(STRANGER, _closeCall(7), _notOver(7, BLOCK + BLOCKS));
        _move(ESCROW, address(vault), 7);
        assertEq(nft.refundDeadlineOf(7), 0, "over");
        _move(address(vault), OTHER, 7);
        _refused(OTHER, _refundCall(7), _inactive(7, 0, BLOCK));
        _refused(address(this), PRICE, abi.encodeCall(nft.openRefunds, (_ids(7), BLOCKS)), _notRefundable(7, PRICE));
        vm.expectEmit(address(nft));
        emit SelfServiceRefund.RefundClosed(7, PRICE);
        nft.closeRefunds(_ids(7));
        assertEq(address(vault).balance, PRICE, "the merchant, who paid at the desk");
    }

    function test_a_token_that_the_escrow_gives_back_stays_open() public {
        _open(7);
        vm.prank(ESCROW);
        nft.transferFrom(customer, ESCROW, 7);
        _move(ESCROW, customer, 7);
        _refund(customer);
        assertEq(customer.balance, PRICE, "paid");
    }

    function test_a_burn_ends_self_service() public {
        _open(7);
        vm.prank(customer);
        nft.burn(7);
        nft.closeRefunds(_ids(7));
        assertEq(address(vault).balance, PRICE, "the only other way");
    }

    function test_a_replacement_inherits_the_open_refund() public {
        _open(7);
        _move(customer, address(vault), 7);
        nft.mintReplacement(customer, 8, 7);
        assertEq(nft.refundDeadlineOf(8), BLOCK + BLOCKS, "the same deadline");
        _refused(STRANGER, _closeCall(7), _notOpen(7));
        _refused(STRANGER, _closeCall(8), _notOver(8, BLOCK + BLOCKS));
        vm.prank(customer);
        nft.refund(8);
        assertEq(customer.balance, PRICE, "paid once");
        assertEq(address(nft).balance, 0, "nothing is left");
    }

    function test_a_holder_that_refuses_coin_keeps_the_token() public {
        SigningWallet wallet = new SigningWallet(customer);
        _move(customer, address(wallet), 7);
        _open(7);
        vm.expectRevert(_coinRefused(address(wallet)));
        wallet.giveBack(nft, 7);
        assertEq(nft.ownerOf(7), address(wallet), "nothing moved");
        assertEq(nft.refundDeadlineOf(7), BLOCK + BLOCKS, "still open");
        assertEq(address(nft).balance, PRICE, "still paid for");
    }

    function test_a_vault_that_refuses_coin_loses_nothing() public {
        _open(7);
        vm.roll(BLOCK + BLOCKS);
        vault.setClosed(true);
        _refused(STRANGER, _closeCall(7), _coinRefused(address(vault)));
        vault.setClosed(false);
        nft.closeRefunds(_ids(7));
        assertEq(address(vault).balance, PRICE, "later");
    }

    function test_a_holder_that_reenters_is_paid_once() public {
        GreedyHolder greedy = new GreedyHolder(nft, 7);
        _move(customer, address(greedy), 7);
        _mint(OTHER, 8, 2 ether);
        _open(8);
        _open(7);
        greedy.giveBack();
        assertEq(greedy.tries(), 1, "tried");
        assertFalse(greedy.gotMore(), "in vain");
        assertEq(address(greedy).balance, PRICE, "once");
        assertEq(address(nft).balance, 2 ether, "the other token's money is untouched");
    }

    function test_takes_no_coin_without_a_purpose() public {
        _refused(STRANGER, 1, "", "");
        assertEq(address(nft).balance, 0, "nothing strands here");
    }

    function testFuzz_each_token_pays_exactly_its_price(uint96[6] memory given, uint256 returned) public {
        uint256[] memory ids = _mintPriced(given);
        uint256 total = _sum(given);
        vm.deal(address(this), total);
        nft.openRefunds{value: total}(ids, BLOCKS);
        for (uint256 i = 0; i < 6; ++i) {
            if ((returned >> i) & 1 == 0) continue;
            uint256 before = customer.balance;
            vm.prank(customer);
            nft.refund(ids[i]);
            assertEq(customer.balance - before, nft.refundOf(ids[i]), "its price");
            total -= nft.refundOf(ids[i]);
            assertEq(address(nft).balance, total, "the others' stay");
        }
    }

    function _mintPriced(uint96[6] memory given) private returns (uint256[] memory ids) {
        address[] memory to;
        uint256[] memory prices;
        (to, ids, prices) = _batch(6);
        for (uint256 i = 0; i < 6; ++i) {
            if (given[i] == 0) given[i] = 1;
            prices[i] = given[i];
        }
        nft.mintBatch(to, ids, prices);
    }

    function _sum(uint96[6] memory given) private pure returns (uint256 total) {
        for (uint256 i = 0; i < 6; ++i) {
            total += given[i];
        }
    }

    function _refund(address holder) private {
        vm.prank(holder);
        nft.refund(7);
    }

    function _refundCall(uint256 id) private view returns (bytes memory) {
        return abi.encodeCall(nft.refund, (id));
    }

    function _closeCall(uint256 id) private view returns (bytes memory) {
        return abi.encodeCall(nft.closeRefunds, (_ids(id)));
    }

    function _inactive(uint256 id, uint256 deadline, uint256 current) private pure returns (bytes memory) {
        return abi.encodeWithSelector(SelfServiceRefund.ReturnableNFTRefundInactive.selector, id, deadline, current);
    }

    function _notOver(uint256 id, uint256 deadline) private pure returns (bytes memory) {
        return abi.encodeWithSelector(SelfServiceRefund.ReturnableNFTRefundNotOver.selector, id, deadline);
    }

    function _notOpen(uint256 id) private pure returns (bytes memory) {
        return abi.encodeWithSelector(SelfServiceRefund.ReturnableNFTRefundNotOpen.selector, id);
    }

    function _notRefundable(uint256 id, uint256 price) private pure returns (bytes memory) {
        return abi.encodeWithSelector(SelfServiceRefund.ReturnableNFTNotRefundable.selector, id, price);
    }

    function _badWindow(uint256 blocks) private pure returns (bytes memory) {
        return abi.encodeWithSelector(SelfServiceRefund.ReturnableNFTBadRefundWindow.selector, blocks, 10_000_000);
    }

    function _wrongFunding(uint256 sent, uint256 needed) private pure returns (bytes memory) {
        return abi.encodeWithSelector(SelfServiceRefund.ReturnableNFTWrongFunding.selector, sent, needed);
    }

    function _coinRefused(address receiver) private pure returns (bytes memory) {
        return abi.encodeWithSelector(SelfServiceRefund.ReturnableNFTCoinRefused.selector, receiver, PRICE);
    }

    function _emptyBatch() private pure returns (bytes memory) {
        return abi.encodeWithSelector(SelfServiceRefund.ReturnableNFTEmptyBatch.selector);
    }

    function _incorrectOwner(address sender, uint256 id, address owner) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IERC721Errors.ERC721IncorrectOwner.selector, sender, id, owner);
    }
}
