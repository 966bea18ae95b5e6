// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Hold, HoldState, IReturnEscrow, Remedy, ReturnAuthorization} from "../src/IReturnEscrow.sol";
import {ReturnEscrow} from "../src/ReturnEscrow.sol";
import {ReturnableNFT} from "../src/ReturnableNFT.sol";
import {TestDollar} from "../src/TestDollar.sol";
import {Test} from "./Test.sol";
import {Plain1155} from "./mocks/HonestTokens.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";

/// @notice Two merchants with floats, a customer with a token of each standard, and helpers that sign and compare.
abstract contract EscrowTest is Test {
    uint256 internal constant START = 1_800_000_000;
    bytes32 internal constant ACME = "acme";
    bytes32 internal constant BOLT = "bolt";
    bytes32 internal constant LINE = bytes32(uint256(0x0191f1c0aaaa7bbb8cccddddeeeeffff));
    bytes32 internal constant PAYOUT = "payout-1";
    uint256 internal constant KEY = 0xC0FFEE;
    uint256 internal constant CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    address internal constant NATIVE = 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE;
    address internal constant DEAD = 0x000000000000000000000000000000000000dEaD;
    address internal constant EURO = address(978);

    address internal constant ADMIN_A = address(0xA1);
    address internal constant ADMIN_B = address(0xA2);
    address internal constant OPERATOR = address(0xB1);
    address internal constant GUARDIAN = address(0xB2);
    address internal constant TREASURER = address(0xB3);
    address internal constant ACME_VAULT = address(0xC1);
    address internal constant BOLT_VAULT = address(0xC2);
    address internal constant STRANGER = address(0xD1);

    bytes4 internal constant FLOAT_TOO_LOW = IReturnEscrow.ReturnEscrowFloatTooLow.selector;
    bytes4 internal constant INVALID_SIGNATURE = IReturnEscrow.ReturnEscrowInvalidSignature.selector;
    bytes4 internal constant UNAUTHORIZED = IAccessControl.AccessControlUnauthorizedAccount.selector;

    ReturnEscrow internal escrow;
    ReturnableNFT internal nft;
    Plain1155 internal multi;
    TestDollar internal dollar;
    address internal customer;

    function setUp() public virtual {
        vm.warp(START);
        customer = vm.addr(KEY);
        escrow = new ReturnEscrow(ADMIN_A, ADMIN_B, OPERATOR, GUARDIAN, TREASURER);
        nft = new ReturnableNFT("Acme", "ACM", address(this), address(escrow), ACME_VAULT, 14 days, ACME_VAULT, 500);
        multi = new Plain1155();
        dollar = new TestDollar(address(this));
        vm.startPrank(ADMIN_A);
        escrow.registerMerchant(ACME, ACME_VAULT);
        escrow.registerMerchant(BOLT, BOLT_VAULT);
        vm.stopPrank();
        _mintNft(customer, 7);
        multi.mint(customer, 3, 100);
        vm.prank(customer);
        multi.setApprovalForAll(address(escrow), true);
        _fund(ACME, 1000e6, 10 ether);
        _fund(BOLT, 1000e6, 10 ether);
    }

    function _mintNft(address to, uint256 tokenId) internal {
        (address[] memory tos, uint256[] memory ids, uint256[] memory prices) =
            (new address[](1), new uint256[](1), new uint256[](1));
        (tos[0], ids[0], prices[0]) = (to, tokenId, 0.5 ether);
        nft.mintBatch(tos, ids, prices);
    }

    function _fund(bytes32 merchant, uint256 dollars, uint256 coin) internal {
        dollar.mint(address(this), dollars);
        dollar.approve(address(escrow), dollars);
        escrow.fundFloat(merchant, address(dollar), dollars);
        vm.deal(address(this), coin);
        escrow.fundFloat{value: coin}(merchant, NATIVE, coin);
    }

    /// @dev A deposit of token 7 for a refund to the card.
    function _depositAuth() internal view returns (ReturnAuthorization memory) {
        return ReturnAuthorization({
            line: LINE,
            merchant: ACME,
            holder: customer,
            token: address(nft),
            tokenId: 7,
            amount: 1,
            remedy: uint8(Remedy.FiatRefund),
            asset: EURO,
            refund: 49_99,
            recipient: customer,
            deadline: uint48(START + 1 hours),
            reclaimAfter: uint48(START + 7 days),
            commitUntil: uint48(START + 30 days)
        });
    }

    /// @dev Token 7 against 50 dollars.
    function _swapAuth() internal view returns (ReturnAuthorization memory auth) {
        auth = _depositAuth();
        (auth.remedy, auth.asset, auth.refund) = (uint8(Remedy.CryptoRefund), address(dollar), 50e6);
    }

    function _sign(ReturnAuthorization memory auth) internal view returns (bytes memory) {
        return _signWith(KEY, auth);
    }

    function _signWith(uint256 key, ReturnAuthorization memory auth) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, escrow.digestOf(auth));
        return abi.encodePacked(r, s, v);
    }

    function _deposit(ReturnAuthorization memory auth) internal {
        bytes memory signature = _sign(auth);
        vm.prank(OPERATOR);
        escrow.deposit(auth, signature);
    }

    function _swap(ReturnAuthorization memory auth, bytes32 payoutId) internal {
        bytes memory signature = _sign(auth);
        vm.prank(OPERATOR);
        escrow.swapRefund(auth, signature, payoutId);
    }

    function _held() internal {
        _deposit(_depositAuth());
    }

    function _committed() internal {
        _held();
        vm.prank(OPERATOR);
        escrow.commit(LINE);
    }

    /// @dev The call is refused with exactly this error, and nothing that could be lost has changed.
    function _refused(address caller, bytes memory call, bytes memory err) internal {
        bytes32 before = _fingerprint();
        vm.prank(caller);
        (bool ok, bytes memory reason) = address(escrow).call(call);
        assertFalse(ok, "must be refused");
        assertEq(reason, err, "refused for another reason");
        assertEq(_fingerprint(), before, "a refusal changed something");
    }

    function _depositRefused(ReturnAuthorization memory auth, bytes memory err) internal {
        _refused(OPERATOR, abi.encodeCall(escrow.deposit, (auth, _sign(auth))), err);
        assertFalse(escrow.isUsed(escrow.digestOf(auth)), "a failed deposit leaves its authorization valid");
    }

    function _swapRefused(ReturnAuthorization memory auth, bytes memory err) internal {
        _refused(OPERATOR, abi.encodeCall(escrow.swapRefund, (auth, _sign(auth), PAYOUT)), err);
        assertFalse(escrow.isUsed(escrow.digestOf(auth)), "a failed swap leaves its authorization valid");
        assertFalse(escrow.isPaid(PAYOUT), "a failed swap leaves its payout id unused");
    }

    /// @dev Everything a customer or merchant of the fixture could lose.
    function _fingerprint() internal view returns (bytes32) {
        bytes memory floats = abi.encode(
            escrow.floatOf(ACME, address(dollar)),
            escrow.floatOf(ACME, NATIVE),
            escrow.floatOf(BOLT, address(dollar)),
            escrow.floatOf(BOLT, NATIVE)
        );
        bytes memory money = abi.encode(
            dollar.balanceOf(address(escrow)), address(escrow).balance, dollar.balanceOf(customer), customer.balance
        );
        bytes memory tokens =
            abi.encode(_ownerOf(address(nft), 7), multi.balanceOf(customer, 3), multi.balanceOf(address(escrow), 3));
        bytes memory marks = abi.encode(escrow.holdOf(LINE), escrow.isPaid(PAYOUT), escrow.claimable(NATIVE, customer));
        return keccak256(abi.encode(floats, money, tokens, marks));
    }

    function _tooEarly(uint48 date) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IReturnEscrow.ReturnEscrowReclaimTooEarly.selector, date);
    }

    function _wrongState(HoldState state) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IReturnEscrow.ReturnEscrowWrongState.selector, LINE, state);
    }

    function _unauthorized(address account, bytes32 role) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(UNAUTHORIZED, account, role);
    }

    function _ownerOf(address token, uint256 tokenId) internal view returns (address) {
        (bool ok, bytes memory word) = token.staticcall(abi.encodeCall(IERC721.ownerOf, (tokenId)));
        return ok ? abi.decode(word, (address)) : address(0);
    }

    function _assertState(bytes32 line, HoldState state) internal view {
        assertEq(escrow.holdOf(line).state, uint256(state), "state");
    }
}
