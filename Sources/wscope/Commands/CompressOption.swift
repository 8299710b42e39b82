import ArgumentParser
import WebSocketProtocol

/// `--compress[=PARAMS]`: permessage-deflate, optionally with parameters.
struct CompressOption: ExpressibleByArgument, Hashable {
  /// The value used when the option is given without one.
  static let plain = "on"

  var parameters: DeflateParameters

  /// `client_max_window_bits=10,no_context_takeover` and so on, separated by commas or semicolons.
  init?(argument: String) {
    var offer = ExtensionOffer(name: DeflateParameters.name, parameters: [])
    if argument != Self.plain {
      for part in argument.split(whereSeparator: { $0 == "," || $0 == ";" }) {
        let words = part.filter { $0 != " " }.split(separator: "=", maxSplits: 1).map(String.init)
        guard let name = words.first else { return nil }
        let value = words.count > 1 ? words[1] : nil
        if name == "no_context_takeover" {
          offer.parameters += ["server_", "client_"].map { .init(name: $0 + name, value: value) }
        } else {
          offer.parameters.append(.init(name: name, value: value))
        }
      }
    }
    guard var parameters = DeflateParameters(offer) else { return nil }
    if argument == Self.plain { parameters.clientMaxWindowBits = .understood }
    self.parameters = parameters
  }
}

/// The two options, shared by all commands.
struct CompressionOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Compress messages with permessage-deflate, optionally with comma-separated parameters: \
      client_max_window_bits=N, server_max_window_bits=N (bits, 8 to 15), client_no_context_takeover, \
      server_no_context_takeover, no_context_takeover.
      """,
      valueName: "params"))
  var compress: CompressOption?

  @Flag(help: "Do not compress messages, and do not negotiate compression.")
  var noCompress = false

  /// The parameters to offer or to allow; `standard` if neither option is given.
  func parameters(standard: DeflateParameters?) throws -> DeflateParameters? {
    if noCompress {
      guard compress == nil else {
        throw CommandFailure(.usage, "--compress and --no-compress cannot be used together")
      }
      return nil
    }
    return compress?.parameters ?? standard
  }
}

extension DeflateParameters {
  /// The default offer of a client.
  static var standardOffer: DeflateParameters {
    var offer = DeflateParameters()
    offer.clientMaxWindowBits = .understood
    return offer
  }
}
