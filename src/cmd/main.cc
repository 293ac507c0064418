// cairn: trains neural networks with strangers. Each subcommand has a file of its own.
#include "cmd/run.h"

int main(int argc, char** argv) {
  return cairn::cmd::run(argc, argv);
}
