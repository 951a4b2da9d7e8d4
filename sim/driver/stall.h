// Stalls: seeded gates that decide, cycle by cycle, whether a stream may move.
#pragma once

#include <cstdint>

struct Random {
  uint64_t state;

  // splitmix64 spreads nearby seeds; xorshift64 (13, 7, 17) goes on from there and is never 0.
  explicit Random(uint64_t seed) {
    uint64_t z = seed + 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    state = (z ^ (z >> 31)) | 1;
  }

  uint64_t next() {
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
  }

  // 1 to longest.
  unsigned upto(unsigned longest) { return 1 + unsigned((next() >> 33) % longest); }
};

// One gate per stream. Open and closed runs alternate; their longest lengths are redrawn for
// every token, so that one text meets many patterns, among them "never stalled" and long bursts.
class Gate {
  Random random;
  bool active;
  bool open = true;
  unsigned left = 0;
  unsigned longest_open = 1;
  unsigned longest_closed = 0;

 public:
  Gate(bool active, uint64_t seed) : random(seed), active(active) {}

  bool stalls() const { return active; }

  uint64_t junk() { return random.next(); }

  void new_pattern() {
    static const unsigned patterns[][2] = {
        {1, 0}, {1, 1}, {1, 8}, {8, 1}, {3, 3}, {64, 64}, {300, 200}, {2, 30},
    };
    if (!active) return;
    const unsigned *pattern = patterns[random.upto(8) - 1];
    longest_open = pattern[0];
    longest_closed = pattern[1];
    left = 0;
    open = false;
  }

  bool next() {
    if (!active || longest_closed == 0) return true;
    if (left == 0) {
      open = !open;
      left = random.upto(open ? longest_open : longest_closed);
    }
    --left;
    return open;
  }
};
