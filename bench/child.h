// Processes that a measure starts beside itself.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace cairn::bench {

struct Child {
  pid_t id = -1;
  int output = -1;  // what it prints
};

Child start(std::vector<std::string> words);                // a program with its arguments
Child start_self(const std::vector<std::string>& options);  // this one with other options
std::string read_line(const Child& child);
void end(const Child& child);                     // asks it to, and waits
double processor_seconds_of(const Child& child);  // so far
// "/…/NAME", beside this program.
std::string beside_self(const std::string& name);

}  // namespace cairn::bench
