// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ReturnAuthorization} from "../src/ReturnAuthorization.sol";
import {ReturnEscrow, State} from "../src/ReturnEscrow.sol";
import {Signatures} from "../src/lib/Signatures.sol";
import {EscrowTest} from "./EscrowTest.sol";
import {ContractWallet} from "./mocks/Accounts.sol";

/// @notice Signatures of keys, of code (EIP-1271) and of keys that delegated to code (EIP-7702).
contract SignatureTest is EscrowTest {
    uint256 private constant SESSION_KEY = 0x5E55;

    function test_domain_is_readable() public view {
        (, string memory name, string memory version, uint256 chainId, address verifier,,) = escrow.eip712Domain();
        assertEq(name, "Undrop ReturnEscrow", "name");
        assertEq(version, "1", "version");
        assertEq(chainId, block.chainid, "chain");
        assertEq(verifier, address(escrow), "contract");
    }

    /// @dev Written out by hand from EIP-712, independent of the contract's helpers and of the struct's encoder.
    function testFuzz_digest_is_eip712(ReturnAuthorization memory auth) public view {
        bytes memory first = abi.encode(TYPEHASH, auth.line, auth.vault, auth.holder, auth.token, auth.tokenId);
        bytes memory second = abi.encode(auth.amount, auth.remedy, auth.asset, auth.refund, auth.recipient);
        bytes memory third = abi.encode(auth.deadline, auth.reclaimAfter, auth.commitUntil);
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Undrop ReturnEscrow"),
                keccak256("1"),
                block.chainid,
                address(escrow)
            )
        );
        bytes32 expected = keccak256(abi.encodePacked(hex"1901", domain, keccak256(bytes.concat(first, second, third))));
        assertEq(escrow.digestOf(auth), expected, "digest");
    }

    function test_takes_the_signature_of_a_key() public {
        ReturnAuthorization memory auth = _depositAuth();
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, escrow.digestOf(auth));
        assertTrue(v == 27 || v == 28, "the one form that is taken");
        _operate(abi.encodeCall(escrow.deposit, (auth, abi.encodePacked(r, s, v))));
        _assertState(LINE, State.Held);
    }

    function testFuzz_takes_the_signature_of_any_key(uint256 key) public {
        key = bound(key, 1, CURVE_ORDER - 1);
        ReturnAuthorization memory auth = _depositAuth();
        (auth.holder, auth.line) = (vm.addr(key), _line(vm.addr(key), UUID));
        vm.assume(auth.holder.code.length == 0);
        auth.tokenId = 100;
        _mintNft(auth.holder, 100);
        _operate(abi.encodeCall(escrow.deposit, (auth, _signWith(key, auth))));
        assertEq(nft.ownerOf(100), address(escrow), "in escrow");
    }

    function test_refuses_high_s() public {
        ReturnAuthorization memory auth = _depositAuth();
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, escrow.digestOf(auth));
        bytes32 twin = bytes32(CURVE_ORDER - uint256(s));
        bytes memory high = abi.encodePacked(r, twin, v == 27 ? uint8(28) : uint8(27));
        _refusedWith(auth, high, abi.encodeWithSelector(Signatures.SignatureHighS.selector, twin));
    }

    function test_refuses_wrong_lengths() public {
        ReturnAuthorization memory auth = _depositAuth();
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, escrow.digestOf(auth));
        _refusedAsNobodys(auth, "");
        _refusedAsNobodys(auth, abi.encodePacked(r, s));
        _refusedAsNobodys(auth, abi.encodePacked(r, s, v, uint8(0)));
        bytes32 compact = bytes32(uint256(s) | (uint256(v - 27) << 255));
        _refusedAsNobodys(auth, abi.encodePacked(r, compact));
    }

    function test_refuses_wrong_recovery_ids_and_zeros() public {
        ReturnAuthorization memory auth = _depositAuth();
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, escrow.digestOf(auth));
        _refusedAsNobodys(auth, abi.encodePacked(r, s, v - 27));
        _refusedAsNobodys(auth, abi.encodePacked(r, s, v + 8));
        _refusedAsNobodys(auth, abi.encodePacked(bytes32(0), bytes32(0), uint8(27)));
        _refusedAsNobodys(auth, new bytes(65));
    }

    function test_refuses_the_zero_address_as_holder() public {
        ReturnAuthorization memory auth = _depositAuth();
        auth.holder = address(0);
        bytes memory err = abi.encodeWithSelector(ReturnEscrow.ReturnEscrowForeignLine.selector, LINE, address(0));
        _refusedWith(auth, new bytes(65), err);
        auth.line = _line(address(0), UUID);
        _refusedAsNobodys(auth, abi.encodePacked(bytes32(0), bytes32(0), uint8(27)));
        _refusedAsNobodys(auth, "");
    }

    function test_refuses_another_signer_and_says_who() public {
        ReturnAuthorization memory auth = _depositAuth();
        bytes memory err = abi.encodeWithSelector(
            Signatures.SignatureInvalid.selector, customer, vm.addr(KEY + 1), escrow.digestOf(auth)
        );
        _refusedWith(auth, _signWith(KEY + 1, auth), err);
    }

    function test_refuses_a_signature_for_another_holder() public {
        ReturnAuthorization memory auth = _depositAuth();
        (auth.holder, auth.line) = (STRANGER, _line(STRANGER, UUID));
        bytes memory err =
            abi.encodeWithSelector(Signatures.SignatureInvalid.selector, STRANGER, customer, escrow.digestOf(auth));
        _refusedWith(auth, _sign(auth), err);
    }

    /// @dev Whatever field of the message anybody changes, the signature no longer fits.
    function testFuzz_refuses_any_changed_field(uint256 word, uint256 flip) public {
        ReturnAuthorization memory auth = _depositAuth();
        bytes memory signature = _sign(auth);
        word = bound(word, 0, 12);
        if (word == 0) auth.line ^= bytes32(bound(flip, 1, type(uint128).max));
        if (word == 1) auth.vault = BOLT;
        if (word == 2) (auth.holder, auth.line) = (STRANGER, _line(STRANGER, UUID));
        if (word == 3) auth.token = address(multi);
        if (word == 4) auth.tokenId ^= bound(flip, 1, type(uint256).max);
        if (word == 5) (auth.token, auth.tokenId, auth.amount) = (address(multi), 3, bound(flip, 2, 100));
        if (word == 6) auth.remedy = uint8(bound(flip, 1, 3));
        if (word == 7) auth.asset = address(uint160(bound(flip, 979, type(uint160).max)));
        if (word == 8) auth.refund ^= bound(flip, 1, type(uint256).max);
        if (word == 9) auth.recipient = OPERATOR;
        if (word == 10) auth.deadline += uint48(bound(flip, 1, 365 days));
        if (word == 11) auth.reclaimAfter -= uint48(bound(flip, 1, 6 days));
        if (word == 12) auth.commitUntil += uint48(bound(flip, 1, 365 days));
        _refusedWith(auth, signature, _signatureInvalid(auth.holder, escrow.digestOf(auth), signature));
    }

    /// @dev The same for the amount alone, of a token that has amounts.
    function testFuzz_refuses_another_amount(uint256 amount) public {
        ReturnAuthorization memory auth = _multiAuth(40);
        bytes memory signature = _sign(auth);
        auth.amount = bound(amount, 1, 100);
        vm.assume(auth.amount != 40);
        _refusedWith(auth, signature, _signatureInvalid(customer, escrow.digestOf(auth), signature));
    }

    function testFuzz_refuses_any_changed_signature(uint256 position, uint8 flip) public {
        vm.assume(flip != 0);
        bytes memory signature = _sign(_depositAuth());
        position = bound(position, 0, 64);
        signature[position] = bytes1(uint8(signature[position]) ^ flip);
        vm.prank(OPERATOR);
        (bool ok,) = address(escrow).call(abi.encodeCall(escrow.deposit, (_depositAuth(), signature)));
        assertFalse(ok, "must be refused");
        _assertState(LINE, State.None);
    }

    function test_refuses_a_signature_for_another_contract() public {
        ReturnEscrow other = new ReturnEscrow(_people());
        ReturnAuthorization memory auth = _depositAuth();
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, other.digestOf(auth));
        bytes memory foreign = abi.encodePacked(r, s, v);
        _refusedWith(auth, foreign, _signatureInvalid(customer, escrow.digestOf(auth), foreign));
    }

    function test_refuses_a_signature_for_another_chain() public {
        ReturnAuthorization memory auth = _depositAuth();
        bytes memory signature = _sign(auth);
        bytes32 home = escrow.digestOf(auth);
        vm.chainId(block.chainid + 1);
        assertFalse(escrow.digestOf(auth) == home, "the domain follows the chain");
        _refusedWith(auth, signature, _signatureInvalid(customer, escrow.digestOf(auth), signature));
    }

    function test_takes_what_a_contract_wallet_accepts_and_refuses_what_it_refuses() public {
        ContractWallet wallet = new ContractWallet(customer);
        _mintNft(address(wallet), 9);
        ReturnAuthorization memory auth = _walletAuth(address(wallet), 9);
        bytes memory wrong = _signWith(KEY + 1, auth);
        _refusedWith(auth, wrong, _signatureInvalid(address(wallet), escrow.digestOf(auth), wrong));
        _refusedAsNobodys(auth, "");
        _deposit(auth);
        assertEq(nft.ownerOf(9), address(escrow), "in escrow");
    }

    function test_a_wallet_that_answers_with_megabytes_is_refused() public {
        ContractWallet wallet = new ContractWallet(customer);
        wallet.setBroken();
        ReturnAuthorization memory auth = _walletAuth(address(wallet), 9);
        bytes memory signature = _sign(auth);
        _refusedWith(auth, signature, _signatureInvalid(address(wallet), escrow.digestOf(auth), signature));
    }

    function test_refuses_a_holder_whose_code_knows_no_signatures() public {
        address[3] memory wrong = [address(dollar), address(escrow), address(escrow.WALLET_DEPLOYER())];
        for (uint256 i = 0; i < wrong.length; ++i) {
            ReturnAuthorization memory auth = _walletAuth(wrong[i], 9);
            bytes memory signature = _sign(auth);
            _refusedWith(auth, signature, _signatureInvalid(wrong[i], escrow.digestOf(auth), signature));
        }
    }

    /// @dev The malleable twin is the wallet's own affair: it may take other signatures than those of keys.
    function test_high_s_for_a_contract_wallet_is_refused_by_the_wallet() public {
        ContractWallet wallet = new ContractWallet(customer);
        ReturnAuthorization memory auth = _walletAuth(address(wallet), 9);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, escrow.digestOf(auth));
        bytes memory high = abi.encodePacked(r, bytes32(CURVE_ORDER - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        _refusedAsNobodys(auth, high);
    }

    /// @dev EIP-7702: the key stays the master of the account, whatever code it delegated to.
    function test_a_delegated_holders_own_key_counts_whatever_its_code_says() public {
        _delegate(address(dollar));
        _held();
        assertEq(nft.ownerOf(7), address(escrow), "in escrow");
        vm.warp(START + 7 days + 1);
        vm.prank(customer);
        escrow.reclaim(_depositAuth(), customer);
        assertEq(nft.ownerOf(7), customer, "and back");
    }

    function test_a_delegated_holders_code_counts_too() public {
        _delegate(address(new ContractWallet(vm.addr(SESSION_KEY))));
        ReturnAuthorization memory auth = _depositAuth();
        bytes memory wrong = _signWith(KEY + 1, auth);
        _refusedWith(auth, wrong, _signatureInvalid(customer, escrow.digestOf(auth), wrong));
        _operate(abi.encodeCall(escrow.deposit, (auth, _signWith(SESSION_KEY, auth))));
        assertEq(nft.ownerOf(7), address(escrow), "by the session key that the code knows");
    }

    function test_a_delegation_that_is_gone_signs_no_more() public {
        _delegate(address(new ContractWallet(vm.addr(SESSION_KEY))));
        ReturnAuthorization memory auth = _depositAuth();
        bytes memory signature = _signWith(SESSION_KEY, auth);
        vm.etch(customer, "");
        _refusedWith(auth, signature, _signatureInvalid(customer, escrow.digestOf(auth), signature));
    }

    /// @dev What an EIP-7702 transaction leaves at the account: the mark, and whose code it runs.
    function _delegate(address code) private {
        vm.etch(customer, abi.encodePacked(hex"ef0100", code));
        assertEq(customer.code.length, 23, "delegated");
    }

    function _walletAuth(address wallet, uint256 tokenId) private view returns (ReturnAuthorization memory auth) {
        auth = _depositAuth();
        (auth.line, auth.holder, auth.tokenId) = (_line(wallet, UUID), wallet, tokenId);
    }

    function _refusedWith(ReturnAuthorization memory auth, bytes memory signature, bytes memory err) private {
        _refused(OPERATOR, abi.encodeCall(escrow.deposit, (auth, signature)), err);
        assertFalse(escrow.isUsed(auth), "a refused signature uses nothing up");
    }

    function _refusedAsNobodys(ReturnAuthorization memory auth, bytes memory signature) private {
        bytes memory err = abi.encodeWithSelector(
            Signatures.SignatureInvalid.selector, auth.holder, address(0), escrow.digestOf(auth)
        );
        _refusedWith(auth, signature, err);
    }
}
