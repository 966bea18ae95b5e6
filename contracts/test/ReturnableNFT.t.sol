// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC4494} from "../src/IERC4494.sol";
import {ReturnableNFT} from "../src/ReturnableNFT.sol";
import {EscrowTest} from "./EscrowTest.sol";
import {ContractWallet} from "./mocks/Accounts.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";

contract ReturnableNFTTest is EscrowTest {
    function test_mints_with_a_price_and_a_deadline_per_token() public {
        (address[] memory to, uint256[] memory ids, uint256[] memory prices) = _batch(2);
        (to[1], prices[1]) = (STRANGER, type(uint128).max);
        nft.mintBatch(to, ids, prices);
        assertEq(nft.ownerOf(ids[1]), STRANGER, "owner");
        assertEq(nft.refundOf(ids[0]), 1 ether, "price");
        assertEq(nft.refundOf(ids[1]), type(uint128).max, "highest price");
        assertEq(nft.refundDeadlineOf(ids[0]), START + 14 days, "deadline");
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
        assertEq(_ownerOf(address(nft), ids[0]), address(0), "all or nothing");
    }

    function test_an_id_is_minted_once_ever_also_after_its_burn() public {
        (address[] memory to, uint256[] memory ids, uint256[] memory prices) = _batch(1);
        ids[0] = 7;
        bytes memory err = abi.encodeWithSelector(ReturnableNFT.ReturnableNFTAlreadyMinted.selector, 7);
        _mintRefused(to, ids, prices, err);
        vm.prank(customer);
        nft.burn(7);
        _mintRefused(to, ids, prices, err);
    }

    function test_only_the_minter_mints_and_can_hand_over() public {
        (address[] memory to, uint256[] memory ids, uint256[] memory prices) = _batch(1);
        bytes32 role = nft.MINTER_ROLE();
        vm.prank(STRANGER);
        vm.expectRevert(_unauthorized(STRANGER, role));
        nft.mintBatch(to, ids, prices);
        nft.grantRole(role, STRANGER);
        nft.renounceRole(role, address(this));
        vm.prank(STRANGER);
        nft.mintBatch(to, ids, prices);
        _mintRefused(to, ids, prices, _unauthorized(address(this), role));
    }

    function test_constructor_refuses_nobody() public {
        bytes memory err = abi.encodeWithSelector(ReturnableNFT.ReturnableNFTZeroAddress.selector);
        vm.expectRevert(err);
        new ReturnableNFT("A", "A", address(0), address(escrow), 1, address(0), 0);
        vm.expectRevert(err);
        new ReturnableNFT("A", "A", address(this), address(0), 1, address(0), 0);
    }

    function test_burns_for_owner_and_approved_only() public {
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSignature("ERC721InsufficientApproval(address,uint256)", STRANGER, 7));
        nft.burn(7);
        vm.prank(customer);
        nft.approve(STRANGER, 7);
        vm.prank(STRANGER);
        nft.burn(7);
        bytes memory gone = abi.encodeWithSignature("ERC721NonexistentToken(uint256)", 7);
        vm.expectRevert(gone);
        nft.refundOf(7);
        vm.expectRevert(gone);
        nft.refundDeadlineOf(7);
        vm.expectRevert(gone);
        nft.burn(7);
    }

    function test_royalties() public {
        (address receiver, uint256 royalty) = nft.royaltyInfo(7, 10_000);
        assertEq(receiver, ACME_VAULT, "receiver");
        assertEq(royalty, 500, "five percent");
        ReturnableNFT free = new ReturnableNFT("A", "A", address(this), address(escrow), 1, address(0), 500);
        (receiver, royalty) = free.royaltyInfo(7, 10_000);
        assertEq(royalty, 0, "none without a receiver");
    }

    function test_declares_its_interfaces() public view {
        bytes4[6] memory ids = [bytes4(0x01ffc9a7), 0x80ac58cd, 0x5b5e139f, 0x2a55205a, 0x5604e225, 0x7965db0b];
        for (uint256 i = 0; i < ids.length; ++i) {
            assertTrue(nft.supportsInterface(ids[i]), "ERC-165, 721, metadata, 2981, 4494, access control");
        }
        assertFalse(nft.supportsInterface(0xffffffff), "not everything");
    }

    function test_escrow_is_approved_until_the_owner_switches_it_off() public {
        assertTrue(nft.isApprovedForAll(customer, address(escrow)), "on by default");
        assertFalse(nft.isApprovedForAll(customer, STRANGER), "nobody else");
        vm.expectEmit(address(nft));
        emit IERC721.ApprovalForAll(customer, address(escrow), false);
        vm.prank(customer);
        nft.setEscrowApproval(false);
        assertFalse(nft.isApprovedForAll(customer, address(escrow)), "off");
        assertTrue(nft.isApprovedForAll(STRANGER, address(escrow)), "for this owner only");
        vm.prank(address(escrow));
        vm.expectRevert(abi.encodeWithSignature("ERC721InsufficientApproval(address,uint256)", address(escrow), 7));
        nft.transferFrom(customer, address(escrow), 7);
        vm.prank(customer);
        nft.setEscrowApproval(true);
        assertTrue(nft.isApprovedForAll(customer, address(escrow)), "on again");
    }

    function test_a_wallets_own_revoke_button_is_the_same_switch() public {
        vm.prank(customer);
        nft.setApprovalForAll(address(escrow), false);
        assertFalse(nft.isApprovedForAll(customer, address(escrow)), "off");
        vm.prank(customer);
        nft.setApprovalForAll(STRANGER, true);
        assertTrue(nft.isApprovedForAll(customer, STRANGER), "ordinary operators as ever");
        assertFalse(nft.isApprovedForAll(customer, address(escrow)), "still off");
    }

    function test_permit_approves_one_token_once() public {
        bytes memory signature = _permit(KEY, STRANGER, 7, 0, START);
        nft.permit(STRANGER, 7, START, signature);
        assertEq(nft.getApproved(7), STRANGER, "approved");
        assertEq(nft.nonces(7), 1, "nonce");
        _permitRefused(START, signature);
    }

    function test_permit_dies_with_a_transfer_also_if_the_token_comes_back() public {
        bytes memory signature = _permit(KEY, STRANGER, 7, 0, START);
        vm.prank(customer);
        nft.transferFrom(customer, ADMIN_A, 7);
        vm.prank(ADMIN_A);
        nft.transferFrom(ADMIN_A, customer, 7);
        assertEq(nft.nonces(7), 2, "every transfer counts");
        _permitRefused(START, signature);
    }

    function test_permit_refuses_expiry_strangers_high_s_and_unknown_tokens() public {
        _permitRefused(START, _permit(KEY + 1, STRANGER, 7, 0, START));
        _permitRefused(START, _permit(KEY, ADMIN_A, 7, 0, START));
        bytes memory good = _permit(KEY, STRANGER, 7, 0, START);
        (bytes32 r, bytes32 s) = (_word(good, 0), _word(good, 32));
        uint8 v = uint8(good[64]) == 27 ? 28 : 27;
        _permitRefused(START, abi.encodePacked(r, bytes32(CURVE_ORDER - uint256(s)), v));
        vm.expectRevert(abi.encodeWithSignature("ERC721NonexistentToken(uint256)", 404));
        nft.permit(STRANGER, 404, START, good);
        vm.warp(START + 1);
        vm.expectRevert(abi.encodeWithSelector(ReturnableNFT.ReturnableNFTPermitExpired.selector, START));
        nft.permit(STRANGER, 7, START, good);
    }

    function test_permit_by_a_contract_wallet() public {
        ContractWallet wallet = new ContractWallet(customer);
        _mintNft(address(wallet), 9);
        nft.permit(STRANGER, 9, START, _permit(KEY, STRANGER, 9, 0, START));
        assertEq(nft.getApproved(9), STRANGER, "approved");
    }

    function _permit(uint256 key, address spender, uint256 tokenId, uint256 nonce, uint256 deadline)
        private
        view
        returns (bytes memory)
    {
        bytes32 typeHash = keccak256("Permit(address spender,uint256 tokenId,uint256 nonce,uint256 deadline)");
        bytes32 structHash = keccak256(abi.encode(typeHash, spender, tokenId, nonce, deadline));
        bytes32 domain = IERC4494(address(nft)).DOMAIN_SEPARATOR();
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, keccak256(abi.encodePacked(hex"1901", domain, structHash)));
        return abi.encodePacked(r, s, v);
    }

    function _permitRefused(uint256 deadline, bytes memory signature) private {
        (uint256 nonce, address approved) = (nft.nonces(7), nft.getApproved(7));
        vm.expectRevert(abi.encodeWithSelector(ReturnableNFT.ReturnableNFTInvalidPermit.selector, 7, customer));
        nft.permit(STRANGER, 7, deadline, signature);
        assertEq(nft.nonces(7), nonce, "no nonce is used up");
        assertEq(nft.getApproved(7), approved, "nobody new is approved");
    }

    function _word(bytes memory data, uint256 offset) private pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := mload(add(add(data, 0x20), offset))
        }
    }

    function _batch(uint256 size)
        private
        view
        returns (address[] memory to, uint256[] memory ids, uint256[] memory prices)
    {
        (to, ids, prices) = (new address[](size), new uint256[](size), new uint256[](size));
        for (uint256 i = 0; i < size; ++i) {
            (to[i], ids[i], prices[i]) = (customer, 100 + i, 1 ether);
        }
    }

    function _mintRefused(address[] memory to, uint256[] memory ids, uint256[] memory prices, bytes memory err)
        private
    {
        vm.expectRevert(err);
        nft.mintBatch(to, ids, prices);
    }

    function _badBatch(uint256 receivers, uint256 ids, uint256 prices) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ReturnableNFT.ReturnableNFTBadBatch.selector, receivers, ids, prices);
    }
}
