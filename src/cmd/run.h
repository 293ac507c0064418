// The program `cairn` as a function, and what any program of several commands does first.
#pragma once

#include "cmd/command.h"

namespace cairn::cmd {

struct Program {
  const char* name;
  const char* about;
  const char* example;                                      // ends the help
  void (*add_commands)(Command app, const Shared& shared);  // `shared` outlives the app
};

// Parses the command line and runs one of the commands. Returns the exit code (cmd/command.h).
int run_program(const Program& program, int argc, char** argv);

int run(int argc, char** argv);

}  // namespace cairn::cmd
