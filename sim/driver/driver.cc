// Clocks a compiled decoder: one object per simulation, no globals, plain C functions outside.
//
// Compiled behind the generated "ports.h" (VD_* constants) and the CXXRTL output, in one file.
//
// One evaluation is one clock cycle. CXXRTL's eval() computes the outputs from the registers as
// they were *before* the edge, and the next registers beside them; commit() makes these current.
// So after eval() and before commit() the outputs are exactly those of the cycle that this edge
// ends, settled, and nothing is stale. The inputs of a cycle never depend on outputs of the same
// cycle, so one evaluation is enough, unless the design has combinational feedback (VD_FEEDBACK).

#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <deque>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "kv_memory.h"
#include "stall.h"

#if VD_WAVES
#include <cxxrtl/cxxrtl_vcd.h>
#endif

namespace {

using Top = cxxrtl_design::p_top;

template <size_t Bits>
const cxxrtl::value<Bits> &now(const cxxrtl::value<Bits> &value) { return value; }
template <size_t Bits>
const cxxrtl::value<Bits> &now(const cxxrtl::wire<Bits> &wire) { return wire.curr; }

template <class Port>
uint64_t get(const Port &port) { return now(port).template get<uint64_t>(); }

// The low bits of `number`; CXXRTL demands that the bits above the port are zero.
template <size_t Bits>
void put(cxxrtl::value<Bits> &port, uint64_t number) {
  port.template set<uint64_t>(Bits < 64 ? number & ((uint64_t(1) << (Bits % 64)) - 1) : number);
}

struct Record {
  uint16_t tensor, layer;
  uint32_t index;
  int32_t value;
};
static_assert(sizeof(Record) == 12, "numpy reads these");

// Where a record came from.
struct Origin {
  uint64_t cycle, channel;
};

// A record that golden says differently shows in a waveform beside what it must be.
struct Compared {
  cxxrtl::value<16> tensor, layer;
  cxxrtl::value<32> index, value, expected;
  cxxrtl::value<1> known, differs;
};

struct Run {
  uint64_t address, beats, visible_from;
};

enum Stream {
  I_TOKEN, I_WEIGHTS, O_FETCH, O_TOKEN, O_LOGITS,
  O_KV_READ, I_KV_WORDS, O_KV_WRITE, I_KV_WRITTEN,
  STREAMS
};

// What an output stream offered in the last cycle without being accepted: it must offer it still.
struct Held {
  bool pending = false;
  uint64_t payload = 0;
};

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

struct vd_result {
  int32_t id;
  int32_t sampled;
  int32_t end;
  int32_t reset;            // before it was done; `id` is negative unless it was answered
  uint64_t cycles;          // of this token, from offering it to taking its answer
  uint64_t design_cycles;   // the design's own counter, since reset
  uint64_t design_macs;     // likewise
  uint64_t busy_cycles;     // what design_cycles must be, by our own clock
};

enum vd_status { VD_OK, VD_NO_PROGRESS, VD_PROTOCOL };

struct vd_sim {
  static constexpr uint64_t NEVER = ~uint64_t(0);

  Top top;
  const uint8_t *weights;
  uint64_t image_beats;
  uint64_t patience;
  std::vector<Gate> gates;
  Held held[STREAMS];
  std::deque<Run> runs;
  std::vector<int32_t> logits;
  std::vector<Record> trace;
  std::vector<Origin> origins;
  uint64_t begin = 0;  // the cycle in which the last token was offered
  std::string message, levels;
  uint64_t cycle = 0;
  uint64_t moved = 0;  // last cycle in which any stream moved
  uint64_t moved_macs = 0;
  uint64_t busy_cycles = 0;  // cycles before this one in which a token was in flight
  uint64_t reset_in = NEVER;  // the cycle of the next token in which to reset
  bool weights_valid = false;
#if VD_KV_ELEMENTS
  KvMemory kv;
  bool word_valid = false, written = false, kv_read_ready = false, kv_write_ready = false;
#endif
#if VD_WAVES
  FILE *vcd_file = nullptr;
  cxxrtl::vcd_writer *vcd = nullptr;
#endif
#if VD_WAVES && VD_TRACED
  std::map<std::tuple<uint16_t, uint16_t, uint32_t>, int32_t> expected;
  Compared compared[VD_CHANNELS];

  void compare(Compared &to, const uint32_t *data) {
    Record record;
    memcpy(&record, data, sizeof record);
    auto found = expected.find({record.tensor, record.layer, record.index});
    const bool known = found != expected.end();
    put(to.tensor, record.tensor);
    put(to.layer, record.layer);
    put(to.index, record.index);
    put(to.value, uint32_t(record.value));
    put(to.known, known);
    put(to.expected, known ? uint32_t(found->second) : 0);
    put(to.differs, !known || found->second != record.value);
  }

  // What the trace brought last, channel by channel; `differs` is high in the very cycle only.
  void show_compared() {
    const uint32_t valid = uint32_t(get(top.p_trace__valid));
#define VD_CHANNEL(n, port)                                           \
  put(compared[n].differs, 0);                                        \
  if (valid >> n & 1) compare(compared[n], now(port).data);
    VD_EACH_CHANNEL
#undef VD_CHANNEL
  }

  void describe_compared(cxxrtl::debug_items &items) {
    for (size_t n = 0; n < VD_CHANNELS; n++) {
      const std::string scope = "compared" + std::to_string(n) + " ";
      Compared &to = compared[n];
      items.add(scope + "tensor", cxxrtl::debug_item(to.tensor));
      items.add(scope + "layer", cxxrtl::debug_item(to.layer));
      items.add(scope + "index", cxxrtl::debug_item(to.index));
      items.add(scope + "value", cxxrtl::debug_item(to.value));
      items.add(scope + "expected", cxxrtl::debug_item(to.expected));
      items.add(scope + "known", cxxrtl::debug_item(to.known));
      items.add(scope + "differs", cxxrtl::debug_item(to.differs));
    }
  }
#endif

  vd_sim(const uint8_t *weights, uint64_t image_beats, bool stalls, uint64_t seed, uint64_t patience)
      : weights(weights), image_beats(image_beats), patience(patience)
#if VD_KV_ELEMENTS
        , kv(VD_KV_BEATS, VD_KV_ELEMENTS, stalls, seed)
#endif
  {
    stall(stalls, seed);
    logits.reserve(VD_VOCAB);
  }

  void stall(bool active, uint64_t seed) {
    gates.clear();
    for (uint64_t n = 0; n < STREAMS; n++) gates.emplace_back(active, seed * STREAMS + n);
  }

  // Ends a cycle, whose outputs were evaluated, by a reset. Nothing moves in it, and the host
  // forgets what is on its way.
  void reset() {
    top.commit();
    cycle++;
    runs.clear();
    for (Held &last : held) last = {};
    weights_valid = false;
    busy_cycles = moved_macs = 0;
#if VD_KV_ELEMENTS
    kv.reset();
    word_valid = false;
    kv_requested = kv_delivered = kv_taken = kv_acknowledged = 0;
#endif
  }

  __attribute__((format(printf, 2, 3))) int fail(const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    message = text;
    return VD_PROTOCOL;
  }

  void present_weights() {
    if (!weights_valid && !runs.empty() && runs.front().visible_from <= cycle &&
        gates[I_WEIGHTS].next()) {
      weights_valid = true;
      memcpy(top.p_i__weights__data.data, weights + runs.front().address * VD_BEAT_BYTES,
             VD_BEAT_BYTES);
    } else if (!weights_valid && gates[I_WEIGHTS].stalls()) {
      // Nobody may look at the payload of a beat that is not valid: make sure that it would hurt.
      memset(top.p_i__weights__data.data, int(gates[I_WEIGHTS].junk() & 0xff), VD_BEAT_BYTES);
    }
    put(top.p_i__weights__valid, weights_valid);
  }

#if VD_KV_ELEMENTS
  void present_kv() {
    constexpr size_t bytes = VD_KV_ELEMENTS * sizeof(uint32_t);
    if (!word_valid && kv.has_word(cycle) && gates[I_KV_WORDS].next()) {
      word_valid = true;
      memcpy(top.p_i__kv__words__data.data, kv.word(), bytes);
    } else if (!word_valid && gates[I_KV_WORDS].stalls()) {
      memset(top.p_i__kv__words__data.data, int(gates[I_KV_WORDS].junk() & 0xff), bytes);
    }
    written = kv.can_acknowledge(cycle) && gates[I_KV_WRITTEN].next();
    kv_read_ready = gates[O_KV_READ].next();
    kv_write_ready = gates[O_KV_WRITE].next();
    put(top.p_i__kv__words__valid, word_valid);
    put(top.p_i__kv__written, written);
    put(top.p_o__kv__read__ready, kv_read_ready);
    put(top.p_o__kv__write__ready, kv_write_ready);
  }

  // What the cache port did in this cycle, counted on the port alone: the proofs suppose of a memory
  // that it delivers what was asked for and acknowledges what it took, no more.
  uint64_t kv_requested = 0, kv_delivered = 0, kv_taken = 0, kv_acknowledged = 0;

  int serve_kv(bool &move) {
    if (word_valid && kv_delivered++ == kv_requested)
      return fail("i_kv_words brought a beat that nobody asked for, in cycle %" PRIu64, cycle);
    if (written && kv_acknowledged++ == kv_taken)
      return fail("i_kv_written acknowledged a write that nobody made, in cycle %" PRIu64, cycle);
    if (word_valid) {
      if (!get(top.p_i__kv__words__ready))
        return fail("i_kv_words was not taken at once, in cycle %" PRIu64, cycle);
      move = true;
      word_valid = false;
      kv.next_word();
    }
    const bool reads = get(top.p_o__kv__read__valid);
    if (reads || held[O_KV_READ].pending) {
      const uint64_t address = get(top.p_o__kv__read__address);
      const uint64_t beats = get(top.p_o__kv__read__beats);
      if (!stable(O_KV_READ, reads, kv_read_ready, address << 32 ^ beats))
        return fail("o_kv_read changed while it was stalled, in cycle %" PRIu64, cycle);
      if (reads && kv_read_ready) {
        if (!kv.holds(address, beats) || beats > VD_KV_BURST)
          return fail("o_kv_read asked for %" PRIu64 " beats at %" PRIu64 " of %" PRIu64
                      ", in cycle %" PRIu64, beats, address, uint64_t(VD_KV_BEATS), cycle);
        move = true;
        kv_requested += beats;
        kv.read(cycle, address, beats);
      }
    }
    const bool writes = get(top.p_o__kv__write__valid);
    if (writes || held[O_KV_WRITE].pending) {
      const uint64_t address = get(top.p_o__kv__write__address);
      const uint32_t *data = now(top.p_o__kv__write__data).data;
      const uint32_t *lanes = now(top.p_o__kv__write__strobe).data;
      std::vector<bool> strobe(VD_KV_ELEMENTS);
      uint64_t payload = address;
      for (size_t n = 0; n < VD_KV_ELEMENTS; n++) {
        strobe[n] = lanes[n / 32] >> n % 32 & 1;
        if (strobe[n]) payload = (payload * VD_KV_ELEMENTS + n) * 0x9E3779B97F4A7C15u + data[n];
      }
      if (!stable(O_KV_WRITE, writes, kv_write_ready, payload))
        return fail("o_kv_write changed while it was stalled, in cycle %" PRIu64, cycle);
      if (writes && kv_write_ready) {
        if (!kv.holds(address, 1))
          return fail("o_kv_write wrote beat %" PRIu64 " of %" PRIu64 ", in cycle %" PRIu64,
                      address, uint64_t(VD_KV_BEATS), cycle);
        move = true;
        kv_taken++;
        kv.write(cycle, address, {data, data + VD_KV_ELEMENTS}, strobe);
      }
    }
    if (written) {
      move = true;
      kv.acknowledge();
    }
    return VD_OK;
  }
#endif

  void put_reset(bool resets) {
#if VD_RESET
    put(top.p_rst, resets);
#endif
  }

  // One clock cycle up to the moment where its outputs can be read; commit() then ends it.
  void evaluate() {
#if VD_FEEDBACK
    put(top.p_clk, 0);
    top.step();
#endif
    put(top.p_clk, 1);
    top.prev_p_clk = cxxrtl::value<1>{0u};
    top.eval();
#if VD_WAVES
    if (vcd != nullptr) {
#if VD_TRACED
      show_compared();
#endif
      vcd->sample(cycle * 10);
      put(top.p_clk, 0);
      vcd->sample(cycle * 10 + 5);
      put(top.p_clk, 1);
      if (vcd->buffer.size() > (1 << 20)) flush_vcd();
    }
#endif
  }

#if VD_WAVES
  void flush_vcd() {
    fwrite(vcd->buffer.data(), 1, vcd->buffer.size(), vcd_file);
    vcd->buffer.clear();
  }
#endif

  void record_trace() {
#if VD_TRACED
    uint32_t valid = 0;
    static_assert(VD_CHANNELS <= 32, "trace_valid is read as one word");
    valid = uint32_t(get(top.p_trace__valid));
    if (valid == 0) return;
#define VD_CHANNEL(n, port)                          \
  if (valid >> n & 1) {                              \
    trace.emplace_back();                            \
    origins.push_back({cycle, n});                   \
    memcpy(&trace.back(), now(port).data, sizeof(Record)); \
  }
    VD_EACH_CHANNEL
#undef VD_CHANNEL
#endif
  }

  // The rules of a stream: what is offered stays offered, unchanged, until it is accepted.
  bool stable(Stream stream, bool valid, bool ready, uint64_t payload) {
    Held &last = held[stream];
    bool good = !last.pending || (valid && payload == last.payload);
    last.pending = valid && !ready;
    last.payload = payload;
    return good;
  }

  // The streams at the ports on which one side waits for the other, in the cycle that just ended.
  std::string waiting() {
    std::string text;
    auto look = [&](const char *name, uint64_t valid, uint64_t ready, const char *who) {
      if (valid == ready) return;
      text += std::string("; ") + name + (valid ? ": valid high, ready low" : ": ready high, valid low");
      if (who != nullptr) text += std::string(" (") + who + ")";
    };
#define VD_LOOK(name, port, who) look(name, get(top.port##__valid), get(top.port##__ready), who)
    VD_LOOK("i_token", p_i__token, nullptr);
    VD_LOOK("i_weights", p_i__weights,
            weights_valid ? nullptr : runs.empty() ? "all that was fetched is taken"
                                                   : "the host offers no beat");
    VD_LOOK("o_fetch", p_o__fetch, nullptr);
    VD_LOOK("o_token", p_o__token, nullptr);
    VD_LOOK("o_logits", p_o__logits, nullptr);
#if VD_KV_ELEMENTS
    VD_LOOK("o_kv_read", p_o__kv__read, nullptr);
    VD_LOOK("i_kv_words", p_i__kv__words, nullptr);
    VD_LOOK("o_kv_write", p_o__kv__write, nullptr);
#endif
#undef VD_LOOK
    return text;
  }

  int step(int32_t token, bool first, bool sample, vd_result *result) {
    begin = cycle;
    bool offered = false, accepted = false, answered = false;
    logits.clear();
    trace.clear();
    origins.clear();
    for (Gate &gate : gates) gate.new_pattern();
    const auto junk = uint32_t(gates[I_TOKEN].junk());  // on i_token while it is not valid
    moved = cycle;
    const uint64_t reset_after = reset_in;
    reset_in = NEVER;
    result->id = -1;

    while (!answered || (sample && logits.size() < VD_VOCAB)) {
      if (!offered && gates[I_TOKEN].next()) offered = true;
      const bool token_valid = offered && !accepted;
      put(top.p_i__token__valid, token_valid);
      put(top.p_i__token__id, token_valid ? uint32_t(token) : junk);
      put(top.p_i__token__first, token_valid ? first : gates[I_TOKEN].stalls());
      put(top.p_i__token__sample, token_valid ? sample : gates[I_TOKEN].stalls());
      present_weights();
      const bool fetch_ready = runs.size() < 2 && gates[O_FETCH].next();
      const bool token_ready = gates[O_TOKEN].next();
      const bool logits_ready = gates[O_LOGITS].next();
      put(top.p_o__fetch__ready, fetch_ready);
      put(top.p_o__token__ready, token_ready);
      put(top.p_o__logits__ready, logits_ready);
#if VD_KV_ELEMENTS
      present_kv();
#endif

      const bool resets = cycle - begin == reset_after;
      put_reset(resets);
      evaluate();
      record_trace();
      if (get(top.p_fault)) return fail("fault is high in cycle %" PRIu64, cycle);

      // In flight from the cycle behind that in which it was taken to that of its answer.
      const bool in_flight = accepted && !answered;
      result->busy_cycles = busy_cycles;
      busy_cycles += in_flight;
      if (resets) {
        result->reset = 1;
        reset();
        return VD_OK;
      }

      bool move = false;
      if (token_valid && get(top.p_i__token__ready)) move = accepted = true;
      if (weights_valid && get(top.p_i__weights__ready)) {
        move = true;
        weights_valid = false;
        runs.front().address++;
        if (--runs.front().beats == 0) runs.pop_front();
      }
      const bool fetch_valid = get(top.p_o__fetch__valid);
      if (fetch_valid || held[O_FETCH].pending) {
        const uint64_t address = get(top.p_o__fetch__address), beats = get(top.p_o__fetch__beats);
        if (!stable(O_FETCH, fetch_valid, fetch_ready, address << 32 ^ beats))
          return fail("o_fetch changed while it was stalled, in cycle %" PRIu64, cycle);
        if (fetch_valid && fetch_ready) {
          if (address + beats > image_beats)
            return fail("o_fetch asked for beats %" PRIu64 " to %" PRIu64 " of %" PRIu64
                        ", in cycle %" PRIu64, address, address + beats, image_beats, cycle);
          move = true;
          if (beats != 0) runs.push_back({address, beats, cycle + 1});
        }
      }
      const bool logit_valid = get(top.p_o__logits__valid);
      if (logit_valid || held[O_LOGITS].pending) {
        const uint64_t value = get(top.p_o__logits__value), last = get(top.p_o__logits__last);
        if (!stable(O_LOGITS, logit_valid, logits_ready, value << 1 | last))
          return fail("o_logits changed while it was stalled, in cycle %" PRIu64, cycle);
        if (logit_valid && logits_ready) {
          move = true;
          // Sign-extend from the width of the format.
          logits.push_back(int32_t(uint32_t(value) << (32 - VD_LOGIT_BITS)) >> (32 - VD_LOGIT_BITS));
          if (!sample) return fail("o_logits brought a logit for a token that was not sampled");
          if (bool(last) != (logits.size() == VD_VOCAB))
            return fail("o_logits.last is %u with logit %zu of %u", unsigned(last),
                        logits.size() - 1, unsigned(VD_VOCAB));
        }
      }
      const bool answer_valid = get(top.p_o__token__valid);
      if (answer_valid || held[O_TOKEN].pending) {
        const uint64_t id = get(top.p_o__token__id), sampled = get(top.p_o__token__sampled);
        const uint64_t end = get(top.p_o__token__end);
        if (!stable(O_TOKEN, answer_valid, token_ready, id << 2 | sampled << 1 | end))
          return fail("o_token changed while it was stalled, in cycle %" PRIu64, cycle);
        if (answer_valid && token_ready) {
          if (answered || !accepted) return fail("o_token answered a token that was not asked");
          if (bool(sampled) != sample) return fail("o_token.sampled is not what i_token asked");
          move = answered = true;
          result->id = int32_t(id);
          result->sampled = int32_t(sampled);
          result->end = int32_t(end);
        }
      }
#if VD_KV_ELEMENTS
      if (int status = serve_kv(move)) return status;
#endif
      if (move) moved = cycle;
      top.commit();
      cycle++;
      if (cycle - moved > patience) {
        // Attention moves no stream, but counts its products.
        if (get(top.p_macs) == moved_macs) {
          message = "no progress for " + std::to_string(patience) + " cycles" + waiting();
          return VD_NO_PROGRESS;
        }
        moved_macs = get(top.p_macs);
        moved = cycle;
      }
    }
    result->cycles = cycle - begin;
    result->design_cycles = get(top.p_cycles);
    result->design_macs = get(top.p_macs);
    if (reset_after != NEVER) {
      put_reset(true);
      evaluate();
      record_trace();
      reset();
    }
    return VD_OK;
  }
};

// `weights` is read in place until vd_close: `beats` rows of VD_BEAT_BYTES bytes.
vd_sim *vd_open(const uint8_t *weights, uint64_t beats, int stalls, uint64_t seed,
                uint64_t patience) {
  return new vd_sim(weights, beats, stalls != 0, seed, patience);
}

void vd_close(vd_sim *sim) {
#if VD_WAVES
  delete sim->vcd;
  if (sim->vcd_file != nullptr) fclose(sim->vcd_file);
#endif
  delete sim;
}

// Chooses among several designs in one netlist, for netlists with the input `vd_select`.
void vd_select(vd_sim *sim, uint64_t design) {
#if VD_SELECT
  put(sim->top.p_vd__select, design);
#endif
}

int vd_step(vd_sim *sim, int32_t token, int first, int sample, vd_result *result) {
  return sim->step(token, first != 0, sample != 0, result);
}

// Resets decoder and host in this cycle of the next token, or behind it; 0 in a build without reset.
int vd_reset_in(vd_sim *sim, uint64_t cycle) {
  if (VD_RESET) sim->reset_in = cycle;
  return VD_RESET;
}

// Stalls from now on, as vd_open() has them.
void vd_stall(vd_sim *sim, int stalls, uint64_t seed) {
  sim->stall(stalls != 0, seed);
#if VD_KV_ELEMENTS
  sim->kv.stall(stalls != 0, seed);
#endif
}

uint64_t vd_cycle(const vd_sim *sim) { return sim->cycle; }
const char *vd_message(const vd_sim *sim) { return sim->message.c_str(); }

const int32_t *vd_logits(const vd_sim *sim, uint64_t *count) {
  *count = sim->logits.size();
  return sim->logits.data();
}

const void *vd_trace(const vd_sim *sim, uint64_t *count) {
  *count = sim->trace.size();
  return sim->trace.data();
}

// For each of those records.
const void *vd_origins(const vd_sim *sim) { return sim->origins.data(); }

// The cycle in which the last token was offered.
uint64_t vd_begin(const vd_sim *sim) { return sim->begin; }

// What golden says of the token that comes next: waveforms show it beside what the RTL traces.
void vd_expect(vd_sim *sim, const void *records, uint64_t count) {
#if VD_WAVES && VD_TRACED
  sim->expected.clear();
  for (uint64_t n = 0; n < count; n++) {
    Record record;
    memcpy(&record, static_cast<const char *>(records) + n * sizeof record, sizeof record);
    sim->expected[{record.tensor, record.layer, record.index}] = record.value;
  }
#else
  (void)sim, (void)records, (void)count;
#endif
}

// Every signal of at most 64 bits as it is now, a line each: name and value; builds for waveforms.
const char *vd_levels(vd_sim *sim) {
  sim->levels.clear();
#if VD_WAVES
  cxxrtl::debug_items items;
  sim->top.debug_info(&items, nullptr, "");
  for (auto &[path, parts] : items.table) {
    uint64_t value = 0;
    bool narrow = true;
    for (const cxxrtl::debug_item &part : parts) {
      narrow &= part.type != cxxrtl::debug_item::MEMORY && part.lsb_at + part.width <= 64;
      if (!narrow) break;
      if (part.outline != nullptr) part.outline->eval();
      uint64_t bits = part.curr[0];
      if (part.width > 32) bits |= uint64_t(part.curr[1]) << 32;
      value |= bits << part.lsb_at;
    }
    if (narrow) sim->levels += path + '\t' + std::to_string(value) + '\n';
  }
#endif
  return sim->levels.c_str();
}

// Starts a waveform at the current cycle; 0 when the file cannot be opened or the build has none.
int vd_vcd_begin(vd_sim *sim, const char *path) {
#if VD_WAVES
  sim->vcd_file = fopen(path, "wb");
  if (sim->vcd_file == nullptr) return 0;
  cxxrtl::debug_items items;
  sim->top.debug_info(&items, nullptr, "");
#if VD_TRACED
  sim->describe_compared(items);
#endif
  sim->vcd = new cxxrtl::vcd_writer();
  sim->vcd->timescale(1, "ns");
  sim->vcd->add_without_memories(items);
  return 1;
#else
  (void)sim, (void)path;
  return 0;
#endif
}

// Ends it; 0 when something could not be written.
int vd_vcd_end(vd_sim *sim) {
#if VD_WAVES
  sim->flush_vcd();
  int good = !ferror(sim->vcd_file) & (fclose(sim->vcd_file) == 0);
  delete sim->vcd;
  sim->vcd = nullptr;
  sim->vcd_file = nullptr;
  return good;
#else
  (void)sim;
  return 0;
#endif
}
}
#pragma GCC visibility pop
