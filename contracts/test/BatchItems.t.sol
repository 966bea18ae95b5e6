// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MerchantFloat} from "../src/MerchantFloat.sol";
import {Remedy, ReturnAuthorization} from "../src/ReturnAuthorization.sol";
import {ReturnEscrow, State} from "../src/ReturnEscrow.sol";
import {TokenCustody} from "../src/TokenCustody.sol";
import {Signatures} from "../src/lib/Signatures.sol";
import {BatchRun} from "./BatchRun.sol";
import {HostileNFT, Malice} from "./mocks/HostileNFT.sol";

/// @notice One bad item of every kind among good ones: it alone fails, and says why.
contract BatchItemsTest is BatchRun {
    uint256 private constant KINDS = 24;
    uint256 private constant HOME = 31337;
    HostileNFT private _evil;

    struct Bad {
        bytes32 id;
        bytes call;
        bytes reason;
    }

    /// @dev Token 7 is held, so that its line is one that was used before.
    function setUp() public override {
        super.setUp();
        _held();
        _evil = new HostileNFT();
        _evil.turn(Malice.Reverts);
        vm.prank(customer);
        _evil.setApprovalForAll(address(escrow), true);
    }

    function test_one_bad_item_of_every_kind_fails_alone() public {
        bytes[] memory calls = new bytes[](2 * KINDS);
        Bad[] memory bads = new Bad[](KINDS);
        for (uint256 i = 0; i < KINDS; ++i) {
            bads[i] = _bad(i, 2 * i);
            (calls[2 * i], calls[2 * i + 1]) = (bads[i].call, _goodCall(2 * i + 1));
        }
        uint256 float = escrow.floatOf(ACME, address(dollar)).balance;
        Failure[] memory failures = _run(calls);
        assertEq(failures.length, KINDS, "every bad item");
        for (uint256 i = 0; i < KINDS; ++i) {
            _assertFailure(failures[i], bads[i].id, 2 * i, bads[i].call, bads[i].reason);
            _assertDeposited(2 * i + 1);
        }
        assertEq(escrow.floatOf(ACME, address(dollar)).balance, float, "nothing was paid");
        assertEq(nft.ownerOf(7), address(escrow), "the old hold is as it was");
        _assertState(LINE, State.Held);
    }

    function testFuzz_exactly_the_bad_items_fail(uint256 size, uint256 which, uint256 kinds) public {
        size = bound(size, 1, 12);
        bytes[] memory calls = new bytes[](size);
        Bad[] memory bads = new Bad[](size);
        uint256 count;
        for (uint256 i = 0; i < size; ++i) {
            if (which >> i & 1 == 0) {
                calls[i] = _goodCall(i);
                continue;
            }
            bads[i] = _bad(uint256(keccak256(abi.encode(kinds, i))) % KINDS, i);
            calls[i] = bads[i].call;
            ++count;
        }
        Failure[] memory failures = _run(calls);
        assertEq(failures.length, count, "exactly the bad ones");
        for (uint256 i = size; i > 0; --i) {
            if (which >> (i - 1) & 1 == 0) _assertDeposited(i - 1);
            else _assertFailure(failures[--count], bads[i - 1].id, i - 1, bads[i - 1].call, bads[i - 1].reason);
        }
        _assertState(LINE, State.Held);
    }

    function _bad(uint256 kind, uint256 i) private returns (Bad memory) {
        if (kind < 8) return _badSignature(kind, i);
        if (kind < 16) return _badField(kind, i);
        return _badMove(kind, i);
    }

    function _badSignature(uint256 kind, uint256 i) private returns (Bad memory bad) {
        ReturnAuthorization memory auth = _good(i);
        _mintNft(customer, auth.tokenId);
        bytes memory signature = _sign(auth);
        if (kind == 0) signature = _signElsewhere(auth);
        if (kind == 1) signature = _foreignSign(auth);
        if (kind == 2) signature = _signWith(KEY + 1, auth);
        if (kind == 3) signature = "";
        if (kind == 4) auth.refund += 1;
        if (kind == 5) signature = abi.encodePacked(signature, bytes32(0));
        if (kind == 6) (auth.holder, auth.line) = (address(0), _line(address(0), UUID + 1 + i));
        bytes memory reason = _signatureInvalid(auth.holder, escrow.digestOf(auth), signature);
        if (kind == 7) {
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, escrow.digestOf(auth));
            bytes32 twin = bytes32(CURVE_ORDER - uint256(s));
            signature = abi.encodePacked(r, twin, v == 27 ? uint8(28) : uint8(27));
            reason = abi.encodeWithSelector(Signatures.SignatureHighS.selector, twin);
        }
        return Bad(auth.line, abi.encodeCall(escrow.deposit, (auth, signature)), reason);
    }

    function _badField(uint256 kind, uint256 i) private returns (Bad memory) {
        ReturnAuthorization memory auth = _good(i);
        bytes memory reason;
        if (kind == 8) {
            auth.deadline = uint48(START - 1);
            reason = abi.encodeWithSelector(ReturnEscrow.ReturnEscrowDeadlinePassed.selector, auth.line, auth.deadline);
        }
        if (kind == 9) {
            auth.recipient = address(0);
            reason = abi.encodeWithSelector(MerchantFloat.FloatBadRecipient.selector, address(0));
        }
        if (kind == 10) {
            auth.vault = address(0);
            reason = abi.encodeWithSelector(MerchantFloat.MerchantUnknown.selector, address(0));
        }
        if (kind == 11) {
            auth.token = address(0);
            reason = abi.encodeWithSelector(TokenCustody.TokenUnsupported.selector, address(0));
        }
        if (kind == 12) {
            auth.token = STRANGER;
            reason = abi.encodeWithSelector(TokenCustody.TokenUnsupported.selector, STRANGER);
        }
        if (kind == 13) {
            _mintNft(STRANGER, auth.tokenId);
            reason = _notHeld(address(nft), auth.tokenId, customer, 0);
        }
        if (kind == 14) {
            _mintNft(customer, auth.tokenId);
            auth.amount = 2;
            reason = abi.encodeWithSelector(TokenCustody.TokenWrongAmount.selector, address(nft), 2);
        }
        if (kind == 15) {
            auth.line = _line(STRANGER, i);
            reason = abi.encodeWithSelector(ReturnEscrow.ReturnEscrowForeignLine.selector, auth.line, customer);
        }
        return Bad(auth.line, _depositCall(auth), reason);
    }

    function _badMove(uint256 kind, uint256 i) private returns (Bad memory bad) {
        ReturnAuthorization memory auth = _good(i);
        bad.id = auth.line;
        if (kind == 16) return Bad(LINE, _depositCall(_depositAuth()), _idUsed(LINE, State.Held));
        if (kind == 17) {
            bytes memory call = abi.encodeCall(escrow.settle, (_depositAuth(), ""));
            return Bad(LINE, call, _wrongState(State.Held));
        }
        if (kind == 18) {
            bad.call = abi.encodeCall(escrow.release, (auth));
            bad.reason = abi.encodeWithSelector(ReturnEscrow.ReturnEscrowWrongState.selector, auth.line, State.None);
        }
        if (kind == 19) {
            bytes memory call = abi.encodeCall(escrow.commit, (_swapAuth(), ""));
            return Bad(LINE, call, _wrongRemedy(uint8(Remedy.CryptoRefund)));
        }
        if (kind == 20) {
            _evil.mint(customer, auth.tokenId);
            auth.token = address(_evil);
            bad.call = _depositCall(auth);
            bad.reason =
                _transferFailed(address(_evil), auth.tokenId, abi.encodeWithSignature("Error(string)", "not today"));
        }
        if (kind == 21) {
            auth.remedy = uint8(Remedy.CryptoRefund);
            (auth.asset, auth.refund) = (address(dollar), 1000e6 + 1);
            bad.call = abi.encodeCall(escrow.swap, (auth, _sign(auth), ""));
            bad.reason = _floatTooLow(ACME, address(dollar), 1000e6, 1000e6 + 1);
        }
        if (kind == 22) {
            MerchantFloat.Refund memory refund = MerchantFloat.Refund(0, ACME, NATIVE, 1, customer);
            bytes memory reason = abi.encodeWithSelector(ReturnEscrow.ReturnEscrowBadPayoutId.selector, bytes32(0));
            return Bad(0, abi.encodeCall(escrow.payOut, (refund, "")), reason);
        }
        if (kind == 23) {
            auth = _depositAuth();
            auth.refund = 1;
            bytes memory reason =
                abi.encodeWithSelector(ReturnEscrow.ReturnEscrowOtherAuthorization.selector, LINE, _hash(auth));
            return Bad(LINE, abi.encodeCall(escrow.release, (auth)), reason);
        }
    }

    /// @dev Signed on another chain. Not back to `block.chainid` as it was before: the compiler holds it for constant.
    function _signElsewhere(ReturnAuthorization memory auth) private returns (bytes memory signature) {
        vm.chainId(HOME + 1);
        signature = _sign(auth);
        vm.chainId(HOME);
    }

    /// @dev Signed for another escrow.
    function _foreignSign(ReturnAuthorization memory auth) private returns (bytes memory signature) {
        ReturnEscrow home = escrow;
        escrow = new ReturnEscrow(_people());
        signature = _sign(auth);
        escrow = home;
    }
}
