import Glibc
import NIOCore
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// The commands that may take long: an editor, a large file, many messages.
extension PromptCommands {
  // MARK: In the background

  /// Starts background work that Ctrl-C stops; one at a time.
  private func begin(_ name: String, _ body: @escaping @Sendable () async -> Void) {
    guard work == nil else {
      return voice.warn("/\(name): another message is still being sent; Ctrl-C stops it")
    }
    work = Task {
      await body()
      voice.display.setPrompt { $0.progress = nil }
      work = nil
    }
  }

  private static let repeatsAtATime = 64

  func repeatMessage(_ count: Int, _ text: String) {
    let message = OutgoingMessage(configuration.kind, Array(text.utf8))
    begin("repeat") { [self] in
      guard let connection = await openConnection() else { return }
      var sent = 0
      while sent < count, !Task.isCancelled {
        let batch = min(Self.repeatsAtATime, count - sent)
        do {
          await noteSending()
          for _ in 0..<batch { await recordSent(message) }
          try await connection.send(Array(repeating: message, count: batch))
        } catch {
          voice.warn("not sent: the connection is closing")
          break
        }
        sent += batch
        let done = sent
        if count > Self.repeatsAtATime {
          voice.display.setPrompt { $0.progress = Self.percent(done, of: count) }
        }
      }
      let words = sent == 1 ? "1 message" : "\(Figures.count(sent)) messages"
      voice.inform(sent < count ? "stopped: sent \(words)" : "sent \(words)")
    }
  }

  private func noteSending() { trips.sent(at: .now()) }

  static func percent(_ done: Int, of all: Int) -> String {
    "sending, " + Figures.percent(Double(done) / Double(max(all, 1)), decimals: 0)
  }

  // MARK: Files

  func sendFile(_ typed: String, _ kind: MessageKind) {
    let path = FileNames.expanded(typed)
    begin("file") { [self] in
      guard let connection = await openConnection() else { return }
      let payload: [UInt8]
      do {
        payload = try FileContents.readFile(path)
      } catch let failure as CommandFailure {
        return voice.warn("/file: \(Self.safe(failure.message))")
      } catch {
        return voice.warn("/file: \(error)")
      }
      if kind == .text, let problem = InvalidText(payload) {
        return voice.warn(
          "/file: \(Self.safe(path)) is \(problem.message); /file \(Self.safe(typed)) binary")
      }
      await send(payload, kind, named: path, on: connection)
    }
  }

  private func send(
    _ payload: [UInt8], _ kind: MessageKind, named path: String, on connection: Connection
  ) async {
    let began = NIODeadline.now()
    let message = OutgoingMessage(kind, payload)
    trips.sent(at: began)
    recordSent(message)
    do {
      try await connection.enqueue([message])
    } catch {
      return voice.warn("not sent: the connection is closing")
    }
    // The whole message is queued; what remains in the queue has not been accepted by the peer.
    var left = await connection.counters().queued
    while left > 0, !Task.isCancelled, await reconnector.isConnected {
      let done = payload.count - left
      voice.display.setPrompt { $0.progress = Self.percent(done, of: payload.count) }
      try? await Task.sleep(for: .milliseconds(100))
      left = await connection.counters().queued
    }
    let name = Self.safe(path)
    guard left == 0 else {
      return voice.inform(
        "\(name): \(Figures.bytes(left)) are still being sent in the background")
    }
    let time = max((NIODeadline.now() - began).nanoseconds, 1)
    let kindName = kind == .text ? "text" : "binary"
    voice.inform(
      "sent \(name): \(kindName), \(Figures.bytes(payload.count)) in \(Figures.duration(time))")
  }

  // MARK: The editor

  func edit(_ text: String) async {
    guard let command = editorCommand else {
      return voice.warn("/edit: neither VISUAL nor EDITOR is set")
    }
    let directory = environment["TMPDIR"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "/tmp"
    let path = "\(directory)/wscope-\(getpid())-\(UInt32.random(in: 0...UInt32.max)).txt"
    do {
      try FileContents.create(Array(text.utf8), at: path)
    } catch {
      return voice.warn("/edit: \((error as? CommandFailure)?.message ?? "\(error)")")
    }
    var isKept = false
    defer { if !isKept { unlink(path) } }
    voice.display.setLent(true)
    let ending = await editor.lendTerminal { ForegroundProgram.run(command, argument: path) }
    voice.display.setLent(false)
    guard ending == .exited(0) else {
      return voice.warn("/edit: \(Self.message(ending)); nothing was sent")
    }
    var written: [UInt8] = []
    do { written = try FileContents.readFile(path) } catch {
      return voice.warn("/edit: the file no longer exists; nothing was sent")
    }
    // Editors end a text with a newline that the user did not type.
    if written.last == 0x0A { written.removeLast() }
    guard !written.isEmpty else { return voice.inform("the text is empty; nothing was sent") }
    if configuration.kind == .text, let problem = InvalidText(written) {
      return voice.warn("/edit: \(problem.message); nothing was sent")
    }
    isKept = await !send(OutgoingMessage(configuration.kind, written), isShown: true)
    if isKept { voice.inform("the text is in \(Self.safe(path))") }
  }

  private var editorCommand: String? {
    ["VISUAL", "EDITOR"].lazy.compactMap { self.environment[$0] }.first { !$0.isEmpty }
  }

  private static func message(_ ending: ForegroundProgram.Ending?) -> String {
    switch ending {
    case .exited(127): "the editor was not found"
    case .exited(let code): "the editor ended with \(code)"
    case .signaled(let number): "the editor was ended by signal \(number)"
    case .failed(let error): error.reason
    case nil: "the prompt has ended"
    }
  }
}
