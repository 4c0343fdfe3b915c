// From a fastText model to a graph over the rows that its tokenizer asks for.
import Graphs
import Operators
import Tensors
import Tokenizers

/// Imports fastText models, `.bin` and quantized `.ftz`.
///
/// A classifier's graph takes `ids`, i64 [sequence], and gives `probabilities`, f32 [1, labels], as
/// `predict` does, its 1e-5 on top included, and `sentence_vector` [1, width]. A model of word vectors also
/// takes `averages`, f32 [words, sequence], one over the count of its rows at each word's rows, and gives
/// `word_vectors` [words, width] and `sentence_vector` [1, width].
public enum FastTextImporter {
  public static let idsName = "ids"
  public static let averagesName = "averages"
  /// Rows of one text; more are cut off.
  static let maximumLength = 1 << 16

  /// True for files that begin as fastText's do.
  static func isFastText(_ file: ModelFile) -> Bool {
    file.count >= 4
      && file.bytes.loadUnaligned(as: Int32.self).littleEndian == FastTextFile.magic
  }

  /// The model in `file`.
  public static func importModel(_ file: ModelFile) throws(ImportError) -> ImportedModel {
    let model = try FastTextFile(file)
    var graph = Graph(name: "fasttext")
    let ids = graph.addInput(idsName, .i64, [.symbol("sequence")])
    graph.limits["sequence"] = maximumLength
    let vectors = try model.addRows(to: &graph, ids)
    var options = FastTextOptions()
    options.minimumPiece = model.minimumPiece
    options.maximumPiece = model.maximumPiece
    options.wordRun = model.wordRun
    options.bucketCount = model.bucketCount
    options.isSupervised = model.model == .supervised
    options.maximumTokens = maximumLength
    if options.isSupervised {
      let mean = Reduce(.mean, axes: IntegerList([0]), keepsAxes: true)
      let hidden = graph.add(.reduce(mean), [vectors], name: "sentence_vector")
      let labels = model.entries[model.wordCount...]
      graph.labels = labels.map { String(decoding: $0.text, as: UTF8.self) }
      graph.addOutput("probabilities", try model.addProbabilities(to: &graph, hidden))
      graph.addOutput("sentence_vector", hidden)
    } else {
      model.addWordVectors(to: &graph, vectors)
    }
    var imported = ImportedModel(graph: graph, format: .fastText)
    imported.task = options.isSupervised ? .textClassification : .sentenceEmbedding
    imported.labels = graph.labels
    imported.maximumLength = maximumLength
    do throws(FastTextError) {
      let tokenizer = try FastTextTokenizer(
        words: model.entries.map { $0.text }, wordCount: model.wordCount, kept: model.kept,
        options: options)
      imported.tokenizer = TokenizerSource(serialized: tokenizer.serialize())
    } catch {
      throw ImportError(file: file.path, .key("dictionary", "\(error)"))
    }
    return imported
  }
}

extension FastTextFile {
  private func floats(_ range: Range<Int>, _ shape: Shape) throws(ImportError) -> Constant {
    Constant(elementType: .f32, shape: shape, viewing: try file.view(range), owner: file)
  }

  /// The rows of the input table that `ids` [n] asks for: [n, columns].
  func addRows(to graph: inout Graph, _ ids: ValueID) throws(ImportError) -> ValueID {
    let pick = Operator.gather(Gather(axis: 0))
    switch input {
    case .dense(let rows, let columns, let data):
      let table = graph.addConstant("input", try floats(data, Shape([rows, columns])))
      return graph.add(pick, [table, ids], name: "rows")
    case .quantized(let matrix):
      let quantizer = matrix.quantizer
      let codes = graph.addConstant(
        "input.codes",
        Constant(
          elementType: .u8, shape: Shape([matrix.rows, quantizer.parts]),
          viewing: try file.view(matrix.codes), owner: file))
      let table = graph.addConstant("input.centroids", try centroids(of: quantizer))
      let offsets = graph.addConstant(
        "input.parts",
        Constant(
          integers: (0..<quantizer.parts).map { $0 * ProductQuantizer.centroidCount },
          shape: Shape([quantizer.parts])))
      graph.history["product quantizer → gather, sum", default: 0] += 1
      var y = graph.add(pick, [codes, ids], name: "codes")
      y = graph.add(.cast(Cast(to: .i64)), [y], name: "codes")
      y = graph.add(.binary(Binary(.add)), [y, offsets], name: "places")
      y = graph.add(pick, [table, y], name: "parts")
      let width = quantizer.parts * quantizer.width
      y = graph.add(.reshape(Reshape(.target, IntegerList([-1, width]))), [y], name: "rows")
      if width > quantizer.columns {
        let cut = Slice(
          starts: IntegerList([0]), ends: IntegerList([quantizer.columns]),
          axes: IntegerList([1]), steps: IntegerList([1]))
        y = graph.add(.slice(cut), [y], name: "rows")
      }
      guard let norms = matrix.norms else { return y }
      let normCodes = graph.addConstant(
        "input.norm_codes",
        Constant(
          elementType: .u8, shape: Shape([matrix.rows, 1]), viewing: try file.view(norms.codes),
          owner: file))
      let sizes = graph.addConstant(
        "input.norms",
        try centroids(of: norms.quantizer).reshaped(Shape([ProductQuantizer.centroidCount])))
      var norm = graph.add(pick, [normCodes, ids], name: "norm_codes")
      norm = graph.add(.cast(Cast(to: .i64)), [norm], name: "norm_codes")
      norm = graph.add(pick, [sizes, norm], name: "norms")
      return graph.add(.binary(Binary(.mul)), [y, norm], name: "rows")
    }
  }

  /// Centroids [parts · 256, width], the last part's filled with zeros.
  private func centroids(of quantizer: ProductQuantizer) throws(ImportError) -> Constant {
    let count = ProductQuantizer.centroidCount
    let bytes = try file.view(quantizer.centroids)
    let shape = Shape([quantizer.parts * count, quantizer.width])
    let full = (quantizer.parts - 1) * count * quantizer.width
    return Constant(elementType: .f32, shape: shape) { out in
      out.initializeMemory(as: UInt8.self, repeating: 0)
      out.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<(full * 4)]))
      for i in 0..<count {
        let start = (full + i * quantizer.lastWidth) * 4
        let place = (full + i * quantizer.width) * 4
        UnsafeMutableRawBufferPointer(rebasing: out[place..<(place + quantizer.lastWidth * 4)])
          .copyMemory(
            from: UnsafeRawBufferPointer(
              rebasing: bytes[start..<(start + quantizer.lastWidth * 4)]))
      }
    }
  }

  /// The output matrix in f32, [labels, columns].
  private func outputMatrix() throws(ImportError) -> Constant {
    switch output {
    case .dense(let rows, let columns, let data):
      return try floats(data, Shape([rows, columns]))
    case .quantized(let matrix):
      let codes = try file.view(matrix.codes)
      let quantizer = matrix.quantizer
      let table = try centroids(of: quantizer).floats ?? []
      var norms: [Float] = []
      if let own = matrix.norms {
        let values = try centroids(of: own.quantizer).floats ?? []
        norms = try file.view(own.codes).map { values[Int($0)] }
      }
      return Constant(elementType: .f32, shape: Shape([matrix.rows, matrix.columns])) { out in
        for row in 0..<matrix.rows {
          for column in 0..<matrix.columns {
            let part = column / quantizer.width
            let code =
              part * ProductQuantizer.centroidCount + Int(codes[row * quantizer.parts + part])
            let value = table[code * quantizer.width + column % quantizer.width]
            out.storeBytes(
              of: norms.isEmpty ? value : norms[row] * value,
              toByteOffset: (row * matrix.columns + column) * 4, as: Float.self)
          }
        }
      }
    }
  }

  /// Probabilities [1, labels] of hidden [1, columns].
  func addProbabilities(
    to graph: inout Graph, _ hidden: ValueID
  ) throws(ImportError) -> ValueID {
    let matrix = graph.addConstant("output", try outputMatrix())
    var y = graph.add(.matMul(MatMul(transposeB: true)), [hidden, matrix], name: "scores")
    func add(_ op: Operator) { y = graph.add(op, [y], name: "probabilities") }
    switch loss {
    case .softmax: add(.softmax(Softmax(axis: -1)))
    case .negativeSampling, .oneAgainstAll: y = addTableSigmoid(to: &graph, y)
    case .hierarchicalSoftmax: return try addTreeProbabilities(to: &graph, y)
    }
    // fastText adds this before it takes a logarithm, and gives the logarithm's exponential.
    add(.unary(Unary(.affine, 1, 1e-5)))
    return y
  }

  /// fastText's sigmoid: a table of 512 steps from −8 to 8, and 0 and 1 beyond.
  private func addTableSigmoid(to graph: inout Graph, _ x: ValueID) -> ValueID {
    func add(_ op: Operator, _ inputs: [ValueID]) -> ValueID {
      graph.add(op, inputs, name: "sigmoid")
    }
    func number(_ value: Float) -> ValueID {
      graph.addConstant("sigmoid.\(value)", Constant(floats: [value], shape: Shape()))
    }
    let steps = add(
      .unary(Unary(.floor)), [add(.unary(Unary(.affine, 32, 256)), [x])])
    let value = add(.unary(Unary(.sigmoid)), [add(.unary(Unary(.affine, 1.0 / 32, -8)), [steps])])
    let isHigh = add(.binary(Binary(.greater)), [x, number(8)])
    let isLow = add(.binary(Binary(.less)), [x, number(-8)])
    let capped = add(.select(Select()), [isHigh, number(1), value])
    return add(.select(Select()), [isLow, number(0), capped])
  }

  /// Sums of logarithms along each label's way through the tree of decisions.
  private func addTreeProbabilities(
    to graph: inout Graph, _ scores: ValueID
  ) throws(ImportError) -> ValueID {
    let labels = entries.count - wordCount
    guard
      let paths = FastTextPaths(
        counts: entries[wordCount...].map { $0.count }, limit: 1 << 26)
    else {
      throw ImportError(
        file: file.path, .key("dictionary", "the counts of labels make no tree of moderate depth"))
    }
    func add(_ op: Operator, _ inputs: [ValueID]) -> ValueID {
      graph.add(op, inputs, name: "tree")
    }
    // The last row of the output matrix belongs to no decision.
    let cut = Slice(
      starts: IntegerList([0]), ends: IntegerList([labels - 1]), axes: IntegerList([1]),
      steps: IntegerList([1]))
    let right = add(.unary(Unary(.sigmoid)), [add(.slice(cut), [scores])])
    let left = add(.unary(Unary(.affine, -1, 1)), [right])
    let zero = graph.addConstant("tree.end", Constant(floats: [1], shape: Shape([1, 1])))
    func logarithm(_ x: ValueID) -> ValueID {
      add(.unary(Unary(.log)), [add(.unary(Unary(.affine, 1, 1e-5)), [x])])
    }
    let end = add(.unary(Unary(.log)), [zero])
    let all = add(.concat(Concat(axis: 1)), [logarithm(left), logarithm(right), end])
    let places = graph.addConstant(
      "tree.paths", Constant(integers: paths.places, shape: Shape([labels, paths.depth])))
    let steps = add(.gather(Gather(axis: 1)), [all, places])
    let sum = Reduce(.sum, axes: IntegerList([2]), keepsAxes: false)
    return graph.add(.unary(Unary(.exp)), [add(.reduce(sum), [steps])], name: "probabilities")
  }

  /// Averages of rows by word, and the average of what they are at length 1.
  func addWordVectors(to graph: inout Graph, _ rows: ValueID) {
    let averages = graph.addInput(
      FastTextImporter.averagesName, .f32, [.symbol("words"), .symbol("sequence")])
    func add(_ op: Operator, _ inputs: [ValueID]) -> ValueID {
      graph.add(op, inputs, name: "sentence_vector")
    }
    let words = graph.add(.matMul(MatMul()), [averages, rows], name: "word_vectors")
    let lengths = add(.reduce(Reduce(.l2, axes: IntegerList([1]), keepsAxes: true)), [words])
    let zero = graph.addConstant("zero", Constant(floats: [0], shape: Shape()))
    let one = graph.addConstant("one", Constant(floats: [1], shape: Shape()))
    let isEmpty = add(.binary(Binary(.equal)), [lengths, zero])
    let scaled = add(
      .binary(Binary(.div)), [words, add(.select(Select()), [isEmpty, one, lengths])])
    // Words without a vector do not count.
    let counts = add(.select(Select()), [isEmpty, zero, one])
    let total = add(.reduce(Reduce(.sum, axes: IntegerList([0]), keepsAxes: true)), [counts])
    let divisor = add(.binary(Binary(.max)), [total, one])
    let sum = add(.reduce(Reduce(.sum, axes: IntegerList([0]), keepsAxes: true)), [scaled])
    graph.addOutput("word_vectors", words)
    graph.addOutput("sentence_vector", add(.binary(Binary(.div)), [sum, divisor]))
  }
}
