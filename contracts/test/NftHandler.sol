// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ReturnableNFT} from "../src/ReturnableNFT.sol";
import {Test} from "./Test.sol";

/// @notice Does everything that holders, minter, escrow and strangers can do, in any order, and keeps books of it. A
/// call that the contract refuses must be one that the books refuse too.
contract NftHandler is Test {
    uint256 internal constant KEYS = 4;
    address public constant ESCROW = address(0xE1);
    address public constant VAULT = address(0xC1);
    uint256 public constant IDS = 10;

    struct Book {
        bool minted;
        bool replaced;
        bool returned;
        address owner;
        uint256 price;
        uint256 until;
        uint256 open;
        uint256 moves;
    }

    /// @dev A signed permit and the nonce that it carries.
    struct Permit {
        uint256 id;
        uint256 nonce;
        address owner;
        bytes signature;
    }

    ReturnableNFT public immutable NFT;
    mapping(uint256 id => Book) public books;
    mapping(address account => uint256) public owned;
    mapping(address account => uint256) public paid;
    uint256 public drawers;
    Permit[] private _permits;
    address[] private _actors;

    constructor() {
        NFT = new ReturnableNFT("Acme", "ACM", address(this), ESCROW, VAULT, 14 days, address(0), 0);
        vm.deal(address(this), type(uint128).max);
        for (uint256 key = 1; key <= KEYS; ++key) {
            _actors.push(vm.addr(key));
        }
        _actors.push(ESCROW);
        _actors.push(VAULT);
        for (uint256 id = 0; id < KEYS; id += 2) {
            _mintTwo(_actors[id], id, 1 ether, _actors[id + 1], id + 1, 2 ether);
        }
    }

    function actor(uint256 seed) public view returns (address) {
        return _actors[seed % _actors.length];
    }

    function mintTwo(uint256 seed, uint256 first, uint256 second, uint64 price) external {
        _mintTwo(actor(seed), first % IDS, price, actor(seed >> 8), second % IDS, seed % 3);
    }

    function transfer(uint256 who, uint256 to, uint256 id) external {
        id %= IDS;
        (address caller, address receiver) = (_caller(who, id), actor(to));
        address owner = books[id].owner;
        bool may = owner != address(0) && _authorized(caller, owner, id);
        vm.prank(caller);
        (bool ok,) = address(NFT).call(abi.encodeCall(NFT.transferFrom, (owner, receiver, id)));
        assertTrue(ok == may, "moved exactly by those who may");
        if (ok) _moved(id, receiver);
    }

    function burn(uint256 who, uint256 id) external {
        id %= IDS;
        if (who % 3 != 0) return;
        address caller = _caller(who / 3, id);
        bool may = books[id].owner != address(0) && _authorized(caller, books[id].owner, id);
        vm.prank(caller);
        (bool ok,) = address(NFT).call(abi.encodeCall(NFT.burn, (id)));
        assertTrue(ok == may, "burned exactly by those who may");
        if (ok) _moved(id, address(0));
    }

    function replace(uint256 to, uint256 newId, uint256 oldId) external {
        (newId, oldId) = (newId % IDS, oldId % IDS);
        Book memory old = books[oldId];
        bool may = old.minted && !old.replaced && (old.owner == VAULT || old.owner == address(0));
        may = may && !books[newId].minted;
        (bool ok,) = address(NFT).call(abi.encodeCall(NFT.mintReplacement, (actor(to), newId, oldId)));
        assertTrue(ok == may, "replaced exactly if it came back, once");
        if (!ok) return;
        (books[oldId].replaced, books[oldId].open) = (true, 0);
        _minted(actor(to), newId, old.price, old.until, old.open);
    }

    function open(uint256 id, uint256 blocks) external {
        (id, blocks) = (id % IDS, bound(blocks, 1, 50));
        Book storage book = books[id];
        bool may = book.owner != address(0) && !book.returned && book.price != 0 && book.open == 0;
        uint256[] memory ids = new uint256[](1);
        ids[0] = id;
        (bool ok,) = address(NFT).call{value: book.price}(abi.encodeCall(NFT.openRefunds, (ids, blocks)));
        assertTrue(ok == may, "opened exactly once for what was paid");
        if (!ok) return;
        book.open = block.number + blocks;
        drawers += book.price;
    }

    function refund(uint256 who, uint256 id) external {
        id %= IDS;
        address caller = _caller(who, id);
        Book storage book = books[id];
        address owner = book.owner;
        bool may = owner != address(0) && !book.returned && block.number < book.open && _authorized(caller, owner, id);
        vm.prank(caller);
        bytes memory call =
            caller == owner ? abi.encodeCall(NFT.refund, (id)) : abi.encodeCall(NFT.refundFrom, (owner, id));
        (bool ok,) = address(NFT).call(call);
        assertTrue(ok == may, "refunded exactly by those who may, in time");
        if (!ok) return;
        (book.open, drawers) = (0, drawers - book.price);
        paid[caller] += book.price;
        _moved(id, VAULT);
    }

    function close(uint256 id) external {
        id %= IDS;
        Book storage book = books[id];
        bool over = book.owner == address(0) || book.returned || block.number >= book.open;
        uint256[] memory ids = new uint256[](1);
        ids[0] = id;
        vm.prank(address(0xD1));
        (bool ok,) = address(NFT).call(abi.encodeCall(NFT.closeRefunds, (ids)));
        assertTrue(ok == (book.open != 0 && over), "closed exactly when it is over");
        if (!ok) return;
        (book.open, drawers) = (0, drawers - book.price);
        paid[VAULT] += book.price;
    }

    function approve(uint256 who, uint256 spender, uint256 id) external {
        id %= IDS;
        vm.prank(_caller(who, id));
        (bool ok,) = address(NFT).call(abi.encodeCall(NFT.approve, (actor(spender), id)));
        assertTrue(!ok || books[id].owner != address(0), "nothing to approve");
    }

    function switchEscrow(uint256 who, bool on) external {
        vm.prank(actor(who));
        NFT.setEscrowApproval(on);
        assertTrue(NFT.isApprovedForAll(actor(who), ESCROW) == on, "the switch");
    }

    function sign(uint256 id) external {
        id %= IDS;
        address owner = books[id].owner;
        for (uint256 key = 1; key <= KEYS; ++key) {
            if (_actors[key - 1] != owner) continue;
            _permits.push(Permit(id, books[id].moves, owner, _signature(key, id)));
        }
    }

    /// @dev Any permit ever signed may be tried at any time.
    function usePermit(uint256 which) external {
        if (_permits.length == 0) return;
        Permit memory known = _permits[which % _permits.length];
        Book storage book = books[known.id];
        bool good = book.owner == known.owner && book.moves == known.nonce;
        bytes memory call = abi.encodeCall(NFT.permit, (ESCROW, known.id, type(uint256).max, known.signature));
        (bool ok,) = address(NFT).call(call);
        assertTrue(ok == good, "a permit works for its nonce only");
        if (!ok) return;
        ++book.moves;
    }

    function pass(uint256 time, uint256 blocks) external {
        vm.warp(block.timestamp + time % 3 days);
        vm.roll(block.number + blocks % 20);
    }

    function _mintTwo(address a, uint256 id, uint256 price, address b, uint256 id2, uint256 price2) private {
        (address[] memory to, uint256[] memory ids, uint256[] memory prices) =
            (new address[](2), new uint256[](2), new uint256[](2));
        (to[0], ids[0], prices[0], to[1], ids[1], prices[1]) = (a, id, price, b, id2, price2);
        bool free = !books[id].minted && !books[id2].minted && id != id2;
        (bool ok,) = address(NFT).call(abi.encodeCall(NFT.mintBatch, (to, ids, prices)));
        assertTrue(ok == free, "minted exactly if both ids are new");
        if (!ok) return;
        _minted(a, id, price, block.timestamp + 14 days, 0);
        _minted(b, id2, price2, block.timestamp + 14 days, 0);
    }

    /// @dev Mostly the owner, or little would happen.
    function _caller(uint256 seed, uint256 id) private view returns (address) {
        return seed % 4 == 0 || books[id].owner == address(0) ? actor(seed / 4) : books[id].owner;
    }

    /// @dev The contract's own answers; that they are right is for the differential test.
    function _authorized(address caller, address owner, uint256 id) private view returns (bool) {
        return caller == owner || NFT.isApprovedForAll(owner, caller) || NFT.getApproved(id) == caller;
    }

    function _minted(address to, uint256 id, uint256 price, uint256 until, uint256 deadline) private {
        books[id] = Book(true, false, false, to, price, until, deadline, 0);
        ++owned[to];
    }

    function _moved(uint256 id, address to) private {
        Book storage book = books[id];
        --owned[book.owner];
        (book.owner, book.moves) = (to, book.moves + 1);
        if (to == VAULT) book.returned = true;
        if (to != address(0)) ++owned[to];
    }

    function _signature(uint256 key, uint256 id) private view returns (bytes memory) {
        bytes32 typeHash = NFT.PERMIT_TYPEHASH();
        bytes32 data = keccak256(abi.encode(typeHash, ESCROW, id, books[id].moves, type(uint256).max));
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(key, keccak256(abi.encodePacked(hex"1901", NFT.DOMAIN_SEPARATOR(), data)));
        return abi.encodePacked(r, s, v);
    }
}
