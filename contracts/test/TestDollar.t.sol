// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {TestDollar} from "../src/TestDollar.sol";
import {Test} from "./Test.sol";

contract TestDollarTest is Test {
    function test_has_six_decimals_and_one_minter() public {
        TestDollar dollar = new TestDollar(address(this));
        assertEq(dollar.name(), "Undrop Test Dollar", "name");
        assertEq(dollar.symbol(), "TUSD", "symbol");
        assertEq(dollar.decimals(), 6, "decimals");
        dollar.mint(address(1), 5e6);
        assertEq(dollar.balanceOf(address(1)), 5e6, "minted");
        vm.prank(address(1));
        vm.expectRevert(abi.encodeWithSignature("OwnableUnauthorizedAccount(address)", address(1)));
        dollar.mint(address(1), 1);
    }
}
