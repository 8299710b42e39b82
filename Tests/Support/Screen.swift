/// What a person sees: a small model of a terminal, good enough for what readline and we write.
package struct Screen: Sendable {
  package private(set) var columns: Int
  package private(set) var rows: Int
  package private(set) var cursorColumn = 0
  package private(set) var cursorRow = 0
  /// Whether the program asked for pastes to be marked (`ESC [ ? 2004 h`).
  package private(set) var marksPastes = false
  /// The rows that have scrolled off the top, oldest first.
  package private(set) var scrolledOff: [String] = []
  /// Escapes that the model does not know; a test that meets one should look at it.
  package private(set) var unknownEscapes: [String] = []

  private var cells: [[Cell]]
  /// The cursor is behind the last column; the next character goes to the next row.
  private var isWrapPending = false
  private var parser = EscapeParser()

  private enum Cell: Sendable {
    case blank
    case text(String)
    /// The right half of a wide character.
    case covered
  }

  package init(columns: Int, rows: Int) {
    self.columns = columns
    self.rows = rows
    cells = Array(repeating: Array(repeating: .blank, count: columns), count: rows)
  }

  /// The visible rows without the blanks at their ends.
  package var lines: [String] { cells.map(Self.text) }

  /// The visible rows down to the last that is not blank.
  package var text: String {
    let last = lines.lastIndex { !$0.isEmpty } ?? -1
    return lines[...last].joined(separator: "\n")
  }

  /// Everything that was ever on the screen and was not overwritten.
  package var everything: String { (scrolledOff + [text]).joined(separator: "\n") }

  /// The row in which the cursor is.
  package var cursorLine: String { lines[cursorRow] }

  /// Takes what a program wrote, in pieces of any size.
  package mutating func feed(_ bytes: some Sequence<UInt8>) {
    for byte in bytes {
      switch parser.next(byte) {
      case nil: break
      case .character(let scalar): put(scalar)
      case .control(let code): control(code)
      case .sequence(let sequence): perform(sequence)
      case .unknown(let escape): unknownEscapes.append(escape)
      }
    }
  }

  /// Takes a new size as a terminal that does not wrap its lines again: cut or filled at the right
  /// and at the bottom.
  package mutating func resize(columns: Int, rows: Int) {
    while cursorRow >= rows { scroll() }
    for row in cells.indices {
      cells[row] = Array(cells[row].prefix(columns))
      cells[row] += Array(repeating: .blank, count: columns - cells[row].count)
    }
    cells = Array(cells.prefix(rows))
    while cells.count < rows { cells.append(Array(repeating: .blank, count: columns)) }
    (self.columns, self.rows) = (columns, rows)
    cursorColumn = min(cursorColumn, columns - 1)
    isWrapPending = false
  }

  private static func text(of row: [Cell]) -> String {
    var text = ""
    for cell in row {
      switch cell {
      case .blank: text += " "
      case .text(let character): text += character
      case .covered: break
      }
    }
    while text.last == " " { text.removeLast() }
    return text
  }

  private mutating func put(_ scalar: Unicode.Scalar) {
    let width = CharacterWidth.columns(of: scalar)
    if width == 0 {
      // Joins the character before it.
      let column = isWrapPending ? cursorColumn : cursorColumn - 1
      guard column >= 0, case .text(let character) = cells[cursorRow][column] else { return }
      cells[cursorRow][column] = .text(character + String(scalar))
      return
    }
    if isWrapPending || cursorColumn + width > columns {
      cursorColumn = 0
      lineFeed()
    }
    cells[cursorRow][cursorColumn] = .text(String(scalar))
    if width == 2, cursorColumn + 1 < columns { cells[cursorRow][cursorColumn + 1] = .covered }
    isWrapPending = cursorColumn + width >= columns
    cursorColumn = min(cursorColumn + width, columns - 1)
  }

  private mutating func lineFeed() {
    isWrapPending = false
    if cursorRow == rows - 1 { scroll() }
    cursorRow += 1
  }

  private mutating func scroll() {
    scrolledOff.append(Self.text(of: cells.removeFirst()))
    cells.append(Array(repeating: .blank, count: columns))
    cursorRow -= 1
  }

  private mutating func control(_ code: UInt8) {
    switch code {
    case 0x08:
      cursorColumn = max(0, cursorColumn - 1)
      isWrapPending = false
    case 0x09: cursorColumn = min(columns - 1, (cursorColumn / 8 + 1) * 8)
    case 0x0A: lineFeed()
    case 0x0D:
      cursorColumn = 0
      isWrapPending = false
    default: break
    }
  }

  private mutating func perform(_ sequence: EscapeParser.Sequence) {
    let first = sequence.parameters.first ?? 0
    let count = max(1, first)
    switch (sequence.isPrivate, sequence.final) {
    case (true, "h"), (true, "l"):
      if first == 2004 { marksPastes = sequence.final == "h" }
    case (_, "m"): break
    case (_, "A"): move(toRow: cursorRow - count, column: cursorColumn)
    case (_, "B"): move(toRow: cursorRow + count, column: cursorColumn)
    case (_, "C"): move(toRow: cursorRow, column: cursorColumn + count)
    case (_, "D"): move(toRow: cursorRow, column: cursorColumn - count)
    case (_, "G"): move(toRow: cursorRow, column: count - 1)
    case (_, "d"): move(toRow: count - 1, column: cursorColumn)
    case (_, "H"), (_, "f"):
      let column = sequence.parameters.count > 1 ? max(1, sequence.parameters[1]) : 1
      move(toRow: count - 1, column: column - 1)
    case (_, "J"): eraseDisplay(first)
    case (_, "K"): eraseLine(first)
    case (_, "P"): shiftLeft(count)
    case (_, "@"): shiftRight(count)
    default: unknownEscapes.append("CSI \(sequence.parameters) \(sequence.final)")
    }
  }

  private mutating func move(toRow row: Int, column: Int) {
    cursorRow = min(max(0, row), rows - 1)
    cursorColumn = min(max(0, column), columns - 1)
    isWrapPending = false
  }

  private mutating func blank(_ range: Range<Int>, row: Int) {
    for column in range { cells[row][column] = .blank }
  }

  private mutating func eraseLine(_ mode: Int) {
    switch mode {
    case 0: blank(cursorColumn..<columns, row: cursorRow)
    case 1: blank(0..<(cursorColumn + 1), row: cursorRow)
    default: blank(0..<columns, row: cursorRow)
    }
  }

  private mutating func eraseDisplay(_ mode: Int) {
    if mode != 2 { eraseLine(mode) }
    let erased =
      switch mode {
      case 0: (cursorRow + 1)..<rows
      case 1: 0..<cursorRow
      default: 0..<rows
      }
    for row in erased { blank(0..<columns, row: row) }
  }

  private mutating func shiftLeft(_ count: Int) {
    let count = min(count, columns - cursorColumn)
    cells[cursorRow].removeSubrange(cursorColumn..<(cursorColumn + count))
    cells[cursorRow] += Array(repeating: .blank, count: count)
  }

  private mutating func shiftRight(_ count: Int) {
    let blanks = Array(repeating: Cell.blank, count: min(count, columns - cursorColumn))
    cells[cursorRow].insert(contentsOf: blanks, at: cursorColumn)
    cells[cursorRow].removeLast(blanks.count)
  }
}
