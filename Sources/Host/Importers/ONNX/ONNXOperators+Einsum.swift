// Einstein summation: any number of operands, made of diagonals, sums and matrix products.
import Graphs
import Operators
import Tensors

extension ONNXOperator {
  static let sums: [ONNXOperator] = [ONNXOperator("Einsum", 12, einsum)]

  /// A value and the label of each of its axes.
  private struct Term {
    var value: ValueID
    var labels: [Character]
  }

  private static func einsum(_ b: inout ONNXGraphBuilder) throws(ImportError) -> [ValueID] {
    let equation = try b.string("equation", "").filter { !$0.isWhitespace }
    guard equation.utf8.count <= 512 else { throw b.fail("the equation is too long") }
    let sides = equation.split(separator: ">", omittingEmptySubsequences: false)
    guard sides.count <= 2, sides.count == 1 || sides[0].hasSuffix("-") else {
      throw b.fail("'\(equation)' is no equation")
    }
    let left = sides.count == 2 ? sides[0].dropLast() : sides[0]
    let names = left.split(separator: ",", omittingEmptySubsequences: false)
    let values = try b.allInputs()
    guard names.count == values.count else {
      throw b.fail("'\(equation)' is not about \(values.count) operands")
    }
    var terms: [Term] = []
    for (name, value) in zip(names, values) {
      guard b.elementType(value) == .f32 else { throw b.fail("operands must be real numbers") }
      terms.append(
        Term(value: value, labels: try labels(b, String(name), rank: try b.rank(value))))
    }
    let output: [Character]
    if sides.count == 2 {
      let all = terms.flatMap(\.labels)
      output = try labels(b, String(sides[1]), broadcast: all.filter(\.isNumber).sorted(by: >))
    } else {
      // Labels that appear once, in alphabetical order, behind what is broadcast.
      let all = terms.flatMap(\.labels)
      let single = Set(all).filter { c in c.isLetter && all.filter { $0 == c }.count == 1 }
      output = Array(Set(all.filter(\.isNumber))).sorted(by: >) + single.sorted()
    }
    guard Set(output).count == output.count, output.count <= Shape.maximumRank,
      Set(output).isSubset(of: terms.flatMap(\.labels))
    else { throw b.fail("'\(equation)' has an impossible output") }
    b.note("Einsum → sums, products")
    for i in terms.indices { terms[i] = try diagonals(&b, terms[i]) }
    var result = sum(&b, terms[0], keeping: Set(terms.dropFirst().flatMap(\.labels) + output))
    for i in terms.indices.dropFirst() {
      let needed = Set(terms[(i + 1)...].flatMap(\.labels) + output)
      let next = sum(&b, terms[i], keeping: needed.union(result.labels))
      result = try product(&b, result, next, keeping: needed)
      result = sum(&b, result, keeping: needed)
    }
    let order = output.map { result.labels.firstIndex(of: $0)! }
    guard order != Array(order.indices) else { return [result.value] }
    return [b.transpose(result.value, order)]
  }

  /// One label per axis. Axes under an ellipsis get digits, the last one 0, as they are broadcast.
  private static func labels(
    _ b: ONNXGraphBuilder, _ text: String, rank: Int? = nil, broadcast: [Character] = []
  ) throws(ImportError) -> [Character] {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    let letters = parts.joined()
    guard letters.allSatisfy({ $0.isASCII && $0.isLetter }), parts.count == 1 || parts.count == 4,
      parts.count == 1 || parts[1].isEmpty && parts[2].isEmpty
    else { throw b.fail("'\(text)' is no list of labels") }
    guard parts.count == 4 else {
      guard rank == nil || rank == letters.count else {
        throw b.fail("'\(text)' is about another number of axes than \(rank!)")
      }
      return Array(letters)
    }
    var middle = broadcast
    if let rank {
      let count = rank - letters.count
      guard (0...8).contains(count) else {
        throw b.fail("'\(text)' is about more than \(rank) axes")
      }
      middle = (0..<count).reversed().map { Character("\($0)") }
    } else {
      var seen = Set<Character>()
      middle = broadcast.filter { seen.insert($0).inserted }
    }
    return Array(parts[0]) + middle + Array(parts[3])
  }

  /// Of labels that a term has twice, the elements where both indices are equal.
  private static func diagonals(
    _ b: inout ONNXGraphBuilder, _ term: Term
  ) throws(ImportError) -> Term {
    var term = term
    while let label = term.labels.first(where: { c in term.labels.filter { $0 == c }.count > 1 }) {
      let i = term.labels.firstIndex(of: label)!
      let j = term.labels[(i + 1)...].firstIndex(of: label)!
      let extent = try b.fixedExtent(term.value, i, "the extent of a diagonal")
      guard extent == b.facts.extent(term.value, j), extent >= 1, extent <= 1 << 20 else {
        throw b.fail("axes '\(label)' have different extents")
      }
      let others = term.labels.indices.filter { $0 != i && $0 != j }
      let turned = b.transpose(term.value, others + [i, j])
      // Both axes as one, of which every (extent + 1)-th element is on the diagonal.
      let flat = b.reshape(turned, [Int](repeating: 0, count: others.count) + [extent * extent])
      term.value = b.slice(
        flat, axis: others.count, from: 0, to: extent * extent, by: extent + 1)
      term.labels = others.map { term.labels[$0] } + [label]
    }
    return term
  }

  /// The term summed over the labels that nothing else needs.
  private static func sum(
    _ b: inout ONNXGraphBuilder, _ term: Term, keeping: Set<Character>
  ) -> Term {
    let axes = term.labels.indices.filter { !keeping.contains(term.labels[$0]) }
    guard !axes.isEmpty else { return term }
    return Term(
      value: b.reduce(.sum, term.value, axes, keepsAxes: false),
      labels: term.labels.filter { keeping.contains($0) })
  }

  /// Two terms as one matrix product: labels of both that are still needed are its batches, the others
  /// that both have are summed over.
  private static func product(
    _ b: inout ONNXGraphBuilder, _ x: Term, _ y: Term, keeping: Set<Character>
  ) throws(ImportError) -> Term {
    let shared = x.labels.filter { y.labels.contains($0) }
    let batch = shared.filter { keeping.contains($0) }
    let summed = shared.filter { !keeping.contains($0) }
    let rows = x.labels.filter { !y.labels.contains($0) }
    let columns = y.labels.filter { !x.labels.contains($0) }
    guard batch.count + max(rows.count + columns.count, 2) <= Shape.maximumRank else {
      throw b.fail("a product has more than \(Shape.maximumRank) axes")
    }
    let extents: (Term, [Character], inout ONNXGraphBuilder) -> [ValueID] = { term, labels, b in
      labels.map { b.extent(of: term.value, term.labels.firstIndex(of: $0)!) }
    }
    func count(_ list: [ValueID], _ b: inout ONNXGraphBuilder) -> ValueID {
      guard let first = list.first else { return b.constant([1]) }
      return list.dropFirst().reduce(first) { b.binary(.mul, $0, $1) }
    }
    func matrix(
      _ term: Term, _ first: [Character], _ second: [Character], _ b: inout ONNXGraphBuilder
    ) -> ValueID {
      let order = (batch + first + second).map { term.labels.firstIndex(of: $0)! }
      let turned = order == Array(order.indices) ? term.value : b.transpose(term.value, order)
      let shape =
        extents(term, batch, &b) + [
          count(extents(term, first, &b), &b), count(extents(term, second, &b), &b),
        ]
      return b.reshape(turned, shape)
    }
    let product = b.matMul(matrix(x, rows, summed, &b), matrix(y, summed, columns, &b))
    let leading = batch.indices.map { b.extent(of: product, $0) }
    let shape = leading + extents(x, rows, &b) + extents(y, columns, &b)
    let value = shape.isEmpty ? b.reshape(product, [Int]()) : b.reshape(product, shape)
    return Term(value: value, labels: batch + rows + columns)
  }
}
