// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ReturnableNFT} from "../src/ReturnableNFT.sol";
import {NftTest} from "./NftTest.sol";
import {SigningWallet} from "./mocks/NftAccounts.sol";
import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";

interface Etch {
    function etch(address account, bytes calldata code) external;
}

contract ReturnableNFTTest is NftTest {
    uint256 private constant CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;

    function test_mints_with_a_price_and_a_last_day_per_token() public {
        (address[] memory to, uint256[] memory ids, uint256[] memory prices) = _batch(2);
        (to[1], prices[1]) = (STRANGER, type(uint128).max);
        nft.mintBatch(to, ids, prices);
        assertEq(nft.ownerOf(ids[1]), STRANGER, "owner");
        assertEq(nft.refundOf(ids[0]), 1 ether, "price");
        assertEq(nft.refundOf(ids[1]), type(uint128).max, "highest price");
        assertEq(nft.returnableUntil(ids[0]), START + 14 days, "last second of the right of return");
        assertEq(nft.refundDeadlineOf(ids[0]), 0, "no self-service unless it is opened");
    }

    function test_refuses_bad_batches() public {
        (address[] memory to, uint256[] memory ids, uint256[] memory prices) = _batch(2);
        (address[] memory none,,) = _batch(0);
        (address[] memory three, uint256[] memory ids3,) = _batch(3);
        _mintRefused(none, new uint256[](0), new uint256[](0), _badBatch(0, 0, 0));
        _mintRefused(three, ids, prices, _badBatch(3, 2, 2));
        _mintRefused(to, ids3, prices, _badBatch(2, 3, 2));
        _mintRefused(to, ids, ids3, _badBatch(2, 2, 3));
        prices[1] = uint256(type(uint128).max) + 1;
        _mintRefused(
            to, ids, prices, abi.encodeWithSelector(ReturnableNFT.ReturnableNFTPriceTooHigh.selector, ids[1], prices[1])
        );
        (to[1], prices[1]) = (address(0), 1);
        _mintRefused(to, ids, prices, abi.encodeWithSelector(IERC721Errors.ERC721InvalidReceiver.selector, address(0)));
        assertEq(_ownerOf(ids[0]), address(0), "all or nothing");
    }

    function test_one_id_fifteen_times_in_a_batch() public {
        (address[] memory to, uint256[] memory ids, uint256[] memory prices) = _batch(15);
        for (uint256 i = 0; i < 15; ++i) {
            ids[i] = 2000;
        }
        _mintRefused(to, ids, prices, _alreadyMinted(2000));
        assertEq(_ownerOf(2000), address(0), "nothing was minted");
        assertEq(nft.balanceOf(customer), 1, "nor counted");
    }

    function testFuzz_any_repetition_in_a_batch_mints_nothing(uint256 size, uint256 first, uint256 second) public {
        size = bound(size, 2, 20);
        (first, second) = (bound(first, 0, size - 1), bound(second, 0, size - 1));
        vm.assume(first != second);
        (address[] memory to, uint256[] memory ids, uint256[] memory prices) = _batch(size);
        ids[first] = ids[second];
        _mintRefused(to, ids, prices, _alreadyMinted(ids[second]));
        assertEq(nft.balanceOf(customer), 1, "nothing was minted");
    }

    function test_an_id_is_minted_once_ever_also_after_its_burn() public {
        (address[] memory to, uint256[] memory ids, uint256[] memory prices) = _batch(1);
        ids[0] = 7;
        _mintRefused(to, ids, prices, _alreadyMinted(7));
        vm.prank(customer);
        nft.burn(7);
        _mintRefused(to, ids, prices, _alreadyMinted(7));
        assertEq(_ownerOf(7), address(0), "gone for good");
    }

    /// @dev Whoever pays, and whatever later calls say, each token keeps its own price.
    function test_price_per_call_instead_of_per_token() public {
        (address[] memory to, uint256[] memory ids, uint256[] memory prices) = _batch(3);
        (prices[0], prices[1], prices[2]) = (1 ether, 2 ether, 0);
        nft.mintBatch(to, ids, prices);
        _mint(customer, 3000, 9 ether);
        assertEq(nft.refundOf(ids[0]), 1 ether, "first");
        assertEq(nft.refundOf(ids[1]), 2 ether, "second");
        assertEq(nft.refundOf(ids[2]), 0, "a gift is a gift");
        assertEq(nft.refundOf(7), PRICE, "an earlier call's");
    }

    function testFuzz_the_price_is_kept_per_token(uint128[8] memory given) public {
        (address[] memory to, uint256[] memory ids, uint256[] memory prices) = _batch(8);
        for (uint256 i = 0; i < 8; ++i) {
            prices[i] = given[i];
        }
        nft.mintBatch(to, ids, prices);
        for (uint256 i = 0; i < 8; ++i) {
            assertEq(nft.refundOf(ids[i]), given[i], "price");
        }
    }

    function test_only_the_minter_mints_and_can_hand_over() public {
        (address[] memory to, uint256[] memory ids, uint256[] memory prices) = _batch(1);
        bytes32 role = nft.MINTER_ROLE();
        bytes memory call = abi.encodeCall(nft.mintBatch, (to, ids, prices));
        _refused(STRANGER, call, _noRole(STRANGER, role));
        _refused(ESCROW, call, _noRole(ESCROW, role));
        nft.grantRole(role, STRANGER);
        nft.renounceRole(role, address(this));
        vm.prank(STRANGER);
        nft.mintBatch(to, ids, prices);
        _mintRefused(to, ids, prices, _noRole(address(this), role));
    }

    function test_constructor_refuses_nobody() public {
        vm.expectRevert(_zeroAddress());
        new ReturnableNFT("A", "A", address(0), ESCROW, OTHER, 1, address(0), 0);
        vm.expectRevert(_zeroAddress());
        new ReturnableNFT("A", "A", OTHER, address(0), OTHER, 1, address(0), 0);
        vm.expectRevert(_zeroAddress());
        new ReturnableNFT("A", "A", OTHER, ESCROW, address(0), 1, address(0), 0);
    }

    function test_burns_for_owner_and_approved_only() public {
        _refused(STRANGER, abi.encodeCall(nft.burn, (7)), _noApproval(STRANGER, 7));
        vm.prank(customer);
        nft.approve(STRANGER, 7);
        vm.prank(STRANGER);
        nft.burn(7);
        assertEq(nft.balanceOf(customer), 0, "counted");
        _refused(customer, abi.encodeCall(nft.burn, (7)), _noToken(7));
        _refused(customer, abi.encodeCall(nft.refundOf, (7)), _noToken(7));
        _refused(customer, abi.encodeCall(nft.returnableUntil, (7)), _noToken(7));
        _refused(customer, abi.encodeCall(nft.refundDeadlineOf, (7)), _noToken(7));
    }

    function test_the_escrow_burns_what_it_holds() public {
        _pull(ESCROW, customer, ESCROW);
        vm.prank(ESCROW);
        nft.burn(7);
        assertEq(_ownerOf(7), address(0), "burned");
        assertEq(nft.balanceOf(ESCROW), 0, "counted");
    }

    function test_royalties() public {
        (address receiver, uint256 royalty) = nft.royaltyInfo(7, 10_000);
        assertEq(receiver, OTHER, "receiver");
        assertEq(royalty, 500, "five percent");
        ReturnableNFT free = new ReturnableNFT("A", "A", OTHER, ESCROW, OTHER, 1, address(0), 500);
        (receiver, royalty) = free.royaltyInfo(7, 10_000);
        assertEq(royalty, 0, "none without a receiver");
    }

    function test_declares_its_interfaces() public view {
        bytes4[8] memory ids =
            [bytes4(0x01ffc9a7), 0x80ac58cd, 0x5b5e139f, 0x2a55205a, 0x5604e225, 0x7965db0b, 0xe97f3c83, 0x54a15145];
        for (uint256 i = 0; i < ids.length; ++i) {
            assertTrue(nft.supportsInterface(ids[i]), "ERC-165, 721, metadata, 2981, 4494, access control, 5507 twice");
        }
        assertFalse(nft.supportsInterface(0xffffffff), "not everything");
    }

    function test_its_signing_domain_can_be_read() public view {
        (bytes1 fields, string memory name, string memory version, uint256 chain, address home,,) = nft.eip712Domain();
        assertEq(bytes32(fields), bytes32(bytes1(0x0f)), "four fields (EIP-5267)");
        assertEq(name, "Acme", "name");
        assertEq(version, "1", "version");
        assertEq(chain, block.chainid, "chain");
        assertEq(home, address(nft), "contract");
    }

    function test_escrow_is_approved_until_the_owner_switches_it_off() public {
        assertTrue(nft.isApprovedForAll(customer, ESCROW), "on by default");
        assertFalse(nft.isApprovedForAll(customer, STRANGER), "nobody else");
        vm.expectEmit(address(nft));
        emit IERC721.ApprovalForAll(customer, ESCROW, false);
        vm.prank(customer);
        nft.setEscrowApproval(false);
        assertFalse(nft.isApprovedForAll(customer, ESCROW), "off");
        assertTrue(nft.isApprovedForAll(STRANGER, ESCROW), "for this owner only");
        bytes memory pull = abi.encodeCall(nft.transferFrom, (customer, ESCROW, 7));
        _refused(ESCROW, pull, _noApproval(ESCROW, 7));
        vm.prank(customer);
        nft.setEscrowApproval(true);
        _pull(ESCROW, customer, ESCROW);
        assertEq(nft.ownerOf(7), ESCROW, "on again");
    }

    /// @dev Approved for everybody's tokens, it was approved for those of nobody: moving one would have made it.
    function test_the_escrow_cannot_move_or_burn_a_token_that_does_not_exist() public {
        assertFalse(nft.isApprovedForAll(address(0), ESCROW), "nobody approves");
        _refused(ESCROW, abi.encodeCall(nft.transferFrom, (address(0), ESCROW, 404)), _noToken(404));
        _refused(ESCROW, abi.encodeCall(nft.burn, (404)), _noToken(404));
        vm.prank(customer);
        nft.burn(7);
        _refused(ESCROW, abi.encodeCall(nft.transferFrom, (address(0), ESCROW, 7)), _noToken(7));
        _refused(ESCROW, abi.encodeCall(nft.refundFrom, (address(0), 7)), _noToken(7));
        assertEq(nft.balanceOf(ESCROW), 0, "nothing came of it");
    }

    function test_a_wallets_own_revoke_button_is_the_same_switch() public {
        vm.prank(customer);
        nft.setApprovalForAll(ESCROW, false);
        assertFalse(nft.isApprovedForAll(customer, ESCROW), "off");
        vm.prank(customer);
        nft.setApprovalForAll(STRANGER, true);
        assertTrue(nft.isApprovedForAll(customer, STRANGER), "ordinary operators as ever");
        assertFalse(nft.isApprovedForAll(customer, ESCROW), "still off");
        _move(customer, OTHER, 7);
        _move(OTHER, customer, 7);
        assertFalse(nft.isApprovedForAll(customer, ESCROW), "and stays off when tokens come and go");
        assertEq(nft.balanceOf(customer), 1, "balance beside it");
    }

    function test_switched_off_the_escrow_can_still_be_approved_for_one_token() public {
        vm.prank(customer);
        nft.setEscrowApproval(false);
        vm.prank(customer);
        nft.approve(ESCROW, 7);
        _pull(ESCROW, customer, ESCROW);
        assertEq(nft.ownerOf(7), ESCROW, "pulled");
    }

    function test_permit_approves_one_token_once() public {
        bytes memory signature = _signed(KEY, STRANGER, 7, 0, START);
        vm.expectEmit(address(nft));
        emit IERC721.Approval(customer, STRANGER, 7);
        nft.permit(STRANGER, 7, START, signature);
        assertEq(nft.getApproved(7), STRANGER, "approved");
        assertEq(nft.nonces(7), 1, "nonce");
        _permitRefused(START, signature);
        _pull(STRANGER, customer, OTHER);
        assertEq(nft.getApproved(7), address(0), "for one transfer");
    }

    function test_permit_dies_with_a_transfer_also_if_the_token_comes_back() public {
        bytes memory signature = _signed(KEY, STRANGER, 7, 0, START);
        _move(customer, OTHER, 7);
        _move(OTHER, customer, 7);
        assertEq(nft.nonces(7), 2, "every transfer counts");
        _permitRefused(START, signature);
        _move(customer, customer, 7);
        assertEq(nft.nonces(7), 3, "also one to oneself");
    }

    function test_permit_dies_with_a_trip_through_escrow_or_vault() public {
        bytes memory signature = _signed(KEY, STRANGER, 7, 0, START);
        _pull(ESCROW, customer, ESCROW);
        _move(ESCROW, customer, 7);
        _permitRefused(START, signature);
        signature = _signed(KEY, STRANGER, 7, 2, START);
        _move(customer, address(vault), 7);
        _move(address(vault), customer, 7);
        _permitRefused(START, signature);
        assertEq(nft.nonces(7), 4, "the mark of a returned token is no part of its nonce");
        nft.permit(STRANGER, 7, START, _signed(KEY, STRANGER, 7, 4, START));
        assertEq(nft.getApproved(7), STRANGER, "a new one works");
        assertEq(nft.nonces(7), 5, "and is used up");
    }

    function test_approval_dies_with_a_transfer_also_if_the_token_comes_back() public {
        vm.prank(customer);
        nft.approve(STRANGER, 7);
        _move(customer, OTHER, 7);
        _move(OTHER, customer, 7);
        assertEq(nft.getApproved(7), address(0), "void");
        _refused(STRANGER, abi.encodeCall(nft.transferFrom, (customer, STRANGER, 7)), _noApproval(STRANGER, 7));
    }

    function test_approves_for_owner_and_operators_only() public {
        bytes memory err = abi.encodeWithSelector(IERC721Errors.ERC721InvalidApprover.selector, STRANGER);
        _refused(STRANGER, abi.encodeCall(nft.approve, (STRANGER, 7)), err);
        _refused(STRANGER, abi.encodeCall(nft.approve, (STRANGER, 404)), _noToken(404));
        vm.prank(customer);
        nft.setApprovalForAll(STRANGER, true);
        vm.prank(STRANGER);
        nft.approve(OTHER, 7);
        assertEq(nft.getApproved(7), OTHER, "by an operator");
    }

    function test_permit_refuses_expiry_strangers_high_s_and_unknown_tokens() public {
        _permitRefused(START, _signed(KEY + 1, STRANGER, 7, 0, START));
        _permitRefused(START, _signed(KEY, OTHER, 7, 0, START));
        _permitRefused(START, _signed(KEY, STRANGER, 7, 1, START));
        (bytes32 r, bytes32 s, uint8 v) = _permit(KEY, STRANGER, 7, 0, START);
        _permitRefused(START, abi.encodePacked(r, bytes32(CURVE_ORDER - uint256(s)), v == 27 ? 28 : 27));
        _permitRefused(START, "");
        bytes memory good = abi.encodePacked(r, s, v);
        vm.expectRevert(_noToken(404));
        nft.permit(STRANGER, 404, START, good);
        vm.warp(START + 1);
        bytes memory err = abi.encodeWithSelector(ReturnableNFT.ReturnableNFTPermitExpired.selector, START);
        _refused(STRANGER, abi.encodeCall(nft.permit, (STRANGER, 7, START, good)), err);
    }

    function test_permit_in_64_bytes() public {
        (bytes32 r, bytes32 s, uint8 v) = _permit(KEY, STRANGER, 7, 0, START);
        nft.permit(STRANGER, 7, START, abi.encodePacked(r, bytes32(uint256(s) | (uint256(v - 27) << 255))));
        assertEq(nft.getApproved(7), STRANGER, "ERC-2098, as ERC-4494 has it");
    }

    function test_permit_by_a_contract_wallet() public {
        SigningWallet wallet = new SigningWallet(customer);
        _mint(address(wallet), 9, 0);
        nft.permit(STRANGER, 9, START, _signed(KEY, STRANGER, 9, 0, START));
        assertEq(nft.getApproved(9), STRANGER, "approved");
        bytes memory foreign = _signed(KEY + 1, STRANGER, 9, 1, START);
        vm.expectRevert(abi.encodeWithSelector(ReturnableNFT.ReturnableNFTInvalidPermit.selector, 9, address(wallet)));
        nft.permit(STRANGER, 9, START, foreign);
        assertEq(nft.nonces(9), 1, "no nonce is used up");
    }

    function test_permit_by_the_key_of_a_delegated_account() public {
        bytes memory signature = _signed(KEY, STRANGER, 7, 0, START);
        Etch(address(vm)).etch(customer, abi.encodePacked(hex"ef0100", address(vault)));
        nft.permit(STRANGER, 7, START, signature);
        assertEq(nft.getApproved(7), STRANGER, "the borrowed code (EIP-7702) knows no signatures");
    }

    function test_replaces_a_returned_token_with_its_price_and_last_day() public {
        _pull(ESCROW, customer, address(vault));
        vm.warp(START + 10 days);
        vm.expectEmit(address(nft));
        emit ReturnableNFT.Replaced(7, 8, customer);
        nft.mintReplacement(customer, 8, 7);
        assertEq(nft.ownerOf(8), customer, "minted");
        assertEq(nft.refundOf(8), PRICE, "the price");
        assertEq(nft.returnableUntil(8), START + 14 days, "an exchange does not start the window again");
        assertEq(nft.ownerOf(7), address(vault), "the vault has the old one");
        bytes memory err = abi.encodeWithSelector(ReturnableNFT.ReturnableNFTAlreadyReplaced.selector, 7);
        _refused(address(this), abi.encodeCall(nft.mintReplacement, (customer, 9, 7)), err);
    }

    function test_the_escrow_replaces_a_burned_token() public {
        vm.prank(customer);
        nft.burn(7);
        vm.prank(ESCROW);
        nft.mintReplacement(OTHER, 8, 7);
        assertEq(nft.ownerOf(8), OTHER, "minted");
        assertEq(nft.refundOf(8), PRICE, "the price outlives the burn");
    }

    function test_a_replacement_can_be_replaced_in_its_turn() public {
        _move(customer, address(vault), 7);
        nft.mintReplacement(customer, 8, 7);
        _move(customer, address(vault), 8);
        nft.mintReplacement(customer, 9, 8);
        assertEq(nft.refundOf(9), PRICE, "the first price");
        assertEq(nft.returnableUntil(9), START + 14 days, "the first last day");
    }

    function test_refuses_replacements_by_strangers_of_kept_and_unknown_tokens() public {
        bytes32 role = nft.MINTER_ROLE();
        _refused(STRANGER, abi.encodeCall(nft.mintReplacement, (STRANGER, 8, 7)), _noRole(STRANGER, role));
        _refused(address(this), abi.encodeCall(nft.mintReplacement, (customer, 8, 7)), _notReturned(7, customer));
        _refused(address(this), abi.encodeCall(nft.mintReplacement, (customer, 8, 404)), _notReturned(404, address(0)));
        _pull(ESCROW, customer, ESCROW);
        _refused(address(this), abi.encodeCall(nft.mintReplacement, (customer, 8, 7)), _notReturned(7, ESCROW));
        _move(ESCROW, address(vault), 7);
        _refused(address(this), abi.encodeCall(nft.mintReplacement, (customer, 7, 7)), _alreadyMinted(7));
        _move(address(vault), OTHER, 7);
        _refused(address(this), abi.encodeCall(nft.mintReplacement, (customer, 8, 7)), _notReturned(7, OTHER));
        assertEq(_ownerOf(8), address(0), "nothing was minted");
    }

    function _pull(address operator, address from, address to) private {
        vm.prank(operator);
        nft.transferFrom(from, to, 7);
    }

    function _signed(uint256 key, address spender, uint256 id, uint256 nonce, uint256 deadline)
        private
        view
        returns (bytes memory)
    {
        (bytes32 r, bytes32 s, uint8 v) = _permit(key, spender, id, nonce, deadline);
        return abi.encodePacked(r, s, v);
    }

    function _permitRefused(uint256 deadline, bytes memory signature) private {
        bytes memory err = abi.encodeWithSelector(ReturnableNFT.ReturnableNFTInvalidPermit.selector, 7, customer);
        _refused(STRANGER, abi.encodeCall(nft.permit, (STRANGER, 7, deadline, signature)), err);
    }

    function _mintRefused(address[] memory to, uint256[] memory ids, uint256[] memory prices, bytes memory err)
        private
    {
        _refused(address(this), abi.encodeCall(nft.mintBatch, (to, ids, prices)), err);
    }

    function _badBatch(uint256 receivers, uint256 ids, uint256 prices) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ReturnableNFT.ReturnableNFTBadBatch.selector, receivers, ids, prices);
    }

    function _alreadyMinted(uint256 id) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ReturnableNFT.ReturnableNFTAlreadyMinted.selector, id);
    }

    function _notReturned(uint256 id, address holder) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ReturnableNFT.ReturnableNFTNotReturned.selector, id, holder);
    }
}
