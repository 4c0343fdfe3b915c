// swift-tools-version:6.2
import PackageDescription

/// What every Swift target is compiled with.
let common: [SwiftSetting] = [
  .enableExperimentalFeature("Lifetimes"),
  .treatAllWarnings(as: .error),
]

/// A module that also compiles as Embedded Swift (`make check-embedded`).
func device(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(
    name: name, dependencies: dependencies, path: "Sources/Device/\(name)",
    swiftSettings: common + [
      .strictMemorySafety(), .treatWarning("EmbeddedRestrictions", as: .error),
    ])
}

/// A module of build machines only; Foundation is welcome.
func host(
  _ name: String, _ dependencies: [Target.Dependency] = [], plugins: [Target.PluginUsage] = []
) -> Target {
  .target(
    name: name, dependencies: dependencies, path: "Sources/Host/\(name)", swiftSettings: common,
    plugins: plugins)
}

/// A C library found on the system.
func system(_ name: String, _ package: String) -> Target {
  .systemLibrary(name: name, path: "Sources/Device/\(name)", providers: [.apt([package])])
}

/// The tests of module `name`, which stand where the module stands under Sources.
func tests(_ floor: String, _ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .testTarget(
    name: "\(name)Tests", dependencies: [.init(stringLiteral: name)] + dependencies,
    path: "Tests/\(floor)/\(name)Tests", swiftSettings: common)
}

// Lowest floor first: an import goes down, and never from device to host.
let deviceTargets: [Target] = [
  // -O3 in debug builds too: tests run the kernels that ship.
  .target(
    name: "CKernels", path: "Sources/Device/CKernels", cSettings: [.unsafeFlags(["-O3"])],
    linkerSettings: [.linkedLibrary("m")]),
  .target(
    name: "CPlatform", path: "Sources/Device/CPlatform", cSettings: [.define("_GNU_SOURCE")]),
  system("CTerminal", "libncurses-dev"),
  system("CZstd", "libzstd-dev"),
  system("CSodium", "libsodium-dev"),
  device("Bytes"),
  device("Platform", ["CPlatform"]),
  device("Tensors"),
  device("Compression", ["CZstd"]),
  device("Tokenizers", ["Bytes"]),
  device("Telemetry", ["Bytes", "CPlatform", "Platform"]),
  device("Reporting", ["Bytes", "CPlatform", "Platform", "Telemetry"]),
  device("Kernels", ["CKernels", "CPlatform", "Platform", "Tensors"]),
  device("WeightCoding", ["Bytes", "CKernels", "Compression", "Tensors"]),
  device("Operators", ["CKernels", "CPlatform", "Tensors", "Tokenizers"]),
  device("Programs", ["Bytes", "Operators", "Tensors"]),
  device(
    "BundleFormat",
    [
      "Bytes", "CSodium", "Compression", "Kernels", "Platform", "Programs", "Tensors",
      "WeightCoding",
    ]),
  device("Runtime", ["CPlatform", "Kernels", "Operators", "Programs", "Tensors"]),
  device("Tasks", ["Bytes", "Platform", "Tensors", "Tokenizers"]),
  device("Monitor", ["Bytes", "CPlatform", "CTerminal", "Platform", "Reporting", "Telemetry"]),
  device(
    "Loops",
    [
      "BundleFormat", "Bytes", "CPlatform", "Kernels", "Monitor", "Operators", "Platform",
      "Programs", "Reporting", "Runtime", "Tasks", "Telemetry", "Tensors", "Tokenizers",
    ]),
]

let hostTargets: [Target] = [
  host("Graphs", ["Bytes", "Kernels", "Operators", "Tensors"]),
  host(
    "Importers",
    ["Bytes", "Graphs", "Kernels", "Operators", "Platform", "Tasks", "Tensors", "Tokenizers"]),
  host("Exporters", ["Graphs", "Operators", "Tensors"]),
  host("Lowering", ["Graphs", "Kernels", "Operators", "Programs", "Tensors"]),
  host(
    "Quantization",
    [
      "Bytes", "CKernels", "CZstd", "Graphs", "Kernels", "Lowering", "Tensors", "WeightCoding",
    ]),
  // The profiles of Targets are compiled in.
  host(
    "Fitting",
    [
      "Bytes", "Graphs", "Kernels", "Lowering", "Operators", "Platform", "Programs", "Quantization",
      "Runtime", "Tensors",
    ], plugins: ["EmbedTargets"]),
  .plugin(name: "EmbedTargets", capability: .buildTool()),
  host(
    "Calibration",
    [
      "Graphs", "Lowering", "Operators", "Platform", "Programs", "Quantization", "Runtime",
      "Tasks", "Tensors",
    ]),
  host(
    "Placement",
    [
      "Calibration", "Exporters", "Fitting", "Graphs", "Importers", "Lowering", "Operators",
      "Tensors",
    ]),
  host(
    "Packing",
    [
      "BundleFormat", "Bytes", "Calibration", "Fitting", "Graphs", "Importers", "Lowering",
      "Operators", "Placement", "Platform", "Programs", "Quantization", "Runtime", "Tasks",
      "Tensors", "Tokenizers", "WeightCoding",
    ]),
]

/// libFuzzer brings its own `main`: nothing but scripts/fuzz.sh can link this one.
let fuzzTargets: [Target] =
  Context.environment["KNAPSACK_FUZZ"] == nil
  ? []
  : [
    .executableTarget(
      name: "fuzz-importers",
      dependencies: [
        "Bytes", "Graphs", "Importers", "Lowering", "Quantization", "Tensors", "WeightCoding",
      ],
      path: "Tests/Fuzz",
      swiftSettings: common + [.unsafeFlags(["-parse-as-library"])])
  ]

/// Measurements that need the library's own code: scripts/coding-benchmark.sh.
let benchmarkTargets: [Target] =
  Context.environment["KNAPSACK_BENCHMARKS"] == nil
  ? []
  : [
    .executableTarget(
      name: "coding-benchmark",
      dependencies: [
        "Fitting", "Lowering", "Packing", "Quantization", "Tensors", "WeightCoding",
      ],
      path: "Benchmarks/coding", swiftSettings: common),
    .executableTarget(
      name: "monitor-benchmark", dependencies: ["Platform", "Telemetry"],
      path: "Benchmarks/monitor/recording", swiftSettings: common),
    .executableTarget(
      name: "fit-benchmark",
      dependencies: [
        "Calibration", "Fitting", "Graphs", "Importers", "Lowering", "Packing", "Platform",
        "Programs", "Quantization", "Runtime", "Tasks", "Tensors",
      ],
      path: "Benchmarks/fit", exclude: ["accuracy.py", "inputs.py", "run.py"],
      sources: ["main.swift"],
      swiftSettings: common),
  ]

let package = Package(
  name: "knapsack",
  products: [
    .executable(name: "knapsack", targets: ["knapsack"]),
    .executable(name: "knapsack-run", targets: ["knapsack-run"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2")
  ],
  targets: deviceTargets + hostTargets + fuzzTargets + benchmarkTargets + [
    .executableTarget(
      name: "knapsack-run", dependencies: ["BundleFormat", "Loops", "Platform"],
      path: "Sources/Tools/knapsack-run",
      swiftSettings: common + [.treatWarning("EmbeddedRestrictions", as: .error)]),
    .executableTarget(
      name: "knapsack",
      dependencies: [
        "BundleFormat", "Bytes", "Calibration", "Exporters", "Fitting", "Graphs", "Importers",
        "Kernels", "Loops", "Lowering", "Monitor", "Operators", "Packing", "Placement", "Platform",
        "Programs", "Quantization", "Reporting", "Runtime", "Tasks",
        "Telemetry", "Tensors", "WeightCoding",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Sources/Tools/knapsack", swiftSettings: common),
    tests("Device", "Bytes", ["Randomness"]),
    tests("Device", "Platform", ["CFakeDevice", "CPlatform"]),
    .target(name: "CFakeDevice", path: "Tests/Support/CFakeDevice"),
    tests("Device", "Tensors"),
    tests("Device", "Tokenizers", ["Bytes"]),
    tests("Device", "Telemetry", ["Bytes", "Platform", "RecordedMachines", "Randomness"]),
    tests(
      "Device", "Reporting", ["Bytes", "DebianPrograms", "Platform", "Randomness", "Telemetry"]),
    tests("Device", "Kernels", ["CKernels", "CPlatform", "Platform", "Randomness", "Tensors"]),
    tests(
      "Device", "WeightCoding",
      ["Bytes", "Graphs", "Lowering", "Quantization", "Randomness", "Tensors"]),
    tests("Device", "Operators", ["Bytes", "CKernels", "Kernels", "Randomness", "Tensors"]),
    tests(
      "Device", "Programs", ["Bytes", "GraphRunning", "Graphs", "Lowering", "Operators", "Tensors"]),
    tests(
      "Device", "BundleFormat",
      ["Bytes", "Packing", "Platform", "Programs", "Randomness", "Tensors"]),
    tests(
      "Device", "Runtime",
      [
        "Bytes", "CAllocationCounter", "CPlatform", "GraphRunning", "Graphs", "Kernels", "Lowering",
        "Operators", "Programs", "Tensors",
      ]),
    tests("Device", "Tasks", ["Bytes", "Platform", "Randomness", "Tensors", "Tokenizers"]),
    tests(
      "Device", "Monitor",
      ["Bytes", "Platform", "RecordedMachines", "Randomness", "Telemetry", "VirtualTerminal"]),
    tests(
      "Device", "Loops",
      [
        "BundleFormat", "Bytes", "Fitting", "Importers", "Monitor", "Packing", "Platform",
        "Programs", "Runtime", "Randomness", "Tasks", "Telemetry", "Tensors",
      ]),
    .target(
      name: "RecordedMachines", dependencies: ["Telemetry"], path: "Tests/Support/RecordedMachines",
      swiftSettings: common),
    .target(
      name: "Randomness", path: "Tests/Support/Randomness", swiftSettings: common),
    .target(
      name: "DebianPrograms", path: "Tests/Support/DebianPrograms", swiftSettings: common),
    .target(
      name: "VirtualTerminal", path: "Tests/Support/VirtualTerminal", swiftSettings: common),
    .target(name: "CAllocationCounter", path: "Tests/Support/CAllocationCounter"),
    .target(
      name: "GraphRunning",
      dependencies: [
        "Graphs", "Kernels", "Lowering", "Operators", "Programs", "Quantization", "Runtime",
        "Tensors",
      ],
      path: "Tests/Support/GraphRunning", swiftSettings: common),
    tests("Host", "Graphs", ["GraphRunning", "Importers", "Operators", "Tensors"]),
    tests(
      "Host", "Importers",
      [
        "GraphRunning", "Graphs", "Operators", "Programs", "Tasks", "Tensors",
        "Tokenizers",
      ]),
    tests(
      "Host", "Calibration",
      [
        "Fitting", "GraphRunning", "Graphs", "Importers", "Lowering", "Operators", "Tasks",
        "Tensors",
      ]),
    tests(
      "Host", "Exporters",
      ["GraphRunning", "Graphs", "Importers", "Kernels", "Operators", "Tensors"]),
    tests(
      "Host", "Placement",
      [
        "Calibration", "Exporters", "Fitting", "GraphRunning", "Graphs", "Importers", "Operators",
        "Tensors",
      ]),
    tests(
      "Host", "Lowering", ["GraphRunning", "Graphs", "Operators", "Programs", "Runtime", "Tensors"]),
    tests(
      "Host", "Quantization",
      [
        "Bytes", "CKernels", "Graphs", "Kernels", "Lowering", "Randomness", "Tensors",
        "WeightCoding",
      ]),
    tests(
      "Host", "Fitting",
      [
        "Bytes", "GraphRunning", "Graphs", "Lowering", "Operators", "Platform", "Programs",
        "Tensors",
      ]),
    tests(
      "Host", "Packing",
      [
        "BundleFormat", "Bytes", "Fitting", "Graphs", "Importers", "Lowering", "Platform",
        "Programs", "Quantization", "Randomness", "Tasks", "Tensors", "WeightCoding",
      ]),
    .testTarget(
      name: "KnapsackTests",
      dependencies: ["Bytes", "DebianPrograms", "Randomness", "VirtualTerminal"],
      path: "Tests/Tools/KnapsackTests",
      swiftSettings: common),
  ],
  cLanguageStandard: .gnu11
)
