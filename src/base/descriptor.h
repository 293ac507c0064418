// An open file descriptor, closed with its owner.
#pragma once

#include <unistd.h>

namespace cairn {

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return fd_; }  // negative: none is open
  void set(int fd) {
    close();
    fd_ = fd;
  }
  // What ::close() says: after a write, its failure is the write's.
  int close() {
    const int result = fd_ < 0 ? 0 : ::close(fd_);
    fd_ = -1;
    return result;
  }

 private:
  int fd_;
};

}  // namespace cairn
