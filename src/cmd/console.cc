#include "cmd/console.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "cmd/command.h"

namespace cairn::cmd {
namespace {

// Columns of the terminal: what would go beyond them could not be redrawn in place.
size_t width() {
  winsize size{};
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
  return known ? size.ws_col - 1u : 10'000;
}

// At most so many characters of UTF-8.
std::string cut_to(const std::string& text, size_t count) {
  size_t end = 0;
  for (size_t characters = 0; end < text.size(); ++end) {
    const bool begins = (static_cast<unsigned char>(text[end]) & 0xc0) != 0x80;
    if (begins && ++characters > count) break;
  }
  return text.substr(0, end);
}

}  // namespace

Console::Console() : terminal_(isatty(STDERR_FILENO) == 1) {
  keys_ = isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &before_) == 0;
  if (!keys_) return;
  termios now = before_;
  now.c_lflag &= static_cast<tcflag_t>(~(ICANON | ECHO));
  keys_ = tcsetattr(STDIN_FILENO, TCSANOW, &now) == 0;
}

Console::~Console() {
  if (terminal_) std::fputs("\r\033[K", stderr);
  if (keys_) tcsetattr(STDIN_FILENO, TCSANOW, &before_);
}

char Console::key() {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  char pressed = 0;
  if (!keys_ || poll(&input, 1, 0) != 1 || read(STDIN_FILENO, &pressed, 1) != 1) return 0;
  return pressed;
}

bool Console::go_on() {
  bool paused = false;
  do {
    const char pressed = key();
    if (pressed == 'q') quit_ = true;
    if (pressed == 'p' && !paused) {
      paused = true;
      say("paused; press r to go on, q to stop");
    }
    if (pressed == 'r') paused = false;
    if (paused) usleep(100'000);
  } while (paused && !quit_ && !interrupted());
  return !quit_ && !interrupted();
}

bool Console::wait(int64_t milliseconds) {
  constexpr int64_t kStep = 100;
  for (int64_t left = milliseconds; left > 0; left -= kStep) {
    if (!go_on()) return false;
    usleep(static_cast<useconds_t>(std::min(left, kStep) * 1000));
  }
  return go_on();
}

void Console::status(const std::string& line) {
  line_ = line;
  draw();
}

void Console::draw() {
  if (!terminal_ || line_.empty()) return;
  std::fprintf(stderr, "\r\033[K%s", cut_to(line_, width()).c_str());
  std::fflush(stderr);
}

void Console::clear() {
  if (!terminal_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
}

void Console::say(const std::string& line) {
  clear();
  std::fprintf(stderr, "%s\n", line.c_str());
  draw();
}

}  // namespace cairn::cmd
