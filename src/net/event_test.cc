#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/event_parser.h"
#include "net/event_text.h"

namespace cairn::net {
namespace {

using ::testing::ElementsAre;

// Everything in `text`, given `step` bytes at a time.
std::vector<std::string> read(const std::string& text, size_t step) {
  std::vector<std::string> events;
  EventParser parser("start");
  for (size_t i = 0; i < text.size(); i += step) {
    const auto more =
        parser.put(as_bytes(std::string_view(text).substr(i, step)), [&](const ReceivedEvent& event) {
          events.push_back(event.id + "|" + event.name + "|" + event.data);
          return true;
        });
    EXPECT_TRUE(more);
  }
  return events;
}

TEST(Events, AreReadAsTheyWereWrittenHoweverTheyArrive) {
  const std::string text = event_text({7, "round", "one\ntwo\r\nthree\rfour"}) + ":\n\n" +
                           event_text({8, "", ""}) + event_text({9, "e\r\nvil: x", " data: x"});
  for (size_t step = 1; step < text.size(); ++step) {
    EXPECT_THAT(read(text, step),
                ElementsAre("7|round|one\ntwo\nthree\nfour", "8|message|", "9|e  vil: x| data: x"));
  }
}

TEST(Events, OtherServersStylesAreUnderstood) {
  EXPECT_THAT(read("data\n\ndata: a\rdata:b\r\r: comment\r\nid\r\ndata:  c\r\n\r\nevent: x\n\n", 3),
              ElementsAre("start|message|", "start|message|a\nb", "|message| c"));
}

TEST(Events, OneThatIsTooLongIsRefused) {
  EventParser parser("");
  const Bytes piece(kMaxEventSize / 4, 'x');
  Result<bool> more = true;
  for (int i = 0; i < 5 && more; ++i) more = parser.put(piece, [](const ReceivedEvent&) { return true; });
  EXPECT_FALSE(more);
}

}  // namespace
}  // namespace cairn::net
