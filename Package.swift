// swift-tools-version: 6.2
import PackageDescription

let house: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .treatAllWarnings(as: .error),
  .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

// What is mapped and relocated at every start. Measured with `Tests/Benchmarks/benchmark.py start`: the peak
// memory of `send` falls by an eighth. lld, because gold does not find in an archive what it asks for late.
// Stripped, to a third of its size; with `WSCOPE_SYMBOLS=1 swift build -c release` it keeps its symbols.
let stripping = Context.environment["WSCOPE_SYMBOLS"] == nil ? ["-Xlinker", "-s"] : []
let releaseLinking =
  stripping + [
    "-use-ld=lld", "-Xlinker", "-z", "-Xlinker", "pack-relative-relocs",
    "-Xclang-linker", "-static-libgcc", "-L\(Context.packageDirectory)/Sources/Linking",
  ]

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioTLS = Target.Dependency.product(name: "NIOTLS", package: "swift-nio")
let nioHTTP2 = Target.Dependency.product(name: "NIOHTTP2", package: "swift-nio-http2")
let nioHPACK = Target.Dependency.product(name: "NIOHPACK", package: "swift-nio-http2")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let x509 = Target.Dependency.product(name: "X509", package: "swift-certificates")
let asn1 = Target.Dependency.product(name: "SwiftASN1", package: "swift-asn1")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let heap = Target.Dependency.product(name: "HeapModule", package: "swift-collections")
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")
let argumentParser = Target.Dependency.product(
  name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
  name: "wscope",
  products: [.executable(name: "wscope", targets: ["wscope"])],
  dependencies: [
    // The floors are the first versions past every advisory that SECURITY R22 names.
    .package(url: "https://github.com/apple/swift-nio", from: "2.100.0"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.2"),
    .package(url: "https://github.com/apple/swift-nio-http2", from: "1.44.1"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-certificates", from: "1.21.0"),
    .package(url: "https://github.com/apple/swift-asn1", from: "1.7.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.1.0"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
  ],
  targets: [
    .systemLibrary(name: "CReadline", providers: [.apt(["libreadline-dev"])]),
    .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CPCRE2", providers: [.apt(["libpcre2-dev"])]),
    .systemLibrary(name: "CEpoll"),
    .target(
      name: "WebSocketProtocol", dependencies: ["CZlib", nioCore, nioHTTP1], swiftSettings: house),
    .target(
      name: "WebSocketNIO",
      dependencies: [
        "WebSocketProtocol", "CEpoll", nioCore, nioPosix, nioHTTP1, nioHTTP2, nioHPACK, nioTLS,
        nioSSL, heap, x509, asn1, crypto,
      ],
      swiftSettings: house),
    .target(
      name: "LoadTesting",
      dependencies: [
        "WebSocketProtocol", "WebSocketNIO", "Conversation", nioCore, nioPosix, nioHTTP1, histogram,
      ],
      resources: [
        .embedInCode("Resources/bench.schema.json"),
        .embedInCode("Resources/transports.schema.json"),
      ],
      swiftSettings: house),
    .target(
      name: "TestServer",
      dependencies: [
        "WebSocketProtocol", "WebSocketNIO", "Conversation", nioCore, nioPosix, nioHTTP1, nioSSL,
        x509, asn1,
        crypto,
      ],
      resources: [.embedInCode("Pages/Resources/page.html")],
      swiftSettings: house),
    .target(
      name: "Conversation", dependencies: ["WebSocketProtocol", "CPCRE2", nioCore],
      resources: [.embedInCode("Resources/session.schema.json")], swiftSettings: house),
    .target(name: "Terminal", dependencies: ["CReadline"], swiftSettings: house),
    .executableTarget(
      name: "wscope",
      dependencies: [
        "WebSocketProtocol", "WebSocketNIO", "LoadTesting", "TestServer", "Conversation",
        "Terminal", argumentParser, nioCore, nioPosix, nioHTTP1,
      ],
      swiftSettings: house,
      linkerSettings: [.unsafeFlags(releaseLinking, .when(configuration: .release))]),
    .executableTarget(
      name: "CoreSpeed", dependencies: ["WebSocketProtocol"], path: "Tests/Benchmarks/CoreSpeed",
      swiftSettings: house),
    .target(
      name: "TestPeers", dependencies: ["WebSocketProtocol"], path: "Tests/Support",
      swiftSettings: house),
    .target(
      name: "FuzzTargets",
      dependencies: [
        "WebSocketProtocol", "WebSocketNIO", "LoadTesting", "Conversation", "Terminal", nioCore,
        nioHTTP1, nioEmbedded,
      ],
      path: "Tests/Fuzz/Targets", swiftSettings: house),
    .testTarget(
      name: "FuzzTests", dependencies: ["FuzzTargets", "LoadTesting"], swiftSettings: house),
    .testTarget(
      name: "WebSocketProtocolTests",
      dependencies: ["WebSocketProtocol", "TestPeers", nioCore, nioHTTP1],
      swiftSettings: house),
    .testTarget(
      name: "WebSocketNIOTests",
      dependencies: [
        "WebSocketNIO", "WebSocketProtocol", "TestPeers", nioCore, nioPosix, nioHTTP1, nioEmbedded,
      ],
      swiftSettings: house),
    .testTarget(
      name: "LoadTestingTests",
      dependencies: [
        "LoadTesting", "TestServer", "Conversation", "WebSocketNIO", "WebSocketProtocol",
        "TestPeers", nioCore, nioPosix, nioHTTP1, histogram,
      ],
      swiftSettings: house),
    .testTarget(
      name: "TestServerTests",
      dependencies: [
        "TestServer", "WebSocketProtocol", "WebSocketNIO", "Conversation", "TestPeers", nioCore,
        nioPosix, nioHTTP1,
      ],
      swiftSettings: house),
    .testTarget(
      name: "ConversationTests",
      dependencies: ["Conversation", "WebSocketProtocol", "TestPeers", nioCore],
      swiftSettings: house),
    .testTarget(
      name: "TerminalTests", dependencies: ["Terminal", "TestPeers"], swiftSettings: house),
    .testTarget(
      name: "EndToEndTests",
      dependencies: [
        "wscope", "LoadTesting", "TestServer", "WebSocketNIO", "WebSocketProtocol", "Conversation",
        "Terminal", "TestPeers", nioCore, nioPosix, nioHTTP1, nioTLS, nioSSL, x509, asn1, crypto,
      ],
      swiftSettings: house),
    .testTarget(
      name: "HouseRulesTests",
      dependencies: [
        "wscope", "LoadTesting", "TestServer", "Conversation", "WebSocketProtocol", "TestPeers",
        argumentParser,
      ],
      swiftSettings: house),
  ]
)

// libFuzzer brings a main of its own and works with its own flags only: `Tests/Fuzz/fuzz.sh` asks.
if Context.environment["WSCOPE_FUZZ"] != nil {
  package.targets.append(
    .executableTarget(
      name: "Fuzz", dependencies: ["FuzzTargets"], path: "Tests/Fuzz/Runner", swiftSettings: house))
}
