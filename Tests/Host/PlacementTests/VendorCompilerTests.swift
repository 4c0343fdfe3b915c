// A vendor's compiler, played by a script: what is made of its results and of its failures.
import Fitting
import Foundation
import Placement
import Testing

@Suite struct VendorCompilerTests {
  private func accelerator() throws -> DeviceProfile.Accelerator {
    try #require(try DeviceProfile.named("orange-pi-5", folder: nil).accelerator)
  }

  /// Runs `script` as the Python: $1 -c, $2 the program, $3 model, $4 result, $5 platform.
  private func compile(
    _ script: String, model: [UInt8] = [1, 2, 3], maximumSeconds: Double = 30
  ) throws -> VendorCompiler.Result {
    let path = FileManager.default.temporaryDirectory.appending(
      path: "python-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: path) }
    try Data("#!/bin/sh\n\(script)\n".utf8).write(to: path)
    try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: path.path)
    let compiler = try VendorCompiler(
      accelerator(), python: path.path, maximumSeconds: maximumSeconds)
    return try compiler.compile(model)
  }

  @Test func resultAndEstimate() throws {
    let found = try compile(
      """
      echo 'D RKNN: ID OpType Cycles(DDR/NPU/Total) RW(KB)'
      echo 'D RKNN: 1 Conv INT8 NPU (1,3) (1,8) 42485/112896/112896 785 Conv:a/b'
      echo 'D RKNN: 2 Conv INT8 NPU (1,8) (1,8) 11234/4096/11234 258 Conv:c0' >&2
      { cat "$3"; printf "$5"; } > "$4"
      """)
    #expect(found.bytes == [1, 2, 3] + Array("rk3588".utf8))
    #expect(abs(try #require(found.seconds) - 124_130e-9) < 1e-12)
  }

  @Test func velaSaysSeconds() throws {
    let accelerator = try #require(try DeviceProfile.named("imx93", folder: nil).accelerator)
    let path = FileManager.default.temporaryDirectory.appending(path: "vela-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: path) }
    let script =
      "#!/bin/sh\necho 'seconds of one run: 0.00125'\n{ cat \"$3\"; printf $5; } > \"$4\"\n"
    try Data(script.utf8).write(to: path)
    try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: path.path)
    let found = try VendorCompiler(accelerator, python: path.path).compile([7])
    #expect(found.bytes == [7] + Array("ethos-u65-256".utf8) && found.seconds == 0.00125)
  }

  @Test func noEstimate() throws {
    #expect(try compile("cat \"$3\" > \"$4\"").seconds == nil)
  }

  @Test func failures() throws {
    #expect(
      throws: VendorCompilerError.failed(compiler: "rknn-toolkit2", line: "E build: bad node")
    ) { _ = try compile("echo 'E build: bad node'; echo bye; exit 1") }
    // No file is a failure too, whatever it says.
    #expect(throws: VendorCompilerError.failed(compiler: "rknn-toolkit2", line: "fine")) {
      _ = try compile("echo fine")
    }
    #expect(throws: VendorCompilerError.tookTooLong(compiler: "rknn-toolkit2", seconds: 0.2)) {
      _ = try compile("exec sleep 60", maximumSeconds: 0.2)
    }
  }

  @Test func notThere() throws {
    #expect(throws: VendorCompilerError.self) { _ = try compile("exit 69") }
    let compiler = try VendorCompiler(accelerator(), python: "no-such-python")
    let error = #expect(throws: VendorCompilerError.self) { _ = try compiler.compile([1]) }
    #expect(error?.isMissing == true)
    #expect(error?.description.contains("no-such-python -m pip install rknn-toolkit2") == true)
    var other = try accelerator()
    other.compiler = "TensorRT"
    #expect(throws: VendorCompilerError.unknown(compiler: "TensorRT")) {
      _ = try VendorCompiler(other)
    }
  }
}
