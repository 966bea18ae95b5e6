// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ReturnableNFT} from "../src/ReturnableNFT.sol";
import {ReturnableOwnership} from "../src/ReturnableOwnership.sol";
import {Test} from "./Test.sol";
import {MoodyVault} from "./mocks/NftAccounts.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

/// @notice A collection with one token, 7, that a customer paid half a coin for; the escrow is an address here.
abstract contract NftTest is Test {
    uint256 internal constant START = 1_800_000_000;
    uint256 internal constant BLOCK = 20_000_000;
    uint256 internal constant KEY = 0xC0FFEE;
    uint256 internal constant PRICE = 0.5 ether;
    uint48 internal constant WINDOW = 14 days;
    uint256 internal constant BLOCKS = 100_800;
    address internal constant ESCROW = address(0xE1);
    address internal constant OTHER = address(0xA1);
    address internal constant STRANGER = address(0xD1);

    ReturnableNFT internal nft;
    MoodyVault internal vault;
    address internal customer;

    function setUp() public virtual {
        vm.warp(START);
        vm.roll(BLOCK);
        customer = vm.addr(KEY);
        vault = new MoodyVault();
        bytes memory args = abi.encode("Acme", "ACM", address(this), ESCROW, address(vault), WINDOW, OTHER, 500);
        nft = ReturnableNFT(_deployed("ReturnableNFT", args));
        _mint(customer, 7, PRICE);
    }

    function _mint(address to, uint256 id, uint256 price) internal {
        (address[] memory tos, uint256[] memory ids, uint256[] memory prices) = _batch(1);
        (tos[0], ids[0], prices[0]) = (to, id, price);
        nft.mintBatch(tos, ids, prices);
    }

    function _open(uint256 id) internal {
        vm.deal(address(this), nft.refundOf(id));
        nft.openRefunds{value: nft.refundOf(id)}(_ids(id), BLOCKS);
    }

    function _move(address from, address to, uint256 id) internal {
        vm.prank(from);
        nft.transferFrom(from, to, id);
    }

    /// @dev Of the customer, 1 coin each, ids from 100.
    function _batch(uint256 size)
        internal
        view
        returns (address[] memory to, uint256[] memory ids, uint256[] memory prices)
    {
        (to, ids, prices) = (new address[](size), new uint256[](size), new uint256[](size));
        for (uint256 i = 0; i < size; ++i) {
            (to[i], ids[i], prices[i]) = (customer, 100 + i, 1 ether);
        }
    }

    function _ids(uint256 id) internal pure returns (uint256[] memory ids) {
        ids = new uint256[](1);
        ids[0] = id;
    }

    function _permit(uint256 key, address spender, uint256 id, uint256 nonce, uint256 deadline)
        internal
        view
        returns (bytes32 r, bytes32 s, uint8 v)
    {
        bytes32 typeHash = keccak256("Permit(address spender,uint256 tokenId,uint256 nonce,uint256 deadline)");
        bytes32 structHash = keccak256(abi.encode(typeHash, spender, id, nonce, deadline));
        (v, r, s) = vm.sign(key, keccak256(abi.encodePacked(hex"1901", nft.DOMAIN_SEPARATOR(), structHash)));
    }

    /// @dev Zero if the token does not exist.
    function _ownerOf(uint256 id) internal view returns (address) {
        try nft.ownerOf(id) returns (address owner) {
            return owner;
        } catch {
            return address(0);
        }
    }

    /// @dev The call reverts with exactly this, and money, owner, nonce and drawer of token 7 are as before.
    function _refused(address caller, uint256 value, bytes memory data, bytes memory err) internal {
        bytes32 before = _state();
        if (value != 0) vm.deal(caller, value);
        vm.prank(caller);
        (bool ok, bytes memory reason) = address(nft).call{value: value}(data);
        assertFalse(ok, "refused");
        assertEq(reason, err, "for the right reason");
        assertEq(_state(), before, "nothing changed");
    }

    function _refused(address caller, bytes memory data, bytes memory err) internal {
        _refused(caller, 0, data, err);
    }

    function _state() private view returns (bytes32) {
        address owner = _ownerOf(7);
        uint256 deadline = owner == address(0) ? 0 : nft.refundDeadlineOf(7);
        address approved = owner == address(0) ? address(0) : nft.getApproved(7);
        return
            keccak256(
                abi.encode(address(nft).balance, address(vault).balance, owner, nft.nonces(7), deadline, approved)
            );
    }

    function _noToken(uint256 id) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, id);
    }

    function _noApproval(address spender, uint256 id) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IERC721Errors.ERC721InsufficientApproval.selector, spender, id);
    }

    function _noRole(address account, bytes32 role) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, account, role);
    }

    function _zeroAddress() internal pure returns (bytes memory) {
        return abi.encodeWithSelector(ReturnableOwnership.ReturnableNFTZeroAddress.selector);
    }
}
