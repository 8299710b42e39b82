import Conversation
import Terminal
import WebSocketProtocol

/// The version of this build, as `--version`, the User-Agent and reports say it.
enum Version {
  static let number = "0.1.0"
  static let userAgent = "wscope/\(number)"

  /// What `--version` prints: bug reports need the libraries too.
  static var text: String {
    """
    wscope \(number) (\(build))
    readline \(Readline.version), zlib \(Zlib.version), PCRE2 \(Pattern.libraryVersion); \
    SwiftNIO, BoringSSL, HdrHistogram
    """
  }

  /// Whether the optimiser was on: figures of a debug build are not to be compared.
  static var build: String {
    #if DEBUG
      "debug"
    #else
      "release"
    #endif
  }
}
