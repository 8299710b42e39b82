import Glibc
import LoadTesting
import TestPeers
import Testing

@testable import wscope

/// The figures of a run in the format of Prometheus: in files, on standard output, and over HTTP.
@Suite(.serialized, .blocking) struct BenchPrometheusTests {
  private static let prefix = "wscope_bench_"

  /// A result with samples, failures, and thresholds that hold, are broken, and are undecided.
  private static func report() throws -> LoadReport {
    var report = BenchFixture.withHistogram()
    report.thresholds = try ["rtt.p50<0.75s", "rtt.max<1s", "tls.p99<1s", "errors.count==0"]
      .map { try Threshold($0) }
    return report
  }

  @Test func theSumsAreThoseOfTheResult() throws {
    let report = try Self.report()
    let text = try MetricsText(text: ReportFormats.prometheus.render(report))
    func value(_ name: String) -> Double? { text.value(Self.prefix + name) }
    #expect(value("messages_total{result=\"sent\"}") == Double(report.messages.sent))
    #expect(value("messages_total{result=\"unanswered\"}") == Double(report.messages.unanswered))
    #expect(value("connections_total{result=\"lost\"}") == Double(report.connections.lost))
    #expect(value("closes_total{code=\"4001\",by=\"peer\"}") == 1)
    #expect(value("closes_total{code=\"1001\",by=\"peer\"}") == 0)
    #expect(value("errors_total{phase=\"tcp\",class=\"refused\"}") == 2)
    #expect(value("errors_total{phase=\"tls\",class=\"cert\"}") == 0)
    let errors = text.series.filter { $0.name.hasPrefix(Self.prefix + "errors_total") }
    #expect(errors.reduce(0) { $0 + $1.value } == Double(report.errors.reduce(0) { $0 + $1.count }))
    // The limit of a threshold is a bound, too; what was not answered is above every bound.
    #expect(value("rtt_seconds_bucket{le=\"0.5\"}") == 499)
    #expect(value("rtt_seconds_bucket{le=\"0.75\"}") == 749)
    #expect(value("rtt_seconds_bucket{le=\"50\"}") == 907)
    #expect(value("rtt_seconds_bucket{le=\"+Inf\"}") == 955)
    #expect(value("rtt_seconds_count") == 955)
    let sum = try #require(value("rtt_seconds_sum"))
    #expect(abs(sum - 907 * 908 / 2000) < 0.001 * 412)
    #expect(value("connect_seconds_bucket{phase=\"tls\",le=\"0.75\"}") == nil)
    #expect(value("connect_seconds_bucket{phase=\"tls\",le=\"1\"}") == 0)
    #expect(value("threshold_ok{expr=\"rtt.p50 < 0.75s\"}") == 1)
    #expect(value("threshold_ok{expr=\"rtt.max < 1s\"}") == 0)
    #expect(value("threshold_ok{expr=\"tls.p99 < 1s\"}") == nil)
    #expect(value("verdict{state=\"suspect\"}") == 1)
    #expect(value("phase{phase=\"measure\"}") == 0)
    #expect(
      value("info{version=\"0.1.0\",mode=\"echo\",shard=\"\",target=\"10.0.0.7:8080\"}") == 1)
  }

  @Test func aLabelIsEscaped() throws {
    var report = try Self.report()
    report.target.url = "ws://a\"b\\c\nd/"
    #expect(ReportFormats.prometheus.render(report).contains("target=\"a\\\"b\\\\c\\nd\"}"))
  }

  @Test func countsAreExactWhereBoundsAre() {
    var histogram = LatencyHistogram()
    for ns: Int64 in [0, 100, 101, 100_000, 3_000_000] { histogram.record(ns) }
    let counts = BoundedCounts(histogram, bounds: [99, 100, 101, 100_063, 2_000_000, 3_000_000])
    #expect(counts.cumulative == [1, 2, 3, 4, 4, 5])
    #expect(counts.total == 5)
    #expect(abs(counts.sum - 3_100_201) < 1600)
    #expect(BoundedCounts(nil, bounds: [1]).cumulative == [0])
  }

  /// Every series is there from the first scrape on, and the last one has the figures of the result.
  @Test func aRunIsScraped() throws {
    let directory = try Wscope.scratch("prometheus")
    let (json, file) = ("\(directory)/r.json", "\(directory)/r.prom")
    let listener = try Listener()
    let process = try Wscope.start([
      "bench", listener.url + "?token=s3cret", "-c2", "-R200", "-d2s", "--warmup=500ms",
      "--prometheus-addr", ":0", "--prometheus-linger", "100s", "--prometheus", file, "--out", json,
      "--threshold", "rtt.p50<10m", "--self-check", "warn",
    ])
    let ready = try process.readLine(from: .standardError) { $0.contains("metrics at ") }
    let digits = ready.split(separator: "127.0.0.1:").last?.prefix { $0.isNumber }
    let port = try #require(digits.flatMap { Int($0) })
    let first = try MetricsText(port: port)
    #expect(first.head.contains("Content-Type: text/plain; version=0.0.4"))
    #expect(first.value(Self.prefix + "messages_total{result=\"sent\"}") == 0)
    for (wanted, code) in [
      ("GET / HTTP/1.1\r\nHost: localhost", "404"),
      ("POST /metrics HTTP/1.1\r\nHost: localhost", "405"),
      ("GET /metrics HTTP/1.1\r\nHost: evil.example", "403"),
    ] {
      let client = try RawClient(port: port)
      client.send(wanted + "\r\n\r\n")
      #expect(client.readHead().hasPrefix("HTTP/1.1 \(code) "), "\(wanted)")
    }
    _ = try process.readLine(from: .standardError) { $0.contains("waiting for a last scrape") }
    let last = try MetricsText(port: port)
    let finished = try process.wait()
    #expect(finished.exitCode == 0, "\(finished.errorText)")
    let text = try Wscope.read(file)
    #expect(!text.contains("s3cret"))
    let stored = try MetricsText(text: text)
    #expect(last.series.map(\.name) == stored.series.map(\.name))
    #expect(last.series.map(\.value) == stored.series.map(\.value))
    // Only what is decided at the end is missing at first.
    let late = Set(last.series.map(\.name)).subtracting(first.series.map(\.name))
    #expect(late == [Self.prefix + "threshold_ok{expr=\"rtt.p50 < 10m\"}"])
    let result = try JSONReader.read(try Wscope.read(json))
    for name in ["sent", "answered", "answered_in_window"] {
      let value = last.value(Self.prefix + "messages_total{result=\"\(name)\"}")
      #expect(result["messages", name] == value.map { .number($0) }, "\(name)")
    }
    let again = try Wscope.run(["bench", "report", json, "--format", "prometheus"])
    #expect(again.outputText == text)
  }

  /// A signal does not wait for a scrape.
  @Test func aSignalEndsTheWait() throws {
    let listener = try Listener()
    let process = try Wscope.start([
      "bench", listener.url, "-c1", "-n10", "--prometheus-addr", "127.0.0.1:0",
      "--prometheus-linger", "100s",
    ])
    _ = try process.readLine(from: .standardError) { $0.contains("waiting for a last scrape") }
    process.signal(SIGTERM)
    #expect(try process.wait().exitCode == 0)
  }

  @Test(arguments: [
    (["--prometheus", "-"], 2, "use --format prometheus"),
    (["--prometheus", "/nonexistent/x"], 23, "/nonexistent/x"),
    (["--prometheus-linger", "1s"], 2, "--prometheus-linger requires --prometheus-addr"),
    (["--prometheus-addr", "localhost"], 2, "--prometheus-addr"),
    (["--prometheus-addr", ":70000"], 2, "--prometheus-addr"),
    (["--prometheus-addr", "::1:9100"], 2, "--prometheus-addr"),
    (["--prometheus-addr", ":0", "--repeat", "2"], 2, "cannot be used together"),
  ])
  func badOptionsAreRejected(_ words: [String], _ code: Int32, _ message: String) throws {
    let run = try Wscope.run(["bench", "ws://127.0.0.1:1"] + words)
    #expect(run.exitCode == code)
    #expect(run.errorText.contains(message), "\(run.errorText)")
  }

  @Test func aPortInUseIsFoundBeforeTheRun() throws {
    let listener = try Listener()
    let run = try Wscope.run(
      ["bench", listener.url, "-n1", "--prometheus-addr", ":\(listener.port)"])
    #expect(run.exitCode == 45)
    #expect(
      run.errorText == "wscope: cannot listen on :\(listener.port): Address already in use\n")
    #expect(run.outputText.isEmpty)
  }

  @Test func addressesAreRead() throws {
    for (text, host, port) in [
      ("9100", nil, 9100), (":9100", nil, 9100), ("10.0.0.7:0", "10.0.0.7", 0),
      ("[::1]:1", "::1", 1),
    ] as [(String, String?, Int)] {
      let address = try #require(PrometheusAddressOption(argument: text)).address
      #expect(address == .init(host: host, port: port))
    }
  }
}
