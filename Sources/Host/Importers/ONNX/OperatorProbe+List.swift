// The probes: what any operator may take, and what some need.
import Tensors

extension OperatorProbe {
  private static let picture = [1, 4, 6, 6]

  /// Tried with every operator that has no probes of its own.
  static let general: [OperatorProbe] = [
    OperatorProbe([.data(picture)]),
    OperatorProbe([.data(picture), .data(picture)]),
    OperatorProbe([.data([4, 6]), .data([6, 4])]),
    OperatorProbe([.data([3, 3])]),
    OperatorProbe([.data([4])]),
    OperatorProbe([.data(picture)], [("kernel_shape", .integers([2, 2]))]),
    OperatorProbe([.data(picture)], [("axes", .integers([1]))]),
    OperatorProbe([.data(picture), .integers([1])]),
    OperatorProbe([.data(picture), .integers([1], isScalar: true)]),
    OperatorProbe([.data(picture), .data([])]),
  ]

  /// Operators that need particular inputs or attributes.
  static let particular: [String: [OperatorProbe]] = [
    "AffineGrid": [OperatorProbe([.data([1, 2, 3]), .integers([1, 1, 4, 4])])],
    "ArrayFeatureExtractor": [OperatorProbe([.data([3, 4]), .integers([0, 2])])],
    "Attention": [
      OperatorProbe([.data([1, 2, 4, 8]), .data([1, 2, 4, 8]), .data([1, 2, 4, 8])]),
      OperatorProbe(
        [.data([1, 4, 8]), .weight([8, 24]), .weight([24])], [("num_heads", .integer(2))]),
    ],
    "BatchNormalization": [
      OperatorProbe([.data(picture), .weight([4]), .weight([4]), .weight([4]), .weight([4])])
    ],
    "BitCast": [OperatorProbe([.data([4])], [("to", .integer(2))])]
      + [3, 5, 6, 7, 1, 11].map { OperatorProbe([.data([4])], [("to", .integer($0))]) },
    "BitShift": [OperatorProbe([.data([4]), .data([4])], [("direction", .text("LEFT"))])],
    "BlackmanWindow": [OperatorProbe([.integers([8], isScalar: true)])],
    "Cast": [OperatorProbe([.data([4])], [("to", .integer(1))])],
    "CenterCropPad": [OperatorProbe([.data([6, 6]), .integers([4, 8])])],
    "Clip": [OperatorProbe([.data([4]), .weight([]), .weight([])])],
    "Col2Im": [
      OperatorProbe([.data([1, 4, 9]), .integers([4, 4]), .integers([2, 2])])
    ],
    "Compress": [OperatorProbe([.data([4]), .typed(.bool, [4])])],
    "Constant": [OperatorProbe([], [("value_float", .float(1))])],
    "ConstantOfShape": [OperatorProbe([.integers([2, 3])])],
    "Conv": [OperatorProbe([.data(picture), .weight([4, 4, 3, 3])])],
    "ConvInteger": [OperatorProbe([.data(picture), .weight([4, 4, 3, 3])])],
    "ConvTranspose": [OperatorProbe([.data(picture), .weight([4, 4, 3, 3])])],
    "CumProd": [OperatorProbe([.data([4]), .integers([0], isScalar: true)])],
    "CumSum": [OperatorProbe([.data([4]), .integers([0], isScalar: true)])],
    "DFT": [OperatorProbe([.data([1, 8, 1]), .absent, .integers([1], isScalar: true)])],
    "DeformConv": [
      OperatorProbe([.data([1, 1, 3, 3]), .weight([1, 1, 2, 2]), .data([1, 8, 2, 2])])
    ],
    "DepthToSpace": [OperatorProbe([.data(picture)], [("blocksize", .integer(2))])],
    "DequantizeLinear": [OperatorProbe([.data([4]), .floats([0.5], isScalar: true)])],
    "DynamicQuantizeLinear": [
      OperatorProbe([.data([4])], outputs: 3)
    ],
    "Einsum": [
      OperatorProbe([.data([2, 3]), .data([3, 4])], [("equation", .text("ij,jk->ik"))])
    ],
    "EmbedLayerNormalization": [
      OperatorProbe(
        [
          .typed(.i32, [1, 3]), .typed(.i32, [1, 3]), .weight([5, 4]), .weight([6, 4]),
          .weight([2, 4]), .weight([4]), .weight([4]),
        ], outputs: 2)
    ],
    "Expand": [OperatorProbe([.data([1, 4]), .integers([3, 4])])],
    "FusedGemm": [
      OperatorProbe([.data([4, 6]), .weight([6, 5])], [("activation", .text("Relu"))])
    ],
    "GRU": [
      OperatorProbe(
        [.data([3, 2, 4]), .weight([1, 15, 4]), .weight([1, 15, 5])],
        [("hidden_size", .integer(5))])
    ],
    "Gather": [OperatorProbe([.data([4, 5]), .typed(.i64, [2])])],
    "GatherElements": [OperatorProbe([.data([3, 3]), .typed(.i64, [1, 3])])],
    "GatherND": [OperatorProbe([.data([3, 3]), .typed(.i64, [2, 1])])],
    "Gemm": [OperatorProbe([.data([4, 6]), .weight([6, 5])])],
    "GridSample": [OperatorProbe([.data([1, 2, 4, 4]), .data([1, 3, 3, 2])])],
    "GroupNormalization": [
      OperatorProbe(
        [.data(picture), .weight([4]), .weight([4])], [("num_groups", .integer(2))])
    ],
    "GroupQueryAttention": [
      OperatorProbe(
        [
          .data([1, 3, 8]), .data([1, 3, 4]), .data([1, 3, 4]), .absent, .absent,
          .integers([2]), .integers([3]),
        ], [("num_heads", .integer(2)), ("kv_num_heads", .integer(1))], outputs: 3)
    ],
    "HammingWindow": [OperatorProbe([.integers([8], isScalar: true)])],
    "HannWindow": [OperatorProbe([.integers([8], isScalar: true)])],
    "InstanceNormalization": [OperatorProbe([.data(picture), .weight([4]), .weight([4])])],
    "Irfft": [OperatorProbe([.data([3, 5, 2])])],
    "LRN": [OperatorProbe([.data(picture)], [("size", .integer(3))])],
    "LSTM": [
      OperatorProbe(
        [.data([3, 2, 4]), .weight([1, 20, 4]), .weight([1, 20, 5])],
        [("hidden_size", .integer(5))])
    ],
    "LabelEncoder": [
      OperatorProbe(
        [.data([4])], [("keys_int64s", .integers([1, 2])), ("values_floats", .floats([1, 2]))]),
      OperatorProbe(
        [.data([4])], [("keys_floats", .floats([1, 2])), ("values_int64s", .integers([1, 2]))]),
      OperatorProbe(
        [.data([4])],
        [("keys_strings", .texts(["a", "b"])), ("values_int64s", .integers([1, 2]))]),
    ],
    "CategoryMapper": [
      OperatorProbe(
        [.data([4])], [("cats_int64s", .integers([1, 2])), ("cats_strings", .texts(["a", "b"]))])
    ],
    "RegexFullMatch": [OperatorProbe([.data([4])], [("pattern", .text("a+"))])],
    "TfIdfVectorizer": ["pool_int64s", "pool_strings"].map { pool in
      OperatorProbe(
        [.data([2, 4])],
        [
          (pool, pool == "pool_strings" ? .texts(["a", "b"]) : .integers([1, 2])),
          ("mode", .text("TF")), ("min_gram_length", .integer(1)), ("max_gram_length", .integer(1)),
          ("max_skip_count", .integer(0)), ("ngram_counts", .integers([0])),
          ("ngram_indexes", .integers([0, 1])),
        ])
    },
    "Tokenizer": [OperatorProbe([.data([4])], [("tokenexp", .text("a+"))])],
    "StringSplit": [OperatorProbe([.data([4])], outputs: 2)],
    "LayerNormalization": [OperatorProbe([.data([2, 6]), .weight([6])])],
    "LinearClassifier": [
      OperatorProbe(
        [.data([2, 3])],
        [
          ("coefficients", .floats([1, 2, 3, 4, 5, 6])), ("intercepts", .floats([0, 1])),
          ("classlabels_ints", .integers([0, 1])), ("multi_class", .integer(0)),
        ], outputs: 2)
    ],
    "LinearRegressor": [
      OperatorProbe(
        [.data([2, 3])], [("coefficients", .floats([1, 2, 3])), ("intercepts", .floats([0]))])
    ],
    "LinearAttention": [
      OperatorProbe(
        [.data([1, 4, 8]), .data([1, 4, 8]), .data([1, 4, 8])],
        [
          ("q_num_heads", .integer(2)), ("kv_num_heads", .integer(2)),
          ("update_rule", .text("linear")),
        ], outputs: 2)
    ],
    "MatMulInteger": [OperatorProbe([.data([2, 4]), .weight([4, 3])])],
    "MaxUnpool": [
      OperatorProbe(
        [.data([1, 1, 2, 2]), .typed(.i64, [1, 1, 2, 2])],
        [("kernel_shape", .integers([2, 2])), ("strides", .integers([2, 2]))])
    ],
    "MelWeightMatrix": [
      OperatorProbe([
        .integers([8], isScalar: true), .integers([16], isScalar: true),
        .integers([8000], isScalar: true), .floats([0], isScalar: true),
        .floats([4000], isScalar: true),
      ])
    ],
    "MultiHeadAttention": [
      OperatorProbe(
        [.data([1, 4, 8]), .data([1, 4, 8]), .data([1, 4, 8])], [("num_heads", .integer(2))])
    ],
    "NegativeLogLikelihoodLoss": [OperatorProbe([.data([3, 5]), .typed(.i64, [3])])],
    "NonMaxSuppression": [
      OperatorProbe([.data([1, 6, 4]), .data([1, 1, 6]), .integers([3], isScalar: true)])
    ],
    "OneHot": [
      OperatorProbe([.data([4]), .integers([3], isScalar: true), .floats([0, 1])])
    ],
    "OneHotEncoder": [
      OperatorProbe([.data([4])], [("cats_int64s", .integers([1, 2]))]),
      OperatorProbe([.data([4])], [("cats_strings", .texts(["a", "b"]))]),
    ],
    "Pad": [OperatorProbe([.data([4, 4]), .integers([0, 1, 0, 1])])],
    "QLinearConv": [
      OperatorProbe([
        .data(picture), .floats([1], isScalar: true), .weight([]), .weight([4, 4, 3, 3]),
        .floats([1], isScalar: true), .weight([]), .floats([1], isScalar: true), .weight([]),
      ])
    ],
    "QLinearMatMul": [
      OperatorProbe([
        .data([2, 4]), .floats([1], isScalar: true), .weight([]), .weight([4, 3]),
        .floats([1], isScalar: true), .weight([]), .floats([1], isScalar: true), .weight([]),
      ])
    ],
    "QuantizeLinear": [OperatorProbe([.data([4]), .floats([0.5], isScalar: true)])],
    "RMSNormalization": [OperatorProbe([.data([2, 6]), .weight([6])])],
    "RNN": [
      OperatorProbe(
        [.data([3, 2, 4]), .weight([1, 5, 4]), .weight([1, 5, 5])],
        [("hidden_size", .integer(5))])
    ],
    "Range": [OperatorProbe([.number(0), .number(4), .number(1)])],
    "Reshape": [OperatorProbe([.data([4, 6]), .integers([2, -1])])],
    "Resize": [OperatorProbe([.data(picture), .absent, .floats([1, 1, 2, 2])])],
    "ReverseSequence": [OperatorProbe([.data([4, 4]), .typed(.i64, [4])])],
    "RoiAlign": [
      OperatorProbe([.data([1, 1, 6, 6]), .data([2, 4]), .typed(.i64, [2])])
    ],
    "RotaryEmbedding": [
      OperatorProbe([.data([1, 2, 4, 8]), .data([16, 4]), .data([16, 4]), .typed(.i64, [1, 4])]),
      OperatorProbe(
        [.data([1, 2, 3, 4]), .typed(.i64, [1, 3]), .weight([4, 2]), .weight([4, 2])]),
    ],
    "STFT": [OperatorProbe([.data([1, 32, 1]), .integers([4], isScalar: true), .weight([8])])],
    "Scatter": [OperatorProbe([.data([3, 3]), .typed(.i64, [1, 3]), .data([1, 3])])],
    "ScatterElements": [OperatorProbe([.data([3, 3]), .typed(.i64, [1, 3]), .data([1, 3])])],
    "ScatterND": [OperatorProbe([.data([4, 5]), .typed(.i64, [2, 1]), .data([2, 5])])],
    "SkipLayerNormalization": [
      OperatorProbe([.data([2, 4]), .data([2, 4]), .weight([4]), .weight([4])])
    ],
    "SkipSimplifiedLayerNormalization": [
      OperatorProbe([.data([2, 4]), .data([2, 4]), .weight([4])])
    ],
    "Slice": [OperatorProbe([.data([4, 4]), .integers([0]), .integers([2])])],
    "SoftmaxCrossEntropyLoss": [OperatorProbe([.data([3, 5]), .typed(.i64, [3])])],
    "SpaceToDepth": [OperatorProbe([.data(picture)], [("blocksize", .integer(2))])],
    "Split": [OperatorProbe([.data([4, 4]), .integers([2, 2])], outputs: 2)],
    "Squeeze": [OperatorProbe([.data([1, 4]), .integers([0])])],
    "TensorScatter": [
      OperatorProbe([.data([1, 2, 8, 4]), .data([1, 2, 2, 4]), .typed(.i64, [1])])
    ],
    "Tile": [OperatorProbe([.data([4, 4]), .integers([2, 1])])],
    "TopK": [OperatorProbe([.data([4]), .integers([2])], outputs: 2)],
    "Unsqueeze": [OperatorProbe([.data([4]), .integers([0])])],
    "Upsample": [OperatorProbe([.data(picture), .floats([1, 1, 2, 2])])],
    "Where": [OperatorProbe([.typed(.bool, [4]), .data([4]), .data([4])])],
  ]
}
