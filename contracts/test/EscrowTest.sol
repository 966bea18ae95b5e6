// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {DeskAccess} from "../src/DeskAccess.sol";
import {MerchantFloat} from "../src/MerchantFloat.sol";
import {Remedy, ReturnAuthorization} from "../src/ReturnAuthorization.sol";
import {ReturnEscrow, State} from "../src/ReturnEscrow.sol";
import {ReturnableNFT} from "../src/ReturnableNFT.sol";
import {TestDollar} from "../src/TestDollar.sol";
import {TokenCustody} from "../src/TokenCustody.sol";
import {Signatures} from "../src/lib/Signatures.sol";
import {Test} from "./Test.sol";
import {Plain1155} from "./mocks/HonestTokens.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @notice Two merchants with floats, a customer with a token of each standard, and helpers that sign and compare.
abstract contract EscrowTest is Test {
    uint256 internal constant START = 1_800_000_000;
    uint256 internal constant UUID = 0x0191f1c0aaaa7bbb8cccddddeeeeffff;
    /// @dev Of the customer and {UUID}.
    bytes32 internal LINE;
    uint256 internal constant KEY = 0xC0FFEE;
    uint256 internal constant APPROVER_KEY = 0xA99;
    bytes32 internal constant TYPEHASH = keccak256(
        "ReturnAuthorization(bytes32 line,address vault,address holder,address token,uint256 tokenId,uint256 amount,uint8 remedy,address asset,uint256 refund,address recipient,uint48 deadline,uint48 reclaimAfter,uint48 commitUntil)"
    );
    uint256 internal constant CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    address internal constant NATIVE = 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE;
    address internal constant DEAD = 0x000000000000000000000000000000000000dEaD;
    address internal constant EURO = address(978);

    address internal constant ADMIN_A = address(0xA1);
    address internal constant ADMIN_B = address(0xA2);
    address internal constant OPERATOR = address(0xB1);
    address internal constant GUARDIAN = address(0xB2);
    address internal constant TREASURER = address(0xB3);
    address internal constant ACME = address(0xC1);
    address internal constant BOLT = address(0xC2);
    address internal constant STRANGER = address(0xD1);

    ReturnEscrow internal escrow;
    ReturnableNFT internal nft;
    Plain1155 internal multi;
    TestDollar internal dollar;
    address internal customer;
    address internal approver;

    function setUp() public virtual {
        vm.warp(START);
        (customer, approver) = (vm.addr(KEY), vm.addr(APPROVER_KEY));
        LINE = _line(customer, UUID);
        escrow = ReturnEscrow(_deployed("ReturnEscrow", abi.encode(_people())));
        bytes memory args = abi.encode("Acme", "ACM", address(this), address(escrow), ACME, 14 days, ACME, 500);
        nft = ReturnableNFT(_deployed("ReturnableNFT", args));
        multi = new Plain1155();
        dollar = new TestDollar(address(this));
        _change(abi.encodeCall(escrow.registerMerchant, (ACME)));
        _change(abi.encodeCall(escrow.registerMerchant, (BOLT)));
        for (uint256 i = 0; i < 2; ++i) {
            address vault = i == 0 ? ACME : BOLT;
            _limit(vault, address(dollar), 6, 100e6, 400e6);
            _limit(vault, NATIVE, 40, 1 ether, 4 ether);
            _limit(vault, EURO, 0, 100_00, 100_00);
        }
        _mintNft(customer, 7);
        multi.mint(customer, 3, 100);
        vm.prank(customer);
        multi.setApprovalForAll(address(escrow), true);
        _fund(ACME, 1000e6, 10 ether);
        _fund(BOLT, 1000e6, 10 ether);
    }

    function _people() internal view returns (DeskAccess.People memory) {
        return DeskAccess.People(ADMIN_A, ADMIN_B, OPERATOR, approver, GUARDIAN, TREASURER);
    }

    /// @dev The line of a holder: its address's last sixteen bytes, then the UUID.
    function _line(address holder, uint256 uuid) internal pure returns (bytes32) {
        return bytes32(uint256(uint128(uint160(holder))) << 128 | uuid);
    }

    /// @dev One admin proposes, the other confirms.
    function _change(bytes memory call) internal {
        vm.prank(ADMIN_A);
        escrow.propose(call);
        vm.prank(ADMIN_B);
        escrow.confirm(call);
    }

    /// @dev Limits in minor units, as far as units allow.
    function _limit(address vault, address asset, uint8 unit, uint256 single, uint256 daily) internal {
        _change(abi.encodeCall(escrow.setLimits, (vault, asset, unit, uint40(single >> unit), uint40(daily >> unit))));
    }

    function _mintNft(address to, uint256 tokenId) internal {
        (address[] memory tos, uint256[] memory ids, uint256[] memory prices) =
            (new address[](1), new uint256[](1), new uint256[](1));
        (tos[0], ids[0], prices[0]) = (to, tokenId, 0.5 ether);
        nft.mintBatch(tos, ids, prices);
    }

    function _fund(address vault, uint256 dollars, uint256 coin) internal {
        dollar.mint(address(this), dollars);
        dollar.approve(address(escrow), dollars);
        escrow.fundFloat(vault, address(dollar), dollars);
        vm.deal(address(this), coin);
        escrow.fundFloat{value: coin}(vault, NATIVE, coin);
    }

    /// @dev A deposit of token 7 for a refund to the card.
    function _depositAuth() internal view returns (ReturnAuthorization memory) {
        return ReturnAuthorization({
            line: LINE,
            vault: ACME,
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

    function _swap(ReturnAuthorization memory auth) internal {
        bytes memory signature = _sign(auth);
        vm.prank(OPERATOR);
        escrow.swap(auth, signature, "");
    }

    function _held() internal {
        _deposit(_depositAuth());
    }

    function _committed() internal {
        _held();
        vm.prank(OPERATOR);
        escrow.commit(_depositAuth(), "");
    }

    /// @dev What the second person signs for a refund, in the form that the contract takes.
    function _approve(ReturnAuthorization memory auth) internal view returns (bytes memory) {
        return
            _approveAs(
                APPROVER_KEY, MerchantFloat.Refund(auth.line, auth.vault, auth.asset, auth.refund, auth.recipient)
            );
    }

    function _approveAs(uint256 key, MerchantFloat.Refund memory refund) internal view returns (bytes memory) {
        uint48 deadline = uint48(START + 1 hours);
        bytes32 message = keccak256(abi.encode(escrow.APPROVAL_TYPEHASH(), refund, deadline));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, _typed(message));
        return abi.encodePacked(vm.addr(key), deadline, r, s, v);
    }

    /// @dev A payout without a token, from Acme's float to the customer.
    function _payout(uint256 id, address asset, uint256 amount) internal view returns (MerchantFloat.Refund memory) {
        return MerchantFloat.Refund(bytes32(id), ACME, asset, amount, customer);
    }

    function _payOut(MerchantFloat.Refund memory refund, bytes memory approval) internal {
        vm.prank(OPERATOR);
        escrow.payOut(refund, approval);
    }

    function _payOutRefused(MerchantFloat.Refund memory refund, bytes memory approval, bytes memory err) internal {
        State before = escrow.stateOf(refund.id);
        _refused(OPERATOR, abi.encodeCall(escrow.payOut, (refund, approval)), err);
        _assertState(refund.id, before);
    }

    /// @dev One admin proposes, and the other one's confirmation is refused.
    function _changeRefused(bytes memory call, bytes memory err) internal {
        vm.prank(ADMIN_A);
        escrow.propose(call);
        _refused(ADMIN_B, abi.encodeCall(escrow.confirm, (call)), err);
    }

    function _approvalMissing(MerchantFloat.Refund memory refund) internal pure returns (bytes memory) {
        return
            abi.encodeWithSelector(MerchantFloat.FloatApprovalMissing.selector, refund.id, refund.asset, refund.amount);
    }

    /// @dev EIP-712 over the domain that the escrow itself tells (EIP-5267).
    function _typed(bytes32 message) internal view returns (bytes32) {
        (, string memory name, string memory version, uint256 chainId, address target,,) = escrow.eip712Domain();
        bytes32 kind = keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        bytes32 domain = keccak256(abi.encode(kind, keccak256(bytes(name)), keccak256(bytes(version)), chainId, target));
        return keccak256(abi.encodePacked(hex"1901", domain, message));
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
        assertFalse(escrow.isUsed(auth), "a failed deposit leaves its authorization valid");
    }

    function _swapRefused(ReturnAuthorization memory auth, bytes memory err) internal {
        _refused(OPERATOR, abi.encodeCall(escrow.swap, (auth, _sign(auth), "")), err);
        assertFalse(escrow.isUsed(auth), "a failed swap leaves its authorization valid");
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
        bytes memory marks = abi.encode(escrow.stateOf(LINE), escrow.claimable(NATIVE, customer));
        return keccak256(abi.encode(floats, money, tokens, marks));
    }

    function _tooEarly(uint48 date) internal view returns (bytes memory) {
        return abi.encodeWithSelector(ReturnEscrow.ReturnEscrowReclaimTooEarly.selector, LINE, date);
    }

    function _wrongState(State state) internal view returns (bytes memory) {
        return abi.encodeWithSelector(ReturnEscrow.ReturnEscrowWrongState.selector, LINE, state);
    }

    function _floatTooLow(address vault, address asset, uint256 available, uint256 needed)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodeWithSelector(MerchantFloat.FloatTooLow.selector, vault, asset, available, needed);
    }

    function _unauthorized(address account, bytes32 role) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, account, role);
    }

    function _ownerOf(address token, uint256 tokenId) internal view returns (address) {
        (bool ok, bytes memory word) = token.staticcall(abi.encodeCall(IERC721.ownerOf, (tokenId)));
        return ok ? abi.decode(word, (address)) : address(0);
    }

    function _assertState(bytes32 line, State state) internal view {
        assertEq(uint256(escrow.stateOf(line)), uint256(state), "state");
    }

    /// @dev The operator's call goes through.
    function _operate(bytes memory call) internal {
        vm.prank(OPERATOR);
        (bool ok, bytes memory reason) = address(escrow).call(call);
        assertTrue(ok, vm.toString(reason));
    }

    function _pause() internal {
        vm.prank(GUARDIAN);
        escrow.pause();
    }

    /// @dev An amount of the ERC-1155 token 3, to be refunded to the card.
    function _multiAuth(uint256 amount) internal view returns (ReturnAuthorization memory auth) {
        auth = _depositAuth();
        (auth.token, auth.tokenId, auth.amount) = (address(multi), 3, amount);
    }

    /// @dev Token 7 against token 8, which the vault has to have.
    function _replacementAuth() internal view returns (ReturnAuthorization memory auth) {
        auth = _depositAuth();
        (auth.remedy, auth.asset, auth.refund) = (uint8(Remedy.Replacement), address(nft), 8);
    }

    /// @dev The struct hash by Solidity's own encoder, independent of the contract's.
    function _hash(ReturnAuthorization memory auth) internal pure returns (bytes32) {
        return keccak256(abi.encode(TYPEHASH, auth));
    }

    function _idUsed(bytes32 id, State state) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(ReturnEscrow.ReturnEscrowIdUsed.selector, id, state);
    }

    function _notHeld(address token, uint256 tokenId, address account, uint256 held)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodeWithSelector(TokenCustody.TokenNotHeld.selector, token, tokenId, account, held);
    }

    function _transferFailed(address token, uint256 tokenId, bytes memory reason) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(TokenCustody.TokenTransferFailed.selector, token, tokenId, reason);
    }

    function _wrongRemedy(uint8 remedy) internal view returns (bytes memory) {
        return abi.encodeWithSelector(ReturnEscrow.ReturnEscrowWrongRemedy.selector, LINE, remedy);
    }

    /// @dev What a signature that does not fit is refused with: it names whose key it was, if anybody's.
    function _signatureInvalid(address signer, bytes32 digest, bytes memory signature)
        internal
        pure
        returns (bytes memory)
    {
        (address recovered,,) = ECDSA.tryRecover(digest, signature);
        return abi.encodeWithSelector(Signatures.SignatureInvalid.selector, signer, recovered, digest);
    }
}
