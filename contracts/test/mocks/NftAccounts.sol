// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {SelfServiceRefund} from "../../src/SelfServiceRefund.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @notice A wallet with code: one key (EIP-1271). Takes no coin.
contract SigningWallet {
    address private immutable KEY;

    constructor(address key) {
        KEY = key;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        (address signer,,) = ECDSA.tryRecoverCalldata(digest, signature);
        return signer == KEY ? this.isValidSignature.selector : bytes4(0);
    }

    function giveBack(SelfServiceRefund nft, uint256 tokenId) external {
        nft.refund(tokenId);
    }
}

/// @notice When it is paid it asks for the same refund again, and then for what is left to be closed.
contract GreedyHolder {
    SelfServiceRefund private immutable NFT;
    uint256 private immutable TOKEN_ID;
    uint256 public tries;
    bool public gotMore;

    constructor(SelfServiceRefund nft, uint256 tokenId) {
        (NFT, TOKEN_ID) = (nft, tokenId);
    }

    function giveBack() external {
        NFT.refund(TOKEN_ID);
    }

    receive() external payable {
        ++tries;
        uint256[] memory ids = new uint256[](1);
        ids[0] = TOKEN_ID;
        (bool again,) = address(NFT).call(abi.encodeCall(NFT.refund, (TOKEN_ID)));
        (bool forOwner,) = address(NFT).call(abi.encodeCall(NFT.refundFrom, (address(this), TOKEN_ID)));
        (bool closed,) = address(NFT).call(abi.encodeCall(NFT.closeRefunds, (ids)));
        gotMore = again || forOwner || closed;
    }
}

/// @notice Takes coin until told otherwise.
contract MoodyVault {
    bool public closed;

    function setClosed(bool value) external {
        closed = value;
    }

    receive() external payable {
        require(!closed, "closed");
    }
}
