// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Operated} from "../src/Operated.sol";
import {ReturnAuthorization} from "../src/ReturnAuthorization.sol";
import {State} from "../src/ReturnEscrow.sol";
import {EscrowTest} from "./EscrowTest.sol";
import {Vm} from "./Test.sol";

/// @notice Runs batches and reads from the log what failed in them.
abstract contract BatchRun is EscrowTest {
    uint256 internal constant GAS_EACH = 400_000;

    struct Failure {
        bytes32 id;
        uint256 index;
        bytes4 selector;
        bytes reason;
    }

    /// @dev The deposit of one more token of the customer, under a line of its own.
    function _good(uint256 i) internal view returns (ReturnAuthorization memory auth) {
        auth = _depositAuth();
        (auth.line, auth.tokenId) = (_line(customer, UUID + 1 + i), 1000 + i);
    }

    function _goodCall(uint256 i) internal returns (bytes memory) {
        _mintNft(customer, 1000 + i);
        return _depositCall(_good(i));
    }

    function _depositCall(ReturnAuthorization memory auth) internal view returns (bytes memory) {
        return abi.encodeCall(escrow.deposit, (auth, _sign(auth)));
    }

    function _run(bytes[] memory calls) internal returns (Failure[] memory) {
        return _run(calls, GAS_EACH);
    }

    function _run(bytes[] memory calls, uint256 gasEach) internal returns (Failure[] memory failures) {
        vm.recordLogs();
        vm.prank(OPERATOR);
        escrow.batch(calls, gasEach);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 count;
        failures = new Failure[](logs.length);
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != Operated.ItemFailed.selector) continue;
            (uint256 index, bytes4 selector, bytes memory reason) = abi.decode(logs[i].data, (uint256, bytes4, bytes));
            assertEq(logs[i].emitter, address(escrow), "told by the escrow");
            failures[count++] = Failure(logs[i].topics[1], index, selector, reason);
        }
        assembly ("memory-safe") { mstore(failures, count) }
    }

    function _assertFailure(Failure memory failure, bytes32 id, uint256 index, bytes memory call, bytes memory reason)
        internal
        pure
    {
        assertEq(failure.id, id, "id");
        assertEq(failure.index, index, "index");
        assertEq(bytes32(failure.selector), bytes32(bytes4(call)), "selector");
        assertEq(failure.reason, _cut(reason), "reason");
    }

    function _assertDeposited(uint256 i) internal view {
        _assertState(_good(i).line, State.Held);
        assertEq(nft.ownerOf(1000 + i), address(escrow), "in escrow");
    }

    function _assertUntouched(uint256 i) internal view {
        _assertState(_good(i).line, State.None);
        assertEq(nft.ownerOf(1000 + i), customer, "with its holder");
    }

    function _list(bytes memory a) internal pure returns (bytes[] memory calls) {
        calls = new bytes[](1);
        calls[0] = a;
    }

    function _list(bytes memory a, bytes memory b) internal pure returns (bytes[] memory calls) {
        calls = new bytes[](2);
        (calls[0], calls[1]) = (a, b);
    }

    function _list(bytes memory a, bytes memory b, bytes memory c) internal pure returns (bytes[] memory calls) {
        calls = new bytes[](3);
        (calls[0], calls[1], calls[2]) = (a, b, c);
    }

    /// @dev As the contract cuts reasons.
    function _cut(bytes memory reason) internal pure returns (bytes memory) {
        if (reason.length > 256) {
            assembly ("memory-safe") { mstore(reason, 256) }
        }
        return reason;
    }
}
