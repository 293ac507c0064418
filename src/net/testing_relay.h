// A small HTTP proxy for tests: CONNECT opens a tunnel, everything else is passed on as it is.
#pragma once

#include <atomic>
#include <mutex>

#include "net/testing.h"

namespace cairn::net::testing {

class Relay {
 public:
  Relay() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_, 10), 0);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept(); });
  }
  ~Relay() {
    stopping_ = true;
    acceptor_.join();
    for (std::thread& thread : threads_) thread.join();
    ::close(listener_);
  }
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  uint16_t port() const { return port_; }
  // The first head of each connection.
  std::vector<std::string> heads() {
    const std::lock_guard lock(mutex_);
    return heads_;
  }

 private:
  static sockaddr_in loopback(uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }

  bool readable(int fd) const {
    pollfd wait{fd, POLLIN, 0};
    while (!stopping_) {
      if (::poll(&wait, 1, 10) > 0) return true;
    }
    return false;
  }

  void accept() {
    while (readable(listener_)) {
      const int fd = ::accept(listener_, nullptr, nullptr);
      if (fd >= 0) threads_.emplace_back([this, fd] { serve(fd); });
    }
  }

  void serve(int client) {
    std::string head;
    char byte = 0;
    while (!head.ends_with("\r\n\r\n") && readable(client) && ::recv(client, &byte, 1, 0) == 1) head += byte;
    {
      const std::lock_guard lock(mutex_);
      heads_.push_back(head);
    }
    const size_t colon = head.find(':', head.find("127.0.0.1"));
    const sockaddr_in address = loopback(static_cast<uint16_t>(std::stoi(head.substr(colon + 1))));
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      const std::string established = "HTTP/1.1 200 Connection established\r\n\r\n";
      const bool tunnel = head.starts_with("CONNECT ");
      const std::string& first = tunnel ? established : head;
      ::send(tunnel ? client : server, first.data(), first.size(), MSG_NOSIGNAL);
      pump(client, server);
    }
    ::close(server);
    ::close(client);
  }

  void pump(int a, int b) const {
    char bytes[16384];
    while (!stopping_) {
      pollfd waits[] = {{a, POLLIN, 0}, {b, POLLIN, 0}};
      if (::poll(waits, 2, 10) <= 0) continue;
      for (int i = 0; i < 2; ++i) {
        if (waits[i].revents == 0) continue;
        const ssize_t got = ::recv(waits[i].fd, bytes, sizeof bytes, 0);
        if (got <= 0) return;
        ::send(waits[1 - i].fd, bytes, static_cast<size_t>(got), MSG_NOSIGNAL);
      }
    }
  }

  int listener_;
  uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::vector<std::string> heads_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace cairn::net::testing
