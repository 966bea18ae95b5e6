// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

enum Vice {
    None,
    ReturnsFalse,
    MovesNothing, // returns true all the same
    TaxesSender, // takes a tenth more than asked
    TaxesReceiver, // delivers a tenth less
    Reenters,
    ReturnsMegabytes
}

/// @notice An ERC-20 that does to the escrow what it is told.
contract HostileERC20 is ERC20("Hostile coin", "HSC") {
    Vice public vice;
    address public target;
    bytes public payload;
    bool public reentryOk;
    bytes public reentryResult;

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function turn(Vice vice_) external {
        vice = vice_;
    }

    function aim(address target_, bytes calldata payload_) external {
        vice = Vice.Reenters;
        (target, payload) = (target_, payload_);
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        return _viciously(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        _spendAllowance(from, msg.sender, amount);
        return _viciously(from, to, amount);
    }

    function _viciously(address from, address to, uint256 amount) private returns (bool) {
        if (vice == Vice.ReturnsFalse) return false;
        if (vice == Vice.MovesNothing) return true;
        if (vice == Vice.Reenters) (reentryOk, reentryResult) = target.call(payload);
        _transfer(from, to, amount);
        if (vice == Vice.TaxesSender) _burn(from, amount / 10);
        if (vice == Vice.TaxesReceiver) _burn(to, amount / 10);
        if (vice == Vice.ReturnsMegabytes) {
            assembly ("memory-safe") {
                mstore(0, 1)
                return(0, 2000000)
            }
        }
        return true;
    }
}

/// @notice Returns nothing at all, as the most used dollar token does.
contract SilentERC20 {
    mapping(address account => uint256) public balanceOf;
    mapping(address owner => mapping(address spender => uint256)) public allowance;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external {
        allowance[msg.sender][spender] = amount;
    }

    function transfer(address to, uint256 amount) external {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
    }

    function transferFrom(address from, address to, uint256 amount) external {
        allowance[from][msg.sender] -= amount;
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}
