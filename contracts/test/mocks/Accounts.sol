// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ReturnEscrow} from "../../src/ReturnEscrow.sol";
import {IERC1155} from "@openzeppelin/contracts/token/ERC1155/IERC1155.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @notice Takes no coin until it is told to.
contract RefusingRecipient {
    bool public open;

    function setOpen(bool open_) external {
        open = open_;
    }

    function fetch(ReturnEscrow escrow, address asset) external {
        escrow.claim(asset, address(this));
    }

    receive() external payable {
        require(open, "no coin");
    }
}

/// @notice Burns whatever gas it is given, or answers with megabytes, and counts as a refusal either way.
contract GreedyRecipient {
    bool public bomb;

    constructor(bool bomb_) {
        bomb = bomb_;
    }

    receive() external payable {
        if (bomb) {
            assembly ("memory-safe") { revert(0, 100000) }
        }
        while (true) {}
    }
}

/// @notice Refuses the push, and when it fetches its claim tries to be paid twice by calling back.
contract ReenteringRecipient {
    ReturnEscrow private immutable ESCROW;
    address private immutable ASSET;
    bool public open;
    bool public reentryOk;
    bytes public reentryResult;

    constructor(ReturnEscrow escrow, address asset) {
        (ESCROW, ASSET) = (escrow, asset);
    }

    function fetch() external {
        open = true;
        ESCROW.claim(ASSET, address(this));
    }

    receive() external payable {
        require(open, "not yet");
        (reentryOk, reentryResult) = address(ESCROW).call(abi.encodeCall(ESCROW.claim, (ASSET, address(this))));
    }
}

/// @notice A wallet with code: one key, and a switch to answer wrongly (EIP-1271).
contract ContractWallet {
    address private immutable OWNER;
    bool public broken;

    constructor(address owner) {
        OWNER = owner;
    }

    function setBroken() external {
        broken = true;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        if (broken) {
            assembly ("memory-safe") { return(0, 1000000) }
        }
        (address signer, ECDSA.RecoverError err,) = ECDSA.tryRecoverCalldata(digest, signature);
        return err == ECDSA.RecoverError.NoError && signer == OWNER ? this.isValidSignature.selector : bytes4(0);
    }

    function run(address target, bytes calldata data) external {
        (bool ok, bytes memory reason) = target.call(data);
        if (!ok) {
            assembly ("memory-safe") { revert(add(reason, 0x20), mload(reason)) }
        }
    }
}

/// @notice Passes every ERC-1155 token on as soon as it gets it.
contract ForwardingHolder {
    address private immutable TO;
    bool public forwarding;

    constructor(address to) {
        TO = to;
    }

    function approve(address token, address spender) external {
        IERC1155(token).setApprovalForAll(spender, true);
    }

    function startForwarding() external {
        forwarding = true;
    }

    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        return this.isValidSignature.selector;
    }

    function onERC1155Received(address, address, uint256 tokenId, uint256 amount, bytes calldata)
        external
        returns (bytes4)
    {
        if (forwarding) IERC1155(msg.sender).safeTransferFrom(address(this), TO, tokenId, amount, "");
        return this.onERC1155Received.selector;
    }
}
