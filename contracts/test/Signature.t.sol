// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IReturnEscrow, ReturnAuthorization} from "../src/IReturnEscrow.sol";
import {ReturnEscrow} from "../src/ReturnEscrow.sol";
import {EscrowTest} from "./EscrowTest.sol";
import {ContractWallet} from "./mocks/Accounts.sol";

contract SignatureTest is EscrowTest {
    function test_domain_is_readable() public view {
        (, string memory name, string memory version, uint256 chainId, address verifier,,) = escrow.eip712Domain();
        assertEq(name, "Undrop ReturnEscrow", "name");
        assertEq(version, "1", "version");
        assertEq(chainId, block.chainid, "chain");
        assertEq(verifier, address(escrow), "contract");
    }

    /// @dev Written out by hand from EIP-712, independent of the contract's helpers and of the struct's encoder.
    function testFuzz_digest_is_eip712(ReturnAuthorization memory auth) public view {
        bytes32 typeHash = keccak256(
            "ReturnAuthorization(bytes32 line,bytes32 merchant,address holder,address token,uint256 tokenId,uint256 amount,uint8 remedy,address asset,uint256 refund,address recipient,uint48 deadline,uint48 reclaimAfter,uint48 commitUntil)"
        );
        bytes memory first = abi.encode(typeHash, auth.line, auth.merchant, auth.holder, auth.token, auth.tokenId);
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

    function test_refuses_high_s() public {
        ReturnAuthorization memory auth = _depositAuth();
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, escrow.digestOf(auth));
        bytes memory high = abi.encodePacked(r, bytes32(CURVE_ORDER - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        _signatureRefused(auth, high);
    }

    function test_refuses_wrong_lengths() public {
        ReturnAuthorization memory auth = _depositAuth();
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, escrow.digestOf(auth));
        _signatureRefused(auth, "");
        _signatureRefused(auth, abi.encodePacked(r, s));
        _signatureRefused(auth, abi.encodePacked(r, s, v, uint8(0)));
        bytes32 compact = bytes32(uint256(s) | (uint256(v - 27) << 255));
        _signatureRefused(auth, abi.encodePacked(r, compact));
    }

    function test_refuses_wrong_recovery_ids_and_zeros() public {
        ReturnAuthorization memory auth = _depositAuth();
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, escrow.digestOf(auth));
        _signatureRefused(auth, abi.encodePacked(r, s, v - 27));
        _signatureRefused(auth, abi.encodePacked(bytes32(0), bytes32(0), uint8(27)));
        auth.holder = address(0);
        _signatureRefused(auth, abi.encodePacked(bytes32(0), bytes32(0), uint8(27)));
    }

    function test_refuses_another_signer() public {
        ReturnAuthorization memory auth = _depositAuth();
        _signatureRefused(auth, _signWith(KEY + 1, auth));
    }

    /// @dev Whatever word of the message the operator changes, the signature no longer fits.
    function testFuzz_refuses_any_changed_field(uint256 word, uint256 flip) public {
        ReturnAuthorization memory auth = _depositAuth();
        bytes memory signature = _sign(auth);
        word = bound(word, 0, 12);
        if (word == 0) auth.line ^= bytes32(bound(flip, 1, type(uint256).max));
        if (word == 1) auth.merchant = BOLT;
        if (word == 2) auth.holder = STRANGER;
        if (word == 3) auth.token = address(multi);
        if (word == 4) auth.tokenId = 8;
        if (word == 5) (auth.token, auth.tokenId, auth.amount) = (address(multi), 3, bound(flip, 2, 100));
        if (word == 6) auth.remedy = 2;
        if (word == 7) auth.asset = address(840);
        if (word == 8) auth.refund += bound(flip, 1, 1e18);
        if (word == 9) auth.recipient = OPERATOR;
        if (word == 10) auth.deadline += uint48(bound(flip, 1, 365 days));
        if (word == 11) auth.reclaimAfter -= uint48(bound(flip, 1, 6 days));
        if (word == 12) auth.commitUntil += uint48(bound(flip, 1, 365 days));
        _signatureRefused(auth, signature);
    }

    function test_refuses_a_signature_for_another_contract() public {
        ReturnEscrow other = new ReturnEscrow(ADMIN_A, ADMIN_B, OPERATOR, GUARDIAN, TREASURER);
        ReturnAuthorization memory auth = _depositAuth();
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, other.digestOf(auth));
        _signatureRefused(auth, abi.encodePacked(r, s, v));
    }

    function test_refuses_a_signature_for_another_chain() public {
        ReturnAuthorization memory auth = _depositAuth();
        bytes memory signature = _sign(auth);
        vm.chainId(block.chainid + 1);
        _signatureRefused(auth, signature);
    }

    function test_refuses_what_a_contract_wallet_refuses() public {
        ContractWallet wallet = new ContractWallet(STRANGER);
        ReturnAuthorization memory auth = _depositAuth();
        auth.holder = address(wallet);
        _signatureRefused(auth, _sign(auth));
        wallet.setBroken();
        _signatureRefused(auth, _sign(auth));
    }

    function test_refuses_a_holder_whose_code_knows_no_signatures() public {
        ReturnAuthorization memory auth = _depositAuth();
        auth.holder = address(dollar);
        _signatureRefused(auth, _sign(auth));
        auth.holder = address(escrow);
        _signatureRefused(auth, _sign(auth));
    }

    function test_holder_cancels_its_authorization_also_while_paused() public {
        vm.prank(GUARDIAN);
        escrow.pause();
        ReturnAuthorization memory auth = _depositAuth();
        bytes32 digest = escrow.digestOf(auth);
        vm.expectEmit(address(escrow));
        emit IReturnEscrow.AuthorizationCanceled(LINE, digest);
        vm.prank(customer);
        escrow.cancelAuthorization(auth);
        assertTrue(escrow.isUsed(digest), "unusable");
        vm.prank(GUARDIAN);
        escrow.unpause();
        bytes memory used = abi.encodeWithSelector(IReturnEscrow.ReturnEscrowAuthorizationUsed.selector, digest);
        _refused(OPERATOR, abi.encodeCall(escrow.deposit, (auth, _sign(auth))), used);
        _refused(customer, abi.encodeCall(escrow.cancelAuthorization, (auth)), used);
    }

    function test_another_authorization_for_the_line_survives_the_cancel() public {
        ReturnAuthorization memory auth = _depositAuth();
        vm.prank(customer);
        escrow.cancelAuthorization(auth);
        auth.deadline += 1;
        _deposit(auth);
        assertEq(nft.ownerOf(7), address(escrow), "the new one counts");
    }

    function test_nobody_else_cancels() public {
        ReturnAuthorization memory auth = _depositAuth();
        bytes memory err =
            abi.encodeWithSelector(IReturnEscrow.ReturnEscrowNotHolder.selector, address(nft), 7, OPERATOR);
        _refused(OPERATOR, abi.encodeCall(escrow.cancelAuthorization, (auth)), err);
        assertFalse(escrow.isUsed(escrow.digestOf(auth)), "still valid");
    }

    function _signatureRefused(ReturnAuthorization memory auth, bytes memory signature) private {
        bytes memory call = abi.encodeCall(escrow.deposit, (auth, signature));
        _refused(OPERATOR, call, abi.encodeWithSelector(INVALID_SIGNATURE, auth.holder));
        assertFalse(escrow.isUsed(escrow.digestOf(auth)), "a refused signature uses nothing up");
    }
}
