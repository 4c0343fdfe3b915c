// An ONNX file as its messages say it, names read and tensors left where they are.

/// What an input or output is declared to be.
public struct ONNXValueInfo: Sendable {
  /// One extent as declared.
  public enum Dimension: Equatable, Sendable {
    case value(Int64)
    case parameter(String)
    case unknown
  }

  /// What a value is.
  public enum Kind: Equatable, Sendable {
    case tensor, sequence, optional
  }

  public var name = ""
  public var offset = 0
  public var kind = Kind.tensor
  /// A TensorProto.DataType, of a sequence or an optional that of what is inside; nil for anything but
  /// tensors.
  public var elementType: Int64?
  /// nil where not even the rank is declared.
  public var dimensions: [Dimension]?
}

/// A tensor's description; its elements stay in the file.
public struct ONNXTensor: Sendable {
  public var name = ""
  public var offset = 0
  public var dimensions: [Int64] = []
  /// A TensorProto.DataType.
  public var elementType: Int64 = 0
  public var rawData: Range<Int>?
  /// Where the floats or doubles of `float_data` and `double_data` lie.
  public var floatData: [Range<Int>] = []
  public var doubleData: [Range<Int>] = []
  /// `int32_data`, `int64_data` or `uint64_data`.
  public var integerData: [Int64] = []
  /// Where each text of `string_data` lies.
  public var stringData: [Range<Int>] = []
  /// True where the elements lie in another file, as `externalData` says.
  public var isExternal = false
  public var externalData: [String: String] = [:]
}

/// A node's attribute. Subgraphs are not read before somebody asks for them.
public struct ONNXAttribute: Sendable {
  /// What is set of the attribute's fields.
  public enum Value: Sendable {
    case float(Float)
    case integer(Int64)
    case string(Range<Int>)
    case tensor(ONNXTensor)
    case graph(Range<Int>)
    /// A graph that was read to rename what it captures.
    case subgraph(ONNXGraph)
    case floats([Float])
    case integers([Int64])
    case strings([Range<Int>])
    /// Tensor lists, sparse tensors and types, which no importer function takes.
    case other
  }

  public var name = ""
  public var offset = 0
  public var value: Value?
  /// Inside a function: the name of the caller's attribute that this one stands for.
  public var reference = ""
}

/// One operator call.
public struct ONNXNode: Sendable {
  public var name = ""
  public var offset = 0
  public var type = ""
  /// Empty for the standard operators.
  public var domain = ""
  public var overload = ""
  /// An input that is left out has an empty name.
  public var inputs: [String] = []
  public var outputs: [String] = []
  public var attributes: [ONNXAttribute] = []

  /// What messages call the node.
  public var label: String { name.isEmpty ? outputs.first { !$0.isEmpty } ?? "?" : name }
}

/// Nodes with their inputs, outputs and constants.
public struct ONNXGraph: Sendable {
  public var name = ""
  public var nodes: [ONNXNode] = []
  public var initializers: [ONNXTensor] = []
  public var inputs: [ONNXValueInfo] = []
  public var outputs: [ONNXValueInfo] = []
  public var valueInfo: [ONNXValueInfo] = []
}

/// A function that the model brings along.
public struct ONNXFunction: Sendable {
  public var name = ""
  public var domain = ""
  public var overload = ""
  public var inputs: [String] = []
  public var outputs: [String] = []
  public var nodes: [ONNXNode] = []
  public var opsets: [String: Int] = [:]
  /// Attributes with default values; the others have none.
  public var attributes: [ONNXAttribute] = []
}

/// A whole file.
public struct ONNXModel: Sendable {
  public var file: ModelFile
  public var irVersion: Int64 = 0
  public var producer = ""
  /// Opset version by domain; the standard domain is the empty one.
  public var opsets: [String: Int] = [:]
  public var graph = ONNXGraph()
  public var functions: [ONNXFunction] = []
}
