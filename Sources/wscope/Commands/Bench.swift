import ArgumentParser
struct Bench: SessionCommand {
  @OptionGroup var output: OutputOptions
  func run(_ context: CommandContext) async throws -> ExitStatus { .ok }
}
