// Visits every state that a circuit can reach, under every input, and says what holds there.
//
//   explore MODEL prove|cover TRACE
//
// MODEL, written by explore.py: counts, then registers (next, initial value, the register without which
// it holds nothing), gates (two operands), and the literals of claims, suppositions, witnesses, fair
// and live conditions. Variables are numbered 0 (false), 1 (unknown), inputs, registers, gates; literal
// 2n is variable n, 2n + 1 its negation.
//
// One evaluation covers up to 256 input vectors at once, one a lane. Those that lead to the same
// state are one edge. States are stored whole, so nothing rests on a hash.
//
// A register that holds nothing is unknown from then on, and so is what is computed from it: a claim
// then counts as broken, a supposition as kept, a witness as not met. So whoever is wrong about what
// holds nothing gets a failure, never a proof.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <numeric>
#include <string>
#include <vector>

constexpr unsigned LANE_BITS = 8, WORDS = (1u << LANE_BITS) / 64;
constexpr uint32_t NONE = ~0u, FIRST = 2;

struct Lanes {
  uint64_t word[WORDS];
  bool any() const { return std::any_of(word, word + WORDS, [](uint64_t w) { return w; }); }
  bool at(unsigned lane) const { return word[lane / 64] >> lane % 64 & 1; }
  unsigned first() const {
    unsigned n = 0;
    while (!word[n]) ++n;
    return n * 64 + __builtin_ctzll(word[n]);
  }
};
Lanes operator&(Lanes a, const Lanes &b) {
  for (unsigned n = 0; n < WORDS; ++n) a.word[n] &= b.word[n];
  return a;
}
Lanes operator|(Lanes a, const Lanes &b) {
  for (unsigned n = 0; n < WORDS; ++n) a.word[n] |= b.word[n];
  return a;
}
Lanes operator~(Lanes a) {
  for (uint64_t &word : a.word) word = ~word;
  return a;
}
Lanes all(bool value) {
  Lanes lanes;
  std::fill_n(lanes.word, WORDS, value ? ~0ull : 0);
  return lanes;
}

// Whether a signal may be 1, and whether it may be 0; both when it is unknown.
struct Signal { Lanes one, zero; };
Signal operator~(const Signal &a) { return {a.zero, a.one}; }
Signal operator&(const Signal &a, const Signal &b) { return {a.one & b.one, a.zero | b.zero}; }
Signal known(const Lanes &lanes) { return {lanes, ~lanes}; }

struct Gate { uint32_t a, b; };
struct Edge { uint32_t to, label; };

// Of each register two bits: may it be 1, may it be 0.
bool may_be(const uint64_t *state, uint32_t number, bool value) {
  const uint32_t place = 2 * number + !value;
  return state[place / 64] >> place % 64 & 1;
}
void allow(std::vector<uint64_t> &state, uint32_t number, bool one, bool zero) {
  const uint32_t place = 2 * number;
  state[place / 64] |= (uint64_t(one) | uint64_t(zero) << 1) << place % 64;
}

struct Circuit {
  uint32_t inputs, registers, gates;
  std::vector<uint32_t> next, initial, guard, claims, supposed, witnesses, fair, live;
  std::vector<Gate> gate;
  std::vector<Signal> value;

  explicit Circuit(const char *path) {
    std::ifstream file(path);
    uint32_t sizes[5];
    file >> inputs >> registers >> gates;
    for (uint32_t &size : sizes) file >> size;
    next.resize(registers), initial.resize(registers), guard.resize(registers), gate.resize(gates);
    for (uint32_t n = 0; n < registers; ++n) file >> next[n] >> initial[n] >> guard[n];
    for (Gate &g : gate) file >> g.a >> g.b;
    std::vector<uint32_t> *groups[] = {&claims, &supposed, &witnesses, &fair, &live};
    for (unsigned n = 0; n < 5; ++n) {
      groups[n]->resize(sizes[n]);
      for (uint32_t &literal : *groups[n]) file >> literal;
    }
    if (!file) std::cerr << "the model is cut short\n", std::exit(2);
    value.assign(FIRST + inputs + registers + gates, known(all(false)));
    value[1] = {all(true), all(true)};
  }

  Signal operator[](uint32_t literal) const {
    return literal & 1 ? ~value[literal / 2] : value[literal / 2];
  }

  // Inputs above LANE_BITS are those of `batch`; the others differ from lane to lane.
  void evaluate(const uint64_t *state, uint64_t batch) {
    static constexpr uint64_t PATTERN[] = {
        0xaaaaaaaaaaaaaaaa, 0xcccccccccccccccc, 0xf0f0f0f0f0f0f0f0,
        0xff00ff00ff00ff00, 0xffff0000ffff0000, 0xffffffff00000000};
    for (uint32_t n = 0; n < inputs; ++n) {
      Lanes lanes;
      for (unsigned w = 0; w < WORDS; ++w)
        lanes.word[w] = n < 6 ? PATTERN[n]
                        : n < LANE_BITS ? (w >> (n - 6) & 1 ? ~0ull : 0)
                                        : (batch >> (n - LANE_BITS) & 1 ? ~0ull : 0);
      value[FIRST + n] = known(lanes);
    }
    for (uint32_t n = 0; n < registers; ++n)
      value[FIRST + inputs + n] = {all(may_be(state, n, true)), all(may_be(state, n, false))};
    Signal *out = &value[FIRST + inputs + registers];
    for (const Gate &g : gate) *out++ = (*this)[g.a] & (*this)[g.b];
  }
};

// The states found so far, each with who found it and by which inputs.
class States {
 public:
  explicit States(uint32_t registers) : stride(registers / 32 + 1), table(1 << 20, NONE) {}
  uint32_t size() const { return parent.size(); }
  const uint64_t *at(uint32_t index) const { return &bits[size_t(index) * stride]; }
  uint32_t add(const uint64_t *state, uint32_t from, uint64_t inputs) {
    size_t place = find(state);
    if (table[place] != NONE) return table[place];
    table[place] = size();
    bits.insert(bits.end(), state, state + stride);
    parent.push_back(from), by.push_back(inputs);
    if (size() * 2ull > table.size()) grow();
    return size() - 1;
  }
  const uint32_t stride;
  std::vector<uint32_t> parent;
  std::vector<uint64_t> by;

 private:
  size_t find(const uint64_t *state) const {
    uint64_t hash = 0;
    for (uint32_t n = 0; n < stride; ++n)
      hash = (hash ^ state[n]) * 0x9e3779b97f4a7c15, hash ^= hash >> 29;
    for (size_t place = hash & (table.size() - 1);; place = (place + 1) & (table.size() - 1))
      if (table[place] == NONE || !std::memcmp(at(table[place]), state, stride * 8)) return place;
  }
  void grow() {
    table.assign(table.size() * 2, NONE);
    for (uint32_t n = 0; n < size(); ++n) table[find(at(n))] = n;
  }
  std::vector<uint64_t> bits;
  std::vector<uint32_t> table;
};

// The edges of a state stand side by side, from `first[state]` on.
struct Edges {
  std::vector<Edge> edge;
  std::vector<size_t> first;
};

struct Search {
  Circuit circuit;
  States states;
  Edges edges;
  const char *trace;

  Search(const char *model, const char *trace_path)
      : circuit(model), states(circuit.registers), trace(trace_path) {}

  // The inputs of each cycle from reset until `inputs` in `state`; returns how many cycles.
  size_t tell(uint32_t state, uint64_t inputs) const {
    std::vector<uint64_t> run{inputs};
    for (; states.parent[state] != NONE; state = states.parent[state]) run.push_back(states.by[state]);
    std::ofstream file(trace);
    for (auto cycle = run.rbegin(); cycle != run.rend(); ++cycle) file << *cycle << '\n';
    return run.size();
  }

  // All that follows from `state`; calls hit(literal's number, inputs) for `looked_for`.
  template <typename Hit>
  void expand(uint32_t state, const std::vector<uint32_t> &looked_for, bool negated, Hit hit) {
    const std::vector<uint64_t> here(states.at(state), states.at(state) + states.stride);
    const unsigned high = circuit.inputs > LANE_BITS ? circuit.inputs - LANE_BITS : 0;
    const size_t begin = edges.edge.size();
    for (uint64_t batch = 0; batch < 1ull << high; ++batch) {
      circuit.evaluate(here.data(), batch);
      Lanes valid = all(true);
      if (circuit.inputs < 6) valid = all(false), valid.word[0] = (1ull << (1u << circuit.inputs)) - 1;
      else if (circuit.inputs < LANE_BITS)
        for (unsigned w = 1u << (circuit.inputs - 6); w < WORDS; ++w) valid.word[w] = 0;
      for (uint32_t literal : circuit.supposed) valid = valid & circuit[literal].one;
      if (!valid.any()) continue;
      for (size_t n = 0; n < looked_for.size(); ++n) {
        const Signal found = circuit[looked_for[n]];
        const Lanes hits = valid & (negated ? found.zero : ~found.zero);
        if (hits.any()) hit(n, batch << LANE_BITS | hits.first());
      }
      follow(state, valid, batch);
    }
    auto less = [](Edge a, Edge b) { return a.to != b.to ? a.to < b.to : a.label < b.label; };
    auto same = [](Edge a, Edge b) { return a.to == b.to && a.label == b.label; };
    std::sort(edges.edge.begin() + begin, edges.edge.end(), less);
    edges.edge.erase(std::unique(edges.edge.begin() + begin, edges.edge.end(), same), edges.edge.end());
  }

  // Lanes that lead to one state with one label are one edge: split them until they do.
  void follow(uint32_t state, const Lanes &valid, uint64_t batch) {
    std::vector<Lanes> classes{valid};
    auto split = [&](const Lanes &value) {
      for (size_t n = 0, old = classes.size(); n < old; ++n) {
        const Lanes high = classes[n] & value, low = classes[n] & ~value;
        if (high.any() && low.any()) classes[n] = high, classes.push_back(low);
      }
    };
    for (const auto *group : {&circuit.next, &circuit.fair, &circuit.live})
      for (uint32_t literal : *group) split(circuit[literal].one), split(circuit[literal].zero);
    std::vector<uint64_t> to(states.stride);
    for (const Lanes &lanes : classes) {
      const unsigned lane = lanes.first();
      std::fill(to.begin(), to.end(), 0);
      for (uint32_t n = 0; n < circuit.registers; ++n) {
        const bool holds = !circuit.guard[n] || circuit[circuit.next[circuit.guard[n] - 1]].one.at(lane);
        const Signal next = circuit[circuit.next[n]];
        allow(to, n, !holds || next.one.at(lane), !holds || next.zero.at(lane));
      }
      const uint32_t next = states.add(to.data(), state, batch << LANE_BITS | lane);
      // What may be fair counts as fair, what may be not live as not live.
      uint32_t label = 0, bit = 0;
      for (uint32_t literal : circuit.fair) label |= circuit[literal].one.at(lane) << bit++;
      for (uint32_t literal : circuit.live) label |= !circuit[literal].zero.at(lane) << bit++;
      if (bit) edges.edge.push_back({next, label});
    }
  }

  // Visit all; `once` stops at the first hit, otherwise when everything looked for was hit.
  bool visit(const std::vector<uint32_t> &looked_for, bool negated, bool once) {
    std::vector<bool> was_hit(looked_for.size());
    size_t left = looked_for.size();
    std::vector<uint64_t> reset(states.stride);
    for (uint32_t n = 0; n < circuit.registers; ++n)
      allow(reset, n, circuit.initial[n], !circuit.initial[n]);
    states.add(reset.data(), NONE, 0);
    for (uint32_t state = 0; state < states.size(); ++state) {
      if (state == NONE - 1) std::cout << "too many\n", std::exit(3);
      edges.first.push_back(edges.edge.size());
      expand(state, looked_for, negated, [&](size_t n, uint64_t inputs) {
        if (was_hit[n]) return;
        was_hit[n] = true, --left;
        std::cout << "hit " << n << ' ' << tell(state, inputs) << '\n';
      });
      if (left < looked_for.size() && (once || !left)) return true;
      if (state % 4096 == 0) std::cerr << state << " of " << states.size() << '\n';
    }
    edges.first.push_back(edges.edge.size());
    std::cout << "states " << states.size() << '\n';
    return left < looked_for.size();
  }

  // A reachable loop on which live condition `n` never holds, and each fair one does somewhere: a
  // strongly connected component (Tarjan's algorithm) whose edges have all of them.
  uint32_t unfair_loop(unsigned n) const {
    const uint32_t count = states.size(), answered = 1u << (circuit.fair.size() + n);
    const uint32_t every = (1u << circuit.fair.size()) - 1;
    std::vector<uint32_t> order(count, 0), low(count, 0), of(count, NONE), stack;
    std::vector<std::pair<uint32_t, size_t>> calls;
    uint32_t clock = 0;
    for (uint32_t root = 0; root < count; ++root) {
      if (order[root]) continue;
      calls.push_back({root, edges.first[root]});
      while (!calls.empty()) {
        auto &[state, at] = calls.back();
        if (!order[state]) order[state] = low[state] = ++clock, stack.push_back(state);
        bool deeper = false;
        for (; at < edges.first[state + 1]; ++at) {
          const Edge &edge = edges.edge[at];
          if (edge.label & answered) continue;
          if (!order[edge.to]) {
            calls.push_back({edge.to, edges.first[edge.to]});
            deeper = true;
            break;
          }
          if (of[edge.to] == NONE) low[state] = std::min(low[state], low[edge.to]);
        }
        if (deeper) continue;
        const uint32_t done = state;
        calls.pop_back();
        if (low[done] != order[done]) {
          low[calls.back().first] = std::min(low[calls.back().first], low[done]);
          continue;
        }
        const size_t bottom = std::find(stack.rbegin(), stack.rend(), done).base() - stack.begin() - 1;
        for (size_t m = bottom; m < stack.size(); ++m) of[stack[m]] = done;
        uint32_t seen = 0;
        bool loops = false;
        for (size_t m = bottom; m < stack.size(); ++m)
          for (size_t e = edges.first[stack[m]]; e < edges.first[stack[m] + 1]; ++e)
            if (of[edges.edge[e].to] == done && !(edges.edge[e].label & answered))
              seen |= edges.edge[e].label, loops = true;
        if (loops && (seen & every) == every) return done;
        stack.resize(bottom);
      }
    }
    return NONE;
  }
};

int main(int, char **arguments) {
  Search search(arguments[1], arguments[3]);
  if (!std::strcmp(arguments[2], "cover")) {
    search.visit(search.circuit.witnesses, false, false);
    return 0;
  }
  if (search.visit(search.circuit.claims, true, true)) return 0;
  for (unsigned n = 0; n < search.circuit.live.size(); ++n) {
    const uint32_t state = search.unfair_loop(n);
    if (state != NONE)
      std::cout << "hit " << search.circuit.claims.size() + n << ' ' << search.tell(state, 0) << '\n';
  }
}
