// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {TestFeed} from "../src/TestFeed.sol";
import {Test} from "./Test.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

contract TestFeedTest is Test {
    TestFeed private _feed;

    function setUp() public {
        _feed = new TestFeed(address(this), 8, "ETH / USD");
    }

    function test_saysWhatItPricesAndHow() public view {
        assertEq(_feed.decimals(), 8, "decimals");
        assertEq(_feed.description(), "ETH / USD", "description");
    }

    function test_hasNoAnswerAtFirst() public view {
        _shows(TestFeed.Round(0, 0, 0, 0, 0));
    }

    function test_answersInRoundsOneAfterTheOther(int256 first, int256 second) public {
        _feed.push(first);
        vm.warp(1_000_000);
        _feed.push(second);
        _shows(TestFeed.Round(2, second, 1_000_000, 1_000_000, 2));
    }

    function test_takesAnyRoundOver(TestFeed.Round calldata round) public {
        _feed.set(round);
        _shows(round);
    }

    function test_onlyItsOwnerAnswers(address stranger) public {
        vm.assume(stranger != address(this));
        bytes memory refusal = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, stranger);
        vm.startPrank(stranger);
        vm.expectRevert(refusal);
        _feed.push(1);
        vm.expectRevert(refusal);
        _feed.set(TestFeed.Round(1, 1, 1, 1, 1));
        vm.stopPrank();
        _shows(TestFeed.Round(0, 0, 0, 0, 0));
    }

    function _shows(TestFeed.Round memory round) private view {
        (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound) =
            _feed.latestRoundData();
        bytes memory found = abi.encode(roundId, answer, startedAt, updatedAt, answeredInRound);
        assertEq(found, abi.encode(round), "round");
    }
}
