// Named blobs that travel with a model: its vocabulary, its labels.

import Bytes

/// One blob.
public struct BundleAsset: Equatable, Sendable {
  /// Unique within its bundle: 1 to 255 bytes of UTF-8 without controls, slashes or `..`.
  public var name: String
  public var bytes: [UInt8]

  public init(name: String, bytes: [UInt8]) {
    self.name = name
    self.bytes = bytes
  }

  /// Whether a name may stand in a bundle.
  public static func isValid(name: String) -> Bool {
    var previous: UInt8 = 0
    for byte in name.utf8 {
      if byte < 0x20 || byte == 0x7F || byte == UInt8(ascii: "/") { return false }
      if byte == UInt8(ascii: "."), previous == byte { return false }
      previous = byte
    }
    return (1...255).contains(name.utf8.count)
  }
}

extension BundleReader {
  /// All blobs, in the order of their names' encoding; none where the bundle has no such section.
  public func assets() throws(BundleError) -> [BundleAsset] {
    guard let section = section(.assets) else { return [] }
    let bytes = try sectionBytes(.assets)
    var assets: [BundleAsset] = []
    for pair in try Self.map(bytes, of: section, path: path).mapValue ?? [] {
      guard let name = pair.key.textValue, BundleAsset.isValid(name: name),
        let blob = pair.value.bytesValue
      else {
        throw .invalid(
          BundleFault(
            path: path, section: section.name, offset: section.offset,
            reason: .content("expected a map of file names to bytes")))
      }
      assets.append(BundleAsset(name: name, bytes: blob))
    }
    return assets
  }
}
