// The terminal while something long goes on: single keys to pause, resume and quit, and one line that is
// redrawn.
#pragma once

#include <termios.h>

#include <string>

namespace cairn::cmd {

// Reads keys without waiting for a line, where standard input is a terminal; puts the terminal back when it
// goes. One at a time, on one thread.
class Console {
 public:
  Console();
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  // Looks at the keys pressed meanwhile: p pauses (waits here until r or q), q quits. False: stop, also after
  // Ctrl-C.
  bool go_on();
  // The same for a while.
  bool wait(int64_t milliseconds);

  // On a terminal: the line that is redrawn in place, cut to its width; elsewhere nothing.
  void status(const std::string& line);
  bool redraws() const { return terminal_; }
  // Takes that line away until it is drawn again, so that standard output can go on in its place.
  void clear();
  // A line that stays. On a terminal the status line moves below it.
  void say(const std::string& line);

 private:
  char key();
  void draw();

  bool keys_ = false;      // standard input is a terminal
  bool terminal_ = false;  // standard error is one
  bool quit_ = false;
  std::string line_;
  termios before_{};
};

}  // namespace cairn::cmd
