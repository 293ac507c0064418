// The program `cairn` as a function: parses the command line and runs a subcommand.
#pragma once

namespace cairn::cmd {

// Returns the exit code (cmd/command.h).
int run(int argc, char** argv);

}  // namespace cairn::cmd
