// What there is to know of a run that generates text, beside its inferences: those are its tokens.

/// What is fixed of a model that generates.
public struct GenerationFacts: Equatable, Sendable {
  /// The longest context, in tokens; nil is unknown.
  public var contextTokens: UInt64?
  /// What the KV cache has room for, in bytes; nil is unknown.
  public var keyValueBytes: UInt64?

  public init(contextTokens: UInt64? = nil, keyValueBytes: UInt64? = nil) {
    self.contextTokens = contextTokens
    self.keyValueBytes = keyValueBytes
  }
}

/// Requests, prompts and context of a run that generates text, warm-up apart.
///
/// An inference of such a run makes one token, all but the first of a request: latencies are times
/// per token. The first comes out of the prompt.
public struct TokenReading: Sendable {
  public var requestCount: UInt64 = 0
  public var promptTokenCount: UInt64 = 0
  /// The first ones included.
  public var outputTokenCount: UInt64 = 0

  /// Tokens per second of making tokens, in the window.
  public var decodePerSecond: Double?
  /// The same over the whole run.
  public var overallDecodePerSecond: Double?
  /// Tokens of prompts per second of reading them, in the window.
  public var prefillPerSecond: Double?
  /// The same over the whole run.
  public var overallPrefillPerSecond: Double?

  /// From a request's arrival to its first token, in the window.
  public var firstToken = LatencySummary()
  /// Whole requests, in the window.
  public var request = LatencySummary()
  /// The same two over the whole run.
  public var overallFirstToken = LatencyHistogram()
  public var overallRequest = LatencyHistogram()
  /// Joules of the window over its requests; nil as long as that of an inference is, or without any.
  public var joulesPerRequest: Double?

  /// Tokens in the context; nil is unknown.
  public var contextUsed: UInt64?
  public var contextLimit: UInt64?
  /// Bytes of the KV cache that hold anything; nil is unknown.
  public var keyValueBytes: UInt64?
  public var keyValueReservedBytes: UInt64?

  /// Of the latest request: its prompt and what came out so far; nil before the first.
  public var latestPromptTokens: UInt64?
  public var latestOutputTokens: UInt64 = 0
  /// Whether it is still being answered.
  public var isGenerating = false
  /// Speed of making tokens in each half second that had any, oldest first, in thousandths of a token per
  /// second.
  public var history: [UInt64] = []

  public init() {}
}
