import Conversation
import Glibc
import NIOCore
import Terminal
import WebSocketNIO
import WebSocketProtocol

/// Executes the commands.
extension PromptCommands {
  func perform(_ command: SlashCommand) async {
    switch command {
    case .ping(let data): await ping(data)
    case .pong(let data): await pong(data)
    case .close(let frame): await leave(frame)
    case .quit: await leave(CloseFrame(.normal))
    case .reconnect: await reconnector.go(to: nil)
    case .connect(let url): await connect(url)

    case .sendBinary(let bytes):
      await send(OutgoingMessage(.binary, bytes), isShown: true)
    case .sendFile(let path, let kind): sendFile(path, kind ?? configuration.kind)
    case .edit(let text): await edit(text)
    // Handled by the prompt.
    case .multi: break
    case .repeatMessage(let count, let text): repeatMessage(count, text)

    case .json(let wanted):
      let isOn = voice.display.setLook { look in
        look.indentsJSON = wanted ?? !look.indentsJSON
        return look.indentsJSON
      }
      voice.inform(isOn ? "JSON pretty-printing on" : "JSON pretty-printing off")
    case .timestamps(let wanted): setTimestamps(wanted)
    case .roundTrips(let wanted):
      showsRoundTrips = wanted ?? !showsRoundTrips
      voice.inform(showsRoundTrips ? "reply times on" : "reply times off")
    case .pause:
      let isPaused = voice.display.togglePause()
      if isPaused { voice.inform("paused: messages are held back; /pause shows them") }
    case .filter(let pattern): setFilter(pattern)
    case .clear: editor.clearScreen()

    case .save(let path, let number): save(path, number)
    case .record(let path): await record(path)
    case .history(let query): showHistory(query)
    case .info: await showInfo()
    case .headers:
      for line in handshakeText(await reconnector.connection.info).headers { voice.inform(line) }
    case .help(let name):
      let columns = voice.display.columns
      let lines = name.map(CommandRegistry.help) ?? CommandRegistry.help(columns: columns)
      for line in lines { voice.say(line) }
    }
  }

  // MARK: The connection

  private func ping(_ data: [UInt8]) async {
    guard let connection = await openConnection() else { return }
    let payload = trips.ping(data, at: .now())
    do {
      try await connection.ping(payload)
      recorder.write { $0.ping(.outgoing, payload) }
    } catch {
      voice.warn("not sent: the connection is closing")
    }
  }

  private func pong(_ data: [UInt8]) async {
    guard let connection = await openConnection() else { return }
    do {
      try await connection.pong(data)
      recorder.write { $0.pong(.outgoing, data) }
    } catch {
      voice.warn("not sent: the connection is closing")
    }
  }

  private func connect(_ url: String) async {
    do {
      let endpoint = try configuration.endpoint(url)
      history?.enter(PromptSession.endpoint(endpoint))
      editor.reloadHistory()
      await reconnector.go(to: endpoint)
    } catch let failure as CommandFailure {
      voice.warn("/connect: \(failure.message)")
    } catch {
      voice.warn("/connect: \(error)")
    }
  }

  // MARK: Display

  private func setTimestamps(_ wanted: SlashCommand.Timestamps) {
    let kind: MessageStamps.Kind? = if case .on(let kind) = wanted { kind } else { nil }
    voice.display.setLook { $0.timestamps = kind }
    voice.inform(kind.map { "timestamps on: \($0.rawValue)" } ?? "timestamps off")
  }

  private func setFilter(_ pattern: String?) {
    do throws(CommandError) {
      let hidden = try voice.display.setFilter(pattern)
      if let pattern {
        voice.inform(
          "showing only messages that match \"\(Self.safe(pattern))\"; /filter shows all")
      } else {
        voice.inform("showing all messages; \(Figures.count(hidden)) were hidden")
      }
    } catch {
      voice.warn(error.message)
    }
  }

  // MARK: Files and history

  private func save(_ typed: String, _ number: Int?) {
    guard store.last > 0 else { return voice.warn("/save: no message has arrived yet") }
    guard let payload = store[number ?? store.last] else {
      return voice.warn("/save: only messages \(store.first) to \(store.last) are still kept")
    }
    let path = FileNames.expanded(typed)
    do {
      try FileContents.create(Array(payload.readableBytesView), at: path)
      let name = "message \(number ?? store.last)"
      voice.inform("saved \(name), \(Figures.bytes(payload.readableBytes)), to \(Self.safe(path))")
    } catch let failure as CommandFailure {
      voice.warn("/save: \(Self.safe(failure.message))")
    } catch {
      voice.warn("/save: \(error)")
    }
  }

  private func record(_ typed: String?) async {
    guard let typed else {
      let path = recorder.end()
      return path.map { voice.inform("recording saved to \(Self.safe($0))") }
        ?? voice.warn("/record: not recording")
    }
    let path = FileNames.expanded(typed)
    do {
      try recorder.begin(path, url: "\(await reconnector.client.url)")
      let info = await reconnector.connection.info
      if await reconnector.isConnected { recorder.write { $0.opened(info) } }
      voice.inform("recording to \(Self.safe(path)); /record off stops it")
    } catch let failure as CommandFailure {
      voice.warn("/record: \(Self.safe(failure.message))")
    } catch {
      voice.warn("/record: \(error)")
    }
  }

  private static let maxHistory = 40

  private func showHistory(_ query: SlashCommand.HistoryQuery) {
    guard let history else { return voice.warn("/history: no history, because HOME is not set") }
    let endpoint = history.endpoint
    let entries = ((try? history.entries()) ?? []).filter { entry in
      switch query {
      case _ where entry.line.isEmpty: false
      case .here: entry.endpoint == endpoint
      case .everywhere: true
      case .containing(let text): entry.endpoint == endpoint && entry.line.contains(text)
      }
    }
    guard !entries.isEmpty else {
      return voice.inform("nothing in the history for this URL; /history all shows the rest")
    }
    if entries.count > Self.maxHistory {
      voice.inform("the last \(Self.maxHistory) of \(entries.count) lines:")
    }
    for entry in entries.suffix(Self.maxHistory) { voice.say("  " + Self.safe(entry.line)) }
  }

  // MARK: Information

  private func showInfo() async {
    let connection = await reconnector.connection
    let isConnected = await reconnector.isConnected
    let client = await reconnector.client
    let text = handshakeText(connection.info)
    voice.inform("url \(Redaction.url("\(client.url)"))")
    voice.inform(isConnected ? text.connected : "not connected; last: \(text.connected)")
    if let local = connection.info.localAddress {
      voice.inform("from \(Diagnostician.text(local))")
    }
    for line in text.agreed { voice.inform(line) }
    if connection.info.deflate == nil { voice.inform("no compression") }
    let counters = await connection.counters()
    let traffic = counters.traffic
    voice.inform(
      CountersText.line(
        "received", traffic.messagesIn, traffic.payloadIn, traffic.wireIn &+ traffic.discarded))
    voice.inform(
      CountersText.line(
        "sent", traffic.messagesOut, traffic.payloadOut, traffic.wireOut))
    if counters.queued > 0 { voice.inform("\(Figures.bytes(counters.queued)) queued to be sent") }
    if let compression = counters.compression {
      for line in HandshakeText.lines(compression) { voice.inform(line) }
    }
    let uptime = (NIODeadline.now() - opened).nanoseconds
    let number = await reconnector.number
    let again = number > 1 ? ", connection \(number)" : ""
    if isConnected { voice.inform("open for \(Figures.duration(uptime))\(again)") }
    if let last = trips.last { voice.inform("last ping took \(Figures.duration(last))") }
    if let path = recorder.path { voice.inform("recording to \(Self.safe(path))") }
  }
}

/// The counters of one direction of a connection.
enum CountersText {
  static func line(_ direction: String, _ messages: UInt64, _ payload: UInt64, _ wire: UInt64)
    -> String
  {
    let count = Int(clamping: messages)
    return "\(Figures.count(count)) \(count == 1 ? "message" : "messages") \(direction), "
      + "\(Figures.bytes(Int(clamping: payload))), "
      + "\(Figures.bytes(Int(clamping: wire))) on the wire"
  }
}
