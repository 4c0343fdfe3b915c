// Calls the tool that makes an accelerator's own file of a part, where it is installed.
import Fitting
import Foundation

/// Why a vendor's compiler gave nothing.
public enum VendorCompilerError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A compiler that is not called from here.
  case unknown(compiler: String)
  /// What is called, and the command that installs it.
  case notInstalled(compiler: String, command: String)
  /// It ended with an error; the last line it wrote.
  case failed(compiler: String, line: String)
  case tookTooLong(compiler: String, seconds: Double)

  /// True where nothing was called.
  public var isMissing: Bool {
    switch self {
    case .unknown, .notInstalled: true
    case .failed, .tookTooLong: false
    }
  }

  public var description: String {
    switch self {
    case .unknown(let compiler):
      "\(compiler) is not called from here: give it the files of knapsack export --qdq --target"
    case .notInstalled(let compiler, let command):
      "\(compiler) is not installed: \(command), or name another Python in "
        + VendorCompiler.pythonVariable
    case .failed(let compiler, let line): "\(compiler) failed: \(line)"
    case .tookTooLong(let compiler, let seconds):
      "\(compiler) did not end within \(Int(seconds)) s"
    }
  }
}

/// The compiler of an accelerator.
public struct VendorCompiler: Sendable {
  /// Names the Python that vendors' packages are installed for.
  public static let pythonVariable = "KNAPSACK_PYTHON"

  /// What it made of a part.
  public struct Result: Equatable, Sendable {
    public var bytes: [UInt8]
    /// Its own estimate of one run, where it gives one.
    public var seconds: Double?
  }

  /// The packages that are called.
  static let rknn = "rknn-toolkit2"
  static let vela = "ethos-u-vela"

  public let name: String
  /// Ending of the files that it writes.
  public var fileExtension: String { name == Self.rknn ? "rknn" : "tflite" }
  private let platform: String
  private let clockHertz: Double?
  private let python: String
  private let maximumSeconds: Double

  /// python: nil takes what the environment names, else `python3`.
  public init(
    _ accelerator: DeviceProfile.Accelerator, python: String? = nil, maximumSeconds: Double = 1800
  ) throws(VendorCompilerError) {
    guard [Self.rknn, Self.vela].contains(accelerator.compiler),
      let platform = accelerator.compilerTarget
    else {
      throw .unknown(compiler: accelerator.compiler)
    }
    name = accelerator.compiler
    self.platform = platform
    clockHertz = accelerator.clockHertz
    self.python =
      python ?? ProcessInfo.processInfo.environment[Self.pythonVariable] ?? "python3"
    self.maximumSeconds = maximumSeconds
  }

  /// Exit code by which the script says that the package is not there.
  private static let missing: Int32 = 69

  /// Arguments: model, result, accelerator configuration. Vela's summary holds seconds.
  private static let velaScript = """
    import csv, glob, os, shutil, sys
    try:
        from ethosu.vela.vela import main
    except ImportError as error:
        print(error)
        sys.exit(\(missing))
    model, result, platform = sys.argv[1:4]
    folder = os.path.join(os.path.dirname(result), "vela")
    main([model, "--accelerator-config", platform, "--output-dir", folder])
    for summary in glob.glob(os.path.join(folder, "*_summary_*.csv")):
        with open(summary) as file:
            for row in csv.DictReader(file):
                print("seconds of one run:", row["inference_time"])
    shutil.copy(glob.glob(os.path.join(folder, "*_vela.tflite"))[0], result)
    """

  /// Arguments: model, result, platform.
  private static let rknnScript = """
    import sys
    try:
        from rknn.api import RKNN
    except ImportError as error:
        print(error)
        sys.exit(\(missing))
    model, result, platform = sys.argv[1:4]
    rknn = RKNN(verbose=True)
    for done in (lambda: rknn.config(target_platform=platform),
                 lambda: rknn.load_onnx(model=model),
                 lambda: rknn.build(do_quantization=False),
                 lambda: rknn.export_rknn(result)):
        if done() != 0:
            sys.exit(1)
    """

  /// The accelerator's file of an int8 QDQ ONNX file.
  public func compile(_ model: [UInt8]) throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appending(
      path: "knapsack-\(UUID().uuidString)")
    try FileManager.default.createDirectory(
      at: folder, withIntermediateDirectories: false,
      attributes: [.posixPermissions: 0o700])
    defer { try? FileManager.default.removeItem(at: folder) }
    let (source, result) = (
      folder.appending(path: name == Self.rknn ? "part.onnx" : "part.tflite"),
      folder.appending(path: "part.out")
    )
    let log = folder.appending(path: "log")
    try Data(model).write(to: source)
    try Data().write(to: log)
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [
      python, "-c", name == Self.rknn ? Self.rknnScript : Self.velaScript, source.path, result.path,
      platform,
    ]
    process.currentDirectoryURL = folder
    let output = try FileHandle(forWritingTo: log)
    defer { try? output.close() }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = output
    let ended = DispatchSemaphore(value: 0)
    process.terminationHandler = { _ in ended.signal() }
    try process.run()
    guard ended.wait(timeout: .now() + maximumSeconds) == .success else {
      process.terminate()
      if ended.wait(timeout: .now() + 5) != .success { kill(process.processIdentifier, SIGKILL) }
      throw VendorCompilerError.tookTooLong(compiler: name, seconds: maximumSeconds)
    }
    let text = String(decoding: try Data(contentsOf: log), as: UTF8.self)
    let lines = text.split(whereSeparator: \.isNewline)
    // 127: env found no such Python.
    if process.terminationStatus == Self.missing || process.terminationStatus == 127 {
      throw VendorCompilerError.notInstalled(
        compiler: name, command: "\(python) -m pip install \(name)")
    }
    guard process.terminationReason == .exit, process.terminationStatus == 0,
      let bytes = try? Data(contentsOf: result), !bytes.isEmpty
    else {
      let line = lines.last { $0.contains("E ") || $0.contains("Error") } ?? lines.last ?? "no word"
      throw VendorCompilerError.failed(compiler: name, line: String(line.prefix(200)))
    }
    return Result(bytes: [UInt8](bytes), seconds: seconds(lines))
  }

  /// Vela says it; of RKNN it is the sum of the layers' cycles, which stand as `DDR/NPU/total` in the
  /// table it prints.
  private func seconds(_ lines: [Substring]) -> Double? {
    if name == Self.vela {
      let words = lines.last { $0.hasPrefix("seconds of one run:") }?.split(separator: " ")
      return words?.last.flatMap { Double($0) }
    }
    guard let clockHertz, lines.contains(where: { $0.contains("Cycles(DDR/NPU/Total)") }) else {
      return nil
    }
    var cycles = 0.0
    for line in lines {
      for word in line.split(separator: " ") {
        let numbers = word.split(separator: "/", omittingEmptySubsequences: false).map {
          Double($0)
        }
        if numbers.count == 3, !numbers.contains(nil) { cycles += numbers[2] ?? 0 }
      }
    }
    return cycles > 0 ? cycles / clockHertz : nil
  }
}
