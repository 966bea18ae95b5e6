// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC4494} from "./IERC4494.sol";
import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {ERC2981} from "@openzeppelin/contracts/token/common/ERC2981.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// @title A collection whose tokens can be returned
/// @notice ERC-721 with royalties (ERC-2981), approval by signature (ERC-4494), the reading half of ERC-5507, and a
/// pre-approved return escrow that every owner can switch off. The refund itself goes through the escrow, so this
/// contract holds no money. What a token cost is kept per token, as given at its mint.
contract ReturnableNFT is ERC721, ERC2981, AccessControl, EIP712, IERC4494 {
    /// @notice May mint. Its own admin, so that the minter can hand it over.
    bytes32 public constant MINTER_ROLE = keccak256("MINTER_ROLE");
    /// @notice EIP-712 type hash of a permit.
    bytes32 public constant PERMIT_TYPEHASH =
        keccak256("Permit(address spender,uint256 tokenId,uint256 nonce,uint256 deadline)");
    /// @notice The return escrow that may pull tokens which their owners signed for.
    address public immutable ESCROW;
    /// @notice Seconds after its mint during which a token can be returned.
    uint48 public immutable RETURN_WINDOW;

    /// @dev One slot. Written at the mint, so that the nonce of a transfer costs an update and not a new slot.
    struct TokenFacts {
        uint128 price;
        uint48 refundDeadline;
        uint80 nonce;
    }

    mapping(uint256 tokenId => TokenFacts) private _facts;
    mapping(address owner => bool) private _escrowRefused;

    /// @notice An address that must be given is zero.
    error ReturnableNFTZeroAddress();
    /// @notice The lists of a batch differ in length, or are empty.
    error ReturnableNFTBadBatch(uint256 receivers, uint256 ids, uint256 prices);
    /// @notice A token id is minted once, ever, also if it was burned since.
    error ReturnableNFTAlreadyMinted(uint256 tokenId);
    /// @notice A price does not fit into 128 bits.
    error ReturnableNFTPriceTooHigh(uint256 tokenId, uint256 price);
    /// @notice The permit's last second is over.
    error ReturnableNFTPermitExpired(uint256 deadline);
    /// @notice The permit is not signed by the token's owner, or for another nonce.
    error ReturnableNFTInvalidPermit(uint256 tokenId, address owner);

    /// @param name Name of the collection, also of its EIP-712 domain.
    /// @param symbol Symbol of the collection.
    /// @param minter First holder of {MINTER_ROLE}.
    /// @param escrow The return escrow, fixed for ever.
    /// @param returnWindow In seconds from the mint of a token.
    /// @param royaltyReceiver Zero for no royalties.
    /// @param royaltyBasisPoints Hundredths of a percent of the sale price.
    constructor(
        string memory name,
        string memory symbol,
        address minter,
        address escrow,
        uint48 returnWindow,
        address royaltyReceiver,
        uint96 royaltyBasisPoints
    ) ERC721(name, symbol) EIP712(name, "1") {
        if (minter == address(0) || escrow == address(0)) revert ReturnableNFTZeroAddress();
        ESCROW = escrow;
        RETURN_WINDOW = returnWindow;
        _setRoleAdmin(MINTER_ROLE, MINTER_ROLE);
        _grantRole(MINTER_ROLE, minter);
        if (royaltyReceiver != address(0)) _setDefaultRoyalty(royaltyReceiver, royaltyBasisPoints);
    }

    /// @notice Mints tokens, each with the price it was sold at.
    /// @dev Not the safe mint: a receiver's hook could re-enter or block the batch.
    /// @param to Receivers.
    /// @param ids Token ids, none of them ever minted before.
    /// @param prices In wei, one per token.
    function mintBatch(address[] calldata to, uint256[] calldata ids, uint256[] calldata prices)
        external
        onlyRole(MINTER_ROLE)
    {
        if (ids.length == 0 || to.length != ids.length || prices.length != ids.length) {
            revert ReturnableNFTBadBatch(to.length, ids.length, prices.length);
        }
        for (uint256 i = 0; i < ids.length; ++i) {
            _mintPriced(to[i], ids[i], prices[i]);
        }
    }

    /// @notice Destroys a token, by its owner or who is approved for it.
    function burn(uint256 tokenId) external {
        _update(address(0), tokenId, msg.sender);
    }

    /// @notice Switches the return escrow's approval for the caller's tokens on or off; it starts on. The same as
    /// `setApprovalForAll` for the escrow, so that a wallet's own revoke button works too.
    function setEscrowApproval(bool approved) external {
        _setApprovalForAll(msg.sender, ESCROW, approved);
    }

    /// @inheritdoc IERC4494
    function permit(address spender, uint256 tokenId, uint256 deadline, bytes calldata signature) external override {
        if (block.timestamp > deadline) revert ReturnableNFTPermitExpired(deadline);
        address owner = _requireOwned(tokenId);
        uint256 nonce = _facts[tokenId].nonce++;
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(PERMIT_TYPEHASH, spender, tokenId, nonce, deadline)));
        if (!SignatureChecker.isValidSignatureNowCalldata(owner, digest, signature)) {
            revert ReturnableNFTInvalidPermit(tokenId, owner);
        }
        _approve(spender, tokenId, owner);
    }

    /// @inheritdoc IERC4494
    function nonces(uint256 tokenId) external view override returns (uint256) {
        return _facts[tokenId].nonce;
    }

    /// @notice What the token cost in wei, and would be refunded. Depends on nothing that a refund changes first.
    /// @dev As ERC-5507; reverts for a token that does not exist.
    function refundOf(uint256 tokenId) external view returns (uint256) {
        _requireOwned(tokenId);
        return _facts[tokenId].price;
    }

    /// @notice Until when the token can be returned: a Unix time in seconds, to be compared with `block.timestamp`.
    /// @dev ERC-5507 speaks of a block number here. Block times change, return windows are days by law: seconds it is,
    /// and this contract therefore does not claim ERC-5507's interface id.
    function refundDeadlineOf(uint256 tokenId) external view returns (uint256) {
        _requireOwned(tokenId);
        return _facts[tokenId].refundDeadline;
    }

    /// @inheritdoc IERC4494
    // solhint-disable-next-line func-name-mixedcase
    function DOMAIN_SEPARATOR() external view override returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @inheritdoc ERC721
    function isApprovedForAll(address owner, address operator) public view override returns (bool) {
        return operator == ESCROW ? !_escrowRefused[owner] : super.isApprovedForAll(owner, operator);
    }

    /// @inheritdoc ERC721
    function supportsInterface(bytes4 interfaceId) public view override(ERC721, ERC2981, AccessControl) returns (bool) {
        return interfaceId == type(IERC4494).interfaceId || super.supportsInterface(interfaceId);
    }

    /// @dev Keeps the escrow's switch in step with the approval, whichever way it is set.
    function _setApprovalForAll(address owner, address operator, bool approved) internal override {
        if (operator == ESCROW) _escrowRefused[owner] = !approved;
        super._setApprovalForAll(owner, operator, approved);
    }

    /// @dev ERC-4494: a transfer voids every permit signed before it, also if the token comes back to the signer.
    function _update(address to, uint256 tokenId, address auth) internal override returns (address from) {
        from = super._update(to, tokenId, auth);
        if (from != address(0)) ++_facts[tokenId].nonce;
    }

    function _mintPriced(address to, uint256 tokenId, uint256 price) private {
        if (price > type(uint128).max) revert ReturnableNFTPriceTooHigh(tokenId, price);
        TokenFacts storage facts = _facts[tokenId];
        if (facts.refundDeadline != 0) revert ReturnableNFTAlreadyMinted(tokenId);
        facts.price = uint128(price);
        facts.refundDeadline = uint48(block.timestamp) + RETURN_WINDOW;
        _mint(to, tokenId);
    }
}
