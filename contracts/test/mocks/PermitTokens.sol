// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC4494} from "../../src/IERC4494.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

/// @notice Takes permits, as collections did before there was EIP-5267: its domain has to be guessed.
contract OldPermitNFT is ERC721("Old", "OLD"), IERC4494 {
    bytes32 public immutable DOMAIN_SEPARATOR;
    mapping(uint256 tokenId => uint256) public nonces;

    /// @param version Of the domain. Everybody guesses "1".
    constructor(string memory version) {
        bytes32 kind = keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        DOMAIN_SEPARATOR =
            keccak256(abi.encode(kind, keccak256("Old"), keccak256(bytes(version)), block.chainid, address(this)));
    }

    function mint(address to, uint256 tokenId) external {
        _mint(to, tokenId);
    }

    function permit(address spender, uint256 tokenId, uint256 deadline, bytes calldata signature) external {
        bytes32 kind = keccak256("Permit(address spender,uint256 tokenId,uint256 nonce,uint256 deadline)");
        bytes32 said = keccak256(abi.encode(kind, spender, tokenId, nonces[tokenId]++, deadline));
        bytes32 digest = MessageHashUtils.toTypedDataHash(DOMAIN_SEPARATOR, said);
        address owner = ownerOf(tokenId);
        require(block.timestamp <= deadline && ECDSA.recover(digest, signature) == owner, "bad permit");
        _approve(spender, tokenId, owner);
    }

    function supportsInterface(bytes4 id) public view override returns (bool) {
        return id == type(IERC4494).interfaceId || super.supportsInterface(id);
    }
}

/// @notice A token for life (ERC-5192).
contract SoulboundNFT is ERC721("Soulbound", "SBT") {
    function mint(address to, uint256 tokenId) external {
        _mint(to, tokenId);
    }

    function locked(uint256 tokenId) external view returns (bool) {
        _requireOwned(tokenId);
        return true;
    }

    function supportsInterface(bytes4 id) public view override returns (bool) {
        return id == 0xb45a3c0e || super.supportsInterface(id);
    }

    function _update(address to, uint256 tokenId, address auth) internal override returns (address from) {
        from = super._update(to, tokenId, auth);
        require(from == address(0), "bound");
    }
}

/// @notice Lets nobody be approved; its tokens are moved by their owners alone.
contract HandToHandNFT is ERC721("Hand to hand", "H2H") {
    function mint(address to, uint256 tokenId) external {
        _mint(to, tokenId);
    }

    function _setApprovalForAll(address, address, bool) internal pure override {
        revert("hand to hand");
    }
}

/// @notice Moves no token, and says so only when it is asked to.
contract FrozenNFT is ERC721("Frozen", "FRZ") {
    function mint(address to, uint256 tokenId) external {
        _mint(to, tokenId);
    }

    function transferFrom(address, address, uint256) public pure override {
        revert("frozen");
    }
}
