// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title Undrop Test Dollar
/// @notice A six-decimals ERC-20 for demonstrations and tests, shaped like the dollar tokens that merchants fund their
/// float with. It is worth nothing.
contract TestDollar is ERC20, Ownable {
    /// @param initialOwner The only account that may mint.
    constructor(address initialOwner) ERC20("Undrop Test Dollar", "TUSD") Ownable(initialOwner) {}

    /// @notice Creates tokens, without a cap.
    /// @param to Receiver.
    /// @param amount In millionths of a dollar.
    function mint(address to, uint256 amount) external onlyOwner {
        _mint(to, amount);
    }

    /// @inheritdoc ERC20
    function decimals() public pure override returns (uint8) {
        return 6;
    }
}
