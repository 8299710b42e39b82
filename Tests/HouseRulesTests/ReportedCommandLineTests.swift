import ArgumentParser
import TestPeers
import Testing

@testable import wscope

/// The command line that a report repeats.
@Suite(.blocking) struct ReportedCommandLineTests {
  /// Rebuilt from what was parsed: defaults are left out, and what no type vouches for is replaced.
  @Test func theReportedCommandLine() throws {
    let command = try Bench.parse([
      "wss://me:pw@host/x?y=1&token=s3", "-H", "Authorization: Bearer s3", "-HX-Key: s3",
      "--header", "s3", "-d", "10s", "-c", "50", "-R20k", "--arrival", "poisson", "-b", "-k",
      "--bearer", "s3", "-x", "s3", "--cacert", "ca.pem", "--size", "1k", "-vv",
    ])
    #expect(
      ReportedCommandLine.words(command) == [
        "wscope", "bench", "--arrival", "poisson", "--bearer", "***", "--binary", "--cacert",
        "ca.pem", "--duration", "10s", "--header", "Authorization: ***", "--header", "X-Key: ***",
        "--header", "***", "--insecure", "--message", "***", "--rate", "20000.0", "--size", "1024",
        "wss://host/x?y=1&token=***", "--verbose", "--verbose",
      ])
  }

  /// What is shown can be typed again, and means the same.
  @Test func theReportedCommandLineParsesAgain() throws {
    let typed = [
      "ws://localhost/", "-n", "10k", "-c", "7", "--inflight", "3", "--connect-rate", "0.5",
      "--min-open", "99.5%", "--warmup", "1500ms", "--max-inflight", "9", "--timeout", "2s",
      "--match", "fifo", "--seed", "18446744073709551615", "--threads", "2", "--shard", "1/3",
      "--local-ips", "127.0.1.0/30", "--format", "json", "--percentiles", "50,99.9",
      "--no-progress", "--compress=client_max_window_bits=10", "--tls-max", "1.2", "-s", "a,b",
      "--interface", "lo", "--http2", "--open-timeout", "90s", "--max-message", "2M",
    ]
    let words = ReportedCommandLine.words(try Bench.parse(typed))
    let again = ReportedCommandLine.words(try Bench.parse(Array(words.dropFirst(2))))
    #expect(again == words)
    #expect(words.count == typed.count + 2 + 1, "a flag that takes a value behind = has two words")
  }
}
