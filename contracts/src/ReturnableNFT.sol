// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC4494} from "./IERC4494.sol";
import {IERC5507} from "./IERC5507.sol";
import {ReturnableOwnership} from "./ReturnableOwnership.sol";
import {SelfServiceRefund} from "./SelfServiceRefund.sol";
import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {ERC2981} from "@openzeppelin/contracts/token/common/ERC2981.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// @title A collection whose tokens can be returned
/// @notice ERC-721 with royalties (ERC-2981), approval by signature (ERC-4494), refunds (ERC-5507), replacements, and
/// a pre-approved return escrow that every owner can switch off. What a token cost is kept per token, as given at its
/// mint. Refunds are normally paid through the escrow; see {SelfServiceRefund} for those that are paid here.
contract ReturnableNFT is SelfServiceRefund, ERC2981, AccessControl, EIP712, IERC4494 {
    /// @notice May mint, and open refunds. Its own admin, so that the minter can hand it over.
    bytes32 public constant MINTER_ROLE = keccak256("MINTER_ROLE");
    /// @notice EIP-712 type hash of a permit.
    bytes32 public constant PERMIT_TYPEHASH =
        keccak256("Permit(address spender,uint256 tokenId,uint256 nonce,uint256 deadline)");
    /// @notice Seconds after its sale during which a token can be returned.
    uint48 public immutable RETURN_WINDOW;

    /// @notice A token was minted in the place of a returned one.
    /// @param replacedId The token that is in the vault, or burned.
    /// @param newId The token that was minted for it. Price, last day and an open refund are now this one's.
    /// @param to Who got it.
    event Replaced(uint256 indexed replacedId, uint256 indexed newId, address indexed to);

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
    /// @notice The token to be replaced was never minted (holder zero), or somebody other than the vault has it.
    error ReturnableNFTNotReturned(uint256 tokenId, address holder);
    /// @notice A token is replaced once, ever.
    error ReturnableNFTAlreadyReplaced(uint256 tokenId);

    /// @param name Name of the collection, also of its EIP-712 domain.
    /// @param symbol Symbol of the collection.
    /// @param minter First holder of {MINTER_ROLE}.
    /// @param escrow The return escrow, fixed for ever.
    /// @param vault Where returned tokens go, fixed for ever; the same as the merchant's vault in the escrow. Able to
    /// receive coin, if refunds are ever opened.
    /// @param returnWindow In seconds from the mint of a token.
    /// @param royaltyReceiver Zero for no royalties.
    /// @param royaltyBasisPoints Hundredths of a percent of the sale price.
    constructor(
        string memory name,
        string memory symbol,
        address minter,
        address escrow,
        address vault,
        uint48 returnWindow,
        address royaltyReceiver,
        uint96 royaltyBasisPoints
    ) ERC721(name, symbol) EIP712(name, "1") ReturnableOwnership(escrow, vault) {
        if (minter == address(0)) revert ReturnableNFTZeroAddress();
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
            if (prices[i] > type(uint128).max) revert ReturnableNFTPriceTooHigh(ids[i], prices[i]);
            _mintSold(to[i], ids[i], Sale(uint128(prices[i]), uint48(block.timestamp) + RETURN_WINDOW, 0, false));
        }
    }

    /// @notice Mints a token in the place of one that came back, for a minter or the escrow. Once per replaced token,
    /// and only while that is in the vault or burned: nobody has both.
    /// @dev The new token has the replaced one's price, and its last day too: an exchange does not start the window
    /// again, or it would never end. If the replaced one's refund is open (see {SelfServiceRefund}), the money stays
    /// and becomes the new token's, until the same block.
    /// @param to Who gets the new token.
    /// @param newId Never minted before.
    /// @param replacedId The token that came back.
    function mintReplacement(address to, uint256 newId, uint256 replacedId) external {
        if (msg.sender != ESCROW) _checkRole(MINTER_ROLE);
        Sale storage replaced = _sales[replacedId];
        address holder = _ownerOf(replacedId);
        bool back = replaced.returnableUntil != 0 && (holder == VAULT || holder == address(0));
        if (!back) revert ReturnableNFTNotReturned(replacedId, holder);
        if (replaced.replaced) revert ReturnableNFTAlreadyReplaced(replacedId);
        _mintSold(to, newId, replaced);
        (replaced.replaced, replaced.refundDeadline) = (true, 0);
        emit Replaced(replacedId, newId, to);
    }

    /// @notice Puts the price of each token here, so that its holder can have it back without a desk for `blocks`
    /// blocks. By a minter, which therefore need not trust itself: the money is out of its reach until then.
    /// @param ids Tokens that cost something, were never returned and are not open.
    /// @param blocks Length of the window in blocks of this chain, at most {MAX_REFUND_BLOCKS}.
    function openRefunds(uint256[] calldata ids, uint256 blocks) external payable onlyRole(MINTER_ROLE) {
        _openRefunds(ids, blocks);
    }

    /// @notice Destroys a token, by its owner or who is approved for it.
    function burn(uint256 tokenId) external {
        _update(address(0), tokenId, msg.sender);
    }

    /// @inheritdoc IERC4494
    /// @dev Signatures of 65 bytes, of 64 (ERC-2098), and by contracts (ERC-1271). A permit also voids the others of
    /// its nonce and an approval given before.
    function permit(address spender, uint256 tokenId, uint256 deadline, bytes calldata signature) external override {
        if (block.timestamp > deadline) revert ReturnableNFTPermitExpired(deadline);
        address owner = _requireOwned(tokenId);
        uint256 nonce = _useNonce(tokenId);
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(PERMIT_TYPEHASH, spender, tokenId, nonce, deadline)));
        if (!_isSignedBy(owner, digest, signature)) revert ReturnableNFTInvalidPermit(tokenId, owner);
        _approve(spender, tokenId, owner);
    }

    /// @inheritdoc IERC4494
    function nonces(uint256 tokenId) external view override returns (uint256) {
        return _nonceOf(tokenId);
    }

    /// @inheritdoc IERC4494
    // solhint-disable-next-line func-name-mixedcase
    function DOMAIN_SEPARATOR() external view override returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @inheritdoc ERC721
    /// @dev ERC-5507 under the id that its text gives and under the one that ERC-165 makes of it, see {IERC5507}.
    function supportsInterface(bytes4 interfaceId) public view override(ERC721, ERC2981, AccessControl) returns (bool) {
        return interfaceId == type(IERC4494).interfaceId || interfaceId == type(IERC5507).interfaceId
            || interfaceId == (type(IERC5507).interfaceId ^ IERC5507.refundFrom.selector)
            || super.supportsInterface(interfaceId);
    }

    /// @dev A sale is never deleted, so an id that was burned stays taken.
    function _mintSold(address to, uint256 tokenId, Sale memory sale) private {
        if (_sales[tokenId].returnableUntil != 0) revert ReturnableNFTAlreadyMinted(tokenId);
        _sales[tokenId] = sale;
        _mint(to, tokenId);
    }

    /// @dev The key first: it stays good for an account that lends its address code (EIP-7702), whatever the code says.
    function _isSignedBy(address owner, bytes32 digest, bytes calldata signature) private view returns (bool) {
        (uint8 v, bytes32 r, bytes32 s) = ECDSA.parseCalldata(signature);
        // The third is a detail of the error.
        // slither-disable-next-line unused-return
        (address signer, ECDSA.RecoverError err,) = ECDSA.tryRecover(digest, v, r, s);
        if (err == ECDSA.RecoverError.NoError && signer == owner) return true;
        return owner.code.length != 0 && SignatureChecker.isValidERC1271SignatureNowCalldata(owner, digest, signature);
    }
}
