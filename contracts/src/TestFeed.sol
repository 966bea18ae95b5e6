// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

/// @title Undrop Test Feed
/// @notice A price feed for demonstrations and tests, read like Chainlink's aggregators (AggregatorV3Interface). It
/// says what its owner says, faults included, and nobody should rely on it.
contract TestFeed is Ownable {
    struct Round {
        uint80 roundId;
        int256 answer;
        uint256 startedAt;
        uint256 updatedAt;
        uint80 answeredInRound;
    }

    /// @notice Decimal places of an answer.
    uint8 public immutable decimals;

    /// @notice What is priced, such as "ETH / USD".
    string public description;

    Round private _latest;

    /// @param initialOwner The only account that may answer.
    /// @param decimals_ Decimal places of an answer.
    /// @param description_ What is priced.
    constructor(address initialOwner, uint8 decimals_, string memory description_) Ownable(initialOwner) {
        decimals = decimals_;
        description = description_;
    }

    /// @notice Answers in a new round, now.
    /// @param answer The price, with `decimals` places.
    function push(int256 answer) external onlyOwner {
        uint80 roundId = _latest.roundId + 1;
        _latest = Round(roundId, answer, block.timestamp, block.timestamp, roundId);
    }

    /// @notice Takes a whole round over, whatever it says.
    /// @param round The round.
    function set(Round calldata round) external onlyOwner {
        _latest = round;
    }

    /// @notice The newest round, in the order of Chainlink's interface.
    /// @return roundId Counts the rounds.
    /// @return answer The price, with `decimals` places.
    /// @return startedAt When the round began, in Unix seconds.
    /// @return updatedAt When the answer was given; 0 while the round is open.
    /// @return answeredInRound The round that the answer is of.
    function latestRoundData()
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        Round memory round = _latest;
        return (round.roundId, round.answer, round.startedAt, round.updatedAt, round.answeredInRound);
    }
}
