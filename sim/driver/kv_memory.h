// The memory behind the cache port, as unhelpful as its contract allows.
//
// A read shows what was stored when its request was taken; a write is stored when it is
// acknowledged, not before; what was never written is junk. Elements are 32 bits wide here.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <vector>

#include "stall.h"

class KvMemory {
  // Cycles from taking a request or a write to answering it, without stalls.
  static constexpr unsigned latency = 30;

  struct Read {
    uint64_t visible_from;
    std::vector<uint32_t> data;
  };
  struct Write {
    uint64_t visible_from, address;
    std::vector<uint32_t> data;
    std::vector<bool> strobe;
  };

  uint64_t beats, elements;
  std::vector<uint32_t> store;
  std::deque<Read> reads;
  std::deque<Write> writes;
  Random random;
  bool stalls;

  uint64_t answer_at(uint64_t cycle) { return cycle + (stalls ? random.upto(2 * latency) : latency); }

 public:
  KvMemory(uint64_t beats, uint64_t elements, bool stalls, uint64_t seed)
      : beats(beats), elements(elements), store(beats * elements), random(seed), stalls(stalls) {
    for (uint32_t &element : store) element = uint32_t(random.next());
  }

  // Other stalls from now on.
  void stall(bool active, uint64_t seed) {
    stalls = active;
    random = Random(seed);
  }

  // Forgets what is on its way; of writes, nothing is promised.
  void reset() {
    reads.clear();
    for (const Write &write : writes)
      for (uint64_t n = 0; n < elements; n++)
        if (write.strobe[n]) store[write.address * elements + n] = uint32_t(random.next());
    writes.clear();
  }

  bool holds(uint64_t address, uint64_t count) const {
    return count != 0 && address < beats && count <= beats - address;
  }

  void read(uint64_t cycle, uint64_t address, uint64_t count) {
    const uint64_t from = answer_at(cycle);
    for (; count != 0; count--, address++) {
      auto begin = store.begin() + int64_t(address * elements);
      reads.push_back({from, {begin, begin + int64_t(elements)}});
    }
  }

  bool has_word(uint64_t cycle) const { return !reads.empty() && reads.front().visible_from <= cycle; }
  const uint32_t *word() const { return reads.front().data.data(); }
  void next_word() { reads.pop_front(); }

  void write(uint64_t cycle, uint64_t address, std::vector<uint32_t> data, std::vector<bool> strobe) {
    writes.push_back({answer_at(cycle), address, std::move(data), std::move(strobe)});
  }

  bool can_acknowledge(uint64_t cycle) const {
    return !writes.empty() && writes.front().visible_from <= cycle;
  }

  void acknowledge() {
    const Write &write = writes.front();
    for (uint64_t n = 0; n < elements; n++)
      if (write.strobe[n]) store[write.address * elements + n] = write.data[n];
    writes.pop_front();
  }
};
