// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";

/// @notice An ERC-20 that does not count down what it was allowed.
contract StickyERC20 is ERC20("Sticky coin", "STC") {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        require(allowance(from, msg.sender) >= amount, "not allowed");
        _transfer(from, to, amount);
        return true;
    }
}

/// @notice An ERC-721 that looks, while it moves, at what somebody has allowed Seaport.
contract PeekingNFT is ERC721("Peeking", "PEK") {
    address public asset;
    address public owner;
    address public spender;
    uint256 public seen;

    function mint(address to, uint256 tokenId) external {
        _mint(to, tokenId);
    }

    function watch(address asset_, address owner_, address spender_) external {
        (asset, owner, spender) = (asset_, owner_, spender_);
    }

    function transferFrom(address from, address to, uint256 tokenId) public override {
        seen = ERC20(asset).allowance(owner, spender);
        super.transferFrom(from, to, tokenId);
    }
}

/// @notice Takes coin, and calls back while it does.
contract CallingRecipient {
    address private immutable TARGET;
    bytes public payload;
    bool public reentryOk;
    bytes public reentryResult;

    constructor(address target) {
        TARGET = target;
    }

    function aim(bytes calldata payload_) external {
        payload = payload_;
    }

    receive() external payable {
        (reentryOk, reentryResult) = TARGET.call(payload);
    }
}

/// @notice Takes coin and forces it back.
contract BoomerangRecipient {
    address payable private immutable TARGET;

    constructor(address payable target) {
        TARGET = target;
    }

    receive() external payable {
        new Forced{value: msg.value}(TARGET);
    }
}

/// @notice Coin that arrives without asking.
contract Forced {
    constructor(address payable to) payable {
        selfdestruct(to);
    }
}
