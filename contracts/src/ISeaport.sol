// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

// What the zone needs of Seaport 1.6 (ProjectOpenSea/seaport-types, src/lib/ConsiderationStructs.sol, src/interfaces).
// Seaport's enumerations are plain uint8 here: the encoding is the same, and a number out of range is then refused by
// an error with a name.

/// @notice Item types: 0 coin, 1 ERC-20, 2 ERC-721, 3 ERC-1155; 4 and 5 name tokens by criteria.
struct OfferItem {
    uint8 itemType;
    address token;
    uint256 identifierOrCriteria;
    uint256 startAmount;
    uint256 endAmount;
}

/// @notice The same, and who gets it.
struct ConsiderationItem {
    uint8 itemType;
    address token;
    uint256 identifierOrCriteria;
    uint256 startAmount;
    uint256 endAmount;
    address payable recipient;
}

/// @notice An order without its counter, which Seaport knows. `orderType` 2 is FULL_RESTRICTED. Good from `startTime`
/// until just before `endTime` (Unix seconds).
struct OrderParameters {
    address offerer;
    address zone;
    OfferItem[] offer;
    ConsiderationItem[] consideration;
    uint8 orderType;
    uint256 startTime;
    uint256 endTime;
    bytes32 zoneHash;
    uint256 salt;
    bytes32 conduitKey;
    uint256 totalOriginalConsiderationItems;
}

/// @notice An order, which part of it to fill, and its offerer's signature.
struct AdvancedOrder {
    OrderParameters parameters;
    uint120 numerator;
    uint120 denominator;
    bytes signature;
    bytes extraData;
}

/// @notice Which token stands for a criterion; none of our orders has one.
struct CriteriaResolver {
    uint256 orderIndex;
    uint8 side;
    uint256 index;
    uint256 identifier;
    bytes32[] criteriaProof;
}

/// @notice What left an offerer.
struct SpentItem {
    uint8 itemType;
    address token;
    uint256 identifier;
    uint256 amount;
}

/// @notice What reached a recipient.
struct ReceivedItem {
    uint8 itemType;
    address token;
    uint256 identifier;
    uint256 amount;
    address payable recipient;
}

/// @notice What Seaport tells a zone of a restricted order that somebody else than the zone fulfils.
struct ZoneParameters {
    bytes32 orderHash;
    address fulfiller;
    address offerer;
    SpentItem[] offer;
    ReceivedItem[] consideration;
    bytes extraData;
    bytes32[] orderHashes;
    uint256 startTime;
    uint256 endTime;
    bytes32 zoneHash;
}

/// @notice A Seaport improvement proposal that a zone follows.
struct Schema {
    uint256 id;
    bytes metadata;
}

/// @title The one function of Seaport that the zone calls
interface ISeaport {
    /// @notice Fills an order: its offer goes to `recipient`, its consideration comes from the caller.
    /// @return fulfilled True, or it reverts.
    function fulfillAdvancedOrder(
        AdvancedOrder calldata order,
        CriteriaResolver[] calldata criteriaResolvers,
        bytes32 fulfillerConduitKey,
        address recipient
    ) external payable returns (bool fulfilled);
}

/// @title What Seaport 1.6 expects of a zone (ZoneInterface)
interface ISeaportZone {
    /// @notice Asked before anything moves.
    /// @return Its own selector, if the order may be filled.
    function authorizeOrder(ZoneParameters calldata order) external returns (bytes4);

    /// @notice Asked after everything has moved.
    /// @return Its own selector, if the order was filled rightly.
    function validateOrder(ZoneParameters calldata order) external returns (bytes4);

    /// @notice Name of the zone, and the proposals that it follows (SIP-5).
    function getSeaportMetadata() external view returns (string memory name, Schema[] memory schemas);

    /// @notice ERC-165. Stands here because it counts for the interface's id.
    function supportsInterface(bytes4 interfaceId) external view returns (bool);
}
