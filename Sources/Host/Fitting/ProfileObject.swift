// Reads one object of a profile strictly: every key once, of the right type and size, and no other.

import Bytes

/// An object of a device profile whose keys are taken one after the other.
struct ProfileObject {
  let source: String
  let path: String
  let offset: Int
  private let members: [JSONMember]
  /// True where a figure may be missing: nobody could measure it.
  var allowsGaps = false
  /// Keys that were asked for: those the object may have.
  private var asked: [String] = []

  /// The object that `value` is.
  init(_ value: JSONValue, source: String, path: String) throws(ProfileError) {
    guard let members = value.objectValue else {
      throw ProfileError(
        source: source, keyPath: path, offset: value.offset,
        reason: .wrongType(expected: "an object", found: value.kind.name))
    }
    (self.source, self.path, self.members, self.offset) = (source, path, members, value.offset)
  }

  /// To be called when every key was taken: refuses what is left.
  func finish() throws(ProfileError) {
    for member in members where !asked.contains(member.key) {
      let present = members.map(\.key)
      // A key that is there already is not what was meant.
      let absent = asked.filter { !present.contains($0) }
      let nearest =
        nearestName(to: member.key, among: absent) ?? nearestName(to: member.key, among: asked)
      throw ProfileError(
        source: source, keyPath: pathOf(member.key), offset: member.keyOffset,
        reason: .unknownKey(nearest: nearest))
    }
  }

  mutating func optional(_ key: String) -> JSONValue? {
    asked.append(key)
    return members.first { $0.key == key }?.value
  }

  mutating func required(_ key: String) throws(ProfileError) -> JSONValue {
    if let value = optional(key) { return value }
    // A mistyped key is a better answer than a missing one.
    if let typo = members.first(where: { nearestName(to: $0.key, among: [key]) == key }) {
      if !asked.contains(typo.key) {
        throw ProfileError(
          source: source, keyPath: pathOf(typo.key), offset: typo.keyOffset,
          reason: .unknownKey(nearest: key))
      }
    }
    throw ProfileError(
      source: source, keyPath: pathOf(key), offset: offset, reason: .missingKey)
  }

  mutating func object(_ key: String) throws(ProfileError) -> ProfileObject {
    var object = try ProfileObject(try required(key), source: source, path: pathOf(key))
    object.allowsGaps = allowsGaps
    return object
  }

  /// Whether the key is there.
  func has(_ key: String) -> Bool { members.contains { $0.key == key } }

  /// One line of text, 1 to 200 bytes of it.
  mutating func text(_ key: String) throws(ProfileError) -> String {
    try text(try required(key), pathOf(key))
  }

  mutating func bool(_ key: String) throws(ProfileError) -> Bool {
    let value = try required(key)
    guard let found = value.boolValue else {
      throw error(
        value, pathOf(key), .wrongType(expected: "true or false", found: value.kind.name))
    }
    return found
  }

  mutating func integer(_ key: String, _ range: ClosedRange<Int>) throws(ProfileError) -> Int {
    let value = try required(key)
    guard let number = value.numberValue else {
      throw error(value, pathOf(key), .wrongType(expected: "an integer", found: value.kind.name))
    }
    guard let whole = value.integerValue ?? Int(exactly: number), range.contains(whole) else {
      throw error(
        value, pathOf(key),
        .outOfRange(expected: "an integer from \(range.lowerBound) to \(range.upperBound)"))
    }
    return whole
  }

  mutating func number(
    _ key: String, _ range: ClosedRange<Double>
  ) throws(ProfileError) -> Double {
    try number(try required(key), pathOf(key), range)
  }

  /// A number that must be there unless gaps are allowed.
  mutating func figure(
    _ key: String, _ range: ClosedRange<Double>
  ) throws(ProfileError) -> Double? {
    allowsGaps ? try optionalNumber(key, range) : try number(key, range)
  }

  mutating func optionalNumber(
    _ key: String, _ range: ClosedRange<Double>
  ) throws(ProfileError) -> Double? {
    guard let value = optional(key) else { return nil }
    return try number(value, pathOf(key), range)
  }

  /// One of the names that `Name` has.
  mutating func name<Name: CaseIterable & RawRepresentable<String>>(
    _ key: String, of: Name.Type
  ) throws(ProfileError) -> Name {
    try name(try required(key), pathOf(key), of: Name.self)
  }

  /// Different names that `Name` has, in the order of the file.
  mutating func names<Name: CaseIterable & RawRepresentable<String>>(
    _ key: String, of: Name.Type
  ) throws(ProfileError) -> [Name] {
    var names: [Name] = []
    for (value, path) in try list(key, 0...64) {
      names.append(try name(value, path, of: Name.self))
    }
    return try different(names, key) { $0.rawValue }
  }

  /// Different lines of text, at least one.
  mutating func texts(_ key: String) throws(ProfileError) -> [String] {
    var texts: [String] = []
    for (value, path) in try list(key, 1...512) { texts.append(try text(value, path)) }
    return try different(texts, key) { $0 }
  }

  /// The elements of an array, of which there must be `count`, each with its path.
  mutating func list(
    _ key: String, _ count: ClosedRange<Int>
  ) throws(ProfileError) -> [(value: JSONValue, path: String)] {
    let value = try required(key)
    guard let array = value.arrayValue else {
      throw error(value, pathOf(key), .wrongType(expected: "an array", found: value.kind.name))
    }
    guard count.contains(array.count) else {
      throw error(
        value, pathOf(key),
        .outOfRange(expected: "\(count.lowerBound) to \(count.upperBound) elements"))
    }
    let path = pathOf(key)
    return array.enumerated().map { ($0.element, "\(path)[\($0.offset)]") }
  }

  func error(_ value: JSONValue, _ path: String, _ reason: ProfileError.Reason) -> ProfileError {
    ProfileError(source: source, keyPath: path, offset: value.offset, reason: reason)
  }

  func pathOf(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

  private func text(_ value: JSONValue, _ path: String) throws(ProfileError) -> String {
    guard let text = value.stringValue else {
      throw error(value, path, .wrongType(expected: "a string", found: value.kind.name))
    }
    guard (1...200).contains(text.utf8.count), text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
    else { throw error(value, path, .outOfRange(expected: "1 to 200 bytes on one line")) }
    return text
  }

  private func number(
    _ value: JSONValue, _ path: String, _ range: ClosedRange<Double>
  ) throws(ProfileError) -> Double {
    guard let number = value.numberValue else {
      throw error(value, path, .wrongType(expected: "a number", found: value.kind.name))
    }
    guard range.contains(number) else {
      throw error(
        value, path,
        .outOfRange(expected: "a number from \(range.lowerBound) to \(range.upperBound)"))
    }
    return number
  }

  private func name<Name: CaseIterable & RawRepresentable<String>>(
    _ value: JSONValue, _ path: String, of: Name.Type
  ) throws(ProfileError) -> Name {
    let text = try text(value, path)
    guard let name = Name(rawValue: text) else {
      let nearest = nearestName(to: text, among: Name.allCases.map(\.rawValue))
      throw error(value, path, .unknownName(text, nearest: nearest))
    }
    return name
  }

  private func different<Element>(
    _ elements: [Element], _ key: String, _ text: (Element) -> String
  ) throws(ProfileError) -> [Element] {
    var seen: Set<String> = []
    for element in elements where !seen.insert(text(element)).inserted {
      throw ProfileError(
        source: source, keyPath: pathOf(key), offset: offset,
        reason: .outOfRange(expected: "'\(text(element))' only once"))
    }
    return elements
  }
}
