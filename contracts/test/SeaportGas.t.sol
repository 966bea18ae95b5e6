// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AdvancedOrder, OfferItem} from "../src/ISeaport.sol";
import {SeaportTest} from "./SeaportTest.sol";
import {PlainNFT} from "./mocks/HonestTokens.sol";

/// @notice What whole transactions of the zone cost, calldata and Seaport included: each top-level call runs as a
/// transaction of its own. ERC-721 against an ERC-20 refund to a holder who had none.
/// forge-config: default.isolate = true
contract SeaportGasTest is SeaportTest {
    PlainNFT private _plain;
    uint256 private constant KEYS = 0x5000;

    function setUp() public override {
        super.setUp();
        _plain = new PlainNFT();
        for (uint256 i = 0; i < 22; ++i) {
            address holder = vm.addr(KEYS + i);
            _plain.mint(holder, 1000 + i);
            vm.prank(holder);
            _plain.setApprovalForAll(address(seaport), true);
        }
        // The vault has tokens already, and the day of the limits has begun, as in daily use.
        _plain.mint(ACME, 1);
        _limit(ACME, address(dollar), 20, 1e12, 1e13);
        _fund(ACME, 1e12, 1);
        _run(21);
        vm.warp(START + 100);
    }

    /// forge-config: default.isolate = true
    function test_fulfil() public {
        _run(0);
        emit log_named_uint("seaport_fulfil", vm.lastCallGas().gasTotalUsed);
        assertEq(_plain.ownerOf(1000), ACME, "token");
    }

    /// forge-config: default.isolate = true
    function test_batch_fulfil() public {
        bytes[] memory calls = new bytes[](20);
        for (uint256 i = 0; i < 20; ++i) {
            calls[i] = _callOf(i);
        }
        vm.prank(OPERATOR);
        zone.batch(calls, 400_000);
        emit log_named_uint("batch20_seaport_fulfil", vm.lastCallGas().gasTotalUsed / 20);
        assertEq(_plain.ownerOf(1019), ACME, "token");
    }

    function _run(uint256 i) private {
        bytes memory call = _callOf(i);
        vm.prank(OPERATOR);
        (bool ok,) = address(zone).call(call);
        assertTrue(ok, "fulfilled");
    }

    function _callOf(uint256 i) private view returns (bytes memory) {
        address holder = vm.addr(KEYS + i);
        bytes32 line = _line(holder, uint256(keccak256(abi.encode(i))) >> 128);
        AdvancedOrder memory order = _order();
        (order.parameters.offerer, order.parameters.startTime) = (holder, 0);
        order.parameters.zoneHash = zone.zoneHashOf(line, ACME);
        order.parameters.salt = uint256(line);
        order.parameters.offer[0] = OfferItem(2, address(_plain), 1000 + i, 1, 1);
        order.parameters.consideration[0].recipient = payable(holder);
        (order.parameters.consideration[0].startAmount, order.parameters.consideration[0].endAmount) =
        (50_123456, 50_123456);
        return abi.encodeCall(zone.fulfil, (line, ACME, _signedWith(KEYS + i, order), ""));
    }
}
