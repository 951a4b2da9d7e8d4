// Visits every state that a circuit can reach, under every input, and says what holds there.
//
//   explore MODEL prove|cover TRACE
//
// MODEL, written by explore.py: counts, then registers (next, initial value, the register without which
// it holds nothing), gates (two operands), and the literals of claims, suppositions, witnesses, fair
// and live conditions. Variables are numbered 0 (false), 1 (unknown), inputs, registers, gates; literal
// 2n is variable n, 2n + 1 its negation.
//
// One evaluation covers 64 input vectors at once, one a lane. Those that lead to the same state are
// one edge. Only inputs that can make a difference in a state are tried there; the others are 0.
// States are stored whole, so nothing rests on a hash.
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

constexpr unsigned LANE_BITS = 6;
constexpr uint32_t NONE = ~0u, FIRST = 2;

// One bit for each of the input vectors that are tried at once.
using Lanes = uint64_t;
constexpr Lanes ALL = ~0ull;
unsigned first(Lanes lanes) { return __builtin_ctzll(lanes); }

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
  // What is stored or looked at.
  std::vector<uint32_t> sinks;
  // Of each literal, the lanes in which it may be 1: an unknown one and its negation in all.
  std::vector<Lanes> may;
  // Of the state in work: the inputs that a variable may depend on, one bit each; the gates, and in
  // the end the inputs, of which that is so.
  std::vector<uint32_t> support;
  std::vector<uint32_t> dependent, relevant;

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
    if (!file || inputs > 32) std::cerr << "the model is cut short, or has too many inputs\n", std::exit(2);
    may.assign(2 * (FIRST + inputs + registers + gates), ALL);
    may[0] = 0;
    support.assign(may.size() / 2, 0);
    for (uint32_t n = 0; n < inputs; ++n) support[FIRST + n] = 1ull << n;
    for (const auto *group : {&next, &claims, &supposed, &witnesses, &fair, &live})
      sinks.insert(sinks.end(), group->begin(), group->end());
  }

  // A gate, from what its operands may be.
  static void evaluate(const Lanes *at, Gate g, Lanes *out) {
    out[0] = at[g.a] & at[g.b], out[1] = at[g.a ^ 1] | at[g.b ^ 1];
  }

  // Everything while all inputs are unknown: what is known then depends on none, and what is not
  // depends on those of its operands at most. Returns how many batches there are to try.
  uint64_t enter(const uint64_t *state) {
    Lanes *out = &may[2 * FIRST];
    for (uint32_t n = 0; n < 2 * inputs; ++n) *out++ = ALL;
    for (uint32_t n = 0; n < registers; ++n)
      for (bool value : {true, false}) *out++ = may_be(state, n, value) ? ALL : 0;
    dependent.resize(gates);
    size_t found = 0;
    Lanes *const at = may.data();
    uint32_t *const behind = support.data();
    for (uint32_t n = 0, self = FIRST + inputs + registers; n < gates; ++n, ++self, out += 2) {
      const Gate g = gate[n];
      evaluate(at, g, out);
      behind[self] = (behind[g.a / 2] | behind[g.b / 2]) & out[0] & out[1];
      dependent[found] = n, found += behind[self] != 0;
    }
    dependent.resize(found);
    uint64_t matter = 0;
    for (uint32_t literal : sinks) matter |= support[literal / 2];
    relevant.clear();
    for (uint32_t n = 0; n < inputs; ++n)
      if (matter >> n & 1) relevant.push_back(n);
      else may[2 * (FIRST + n)] = 0;
    return relevant.size() > LANE_BITS ? 1ull << (relevant.size() - LANE_BITS) : 1;
  }

  // The first relevant inputs differ from lane to lane; the others are those of `batch`.
  void complete(uint64_t batch) {
    static constexpr Lanes PATTERN[] = {0xaaaaaaaaaaaaaaaa, 0xcccccccccccccccc, 0xf0f0f0f0f0f0f0f0,
                                        0xff00ff00ff00ff00, 0xffff0000ffff0000, 0xffffffff00000000};
    for (uint32_t n = 0; n < relevant.size(); ++n) {
      const uint32_t literal = 2 * (FIRST + relevant[n]);
      may[literal] = n < LANE_BITS ? PATTERN[n] : batch >> (n - LANE_BITS) & 1 ? ALL : 0;
      may[literal + 1] = ~may[literal];
    }
    Lanes *const at = may.data(), *const first_gate = &at[2 * (FIRST + inputs + registers)];
    for (uint32_t n : dependent) evaluate(at, gate[n], &first_gate[2 * n]);
  }

  // Lanes that differ in an input.
  Lanes used() const { return relevant.size() < LANE_BITS ? (1ull << (1u << relevant.size())) - 1 : ALL; }

  // The inputs of a lane.
  uint64_t values(uint64_t batch, unsigned lane) const {
    uint64_t values = 0;
    for (uint32_t n = 0; n < relevant.size(); ++n)
      values |= ((batch << LANE_BITS | lane) >> n & 1) << relevant[n];
    return values;
  }

  // Of each register, the lanes in which it may be 1, and those in which it may be 0, afterwards.
  void after(std::vector<Lanes> &rails) const {
    rails.clear();
    for (uint32_t n = 0; n < registers; ++n) {
      const Lanes lost = guard[n] ? ~may[next[guard[n] - 1]] : 0;
      rails.push_back(may[next[n]] | lost), rails.push_back(may[next[n] ^ 1] | lost);
    }
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
  // Of the step in work: where it starts, all that it decides, what of it is the same in all lanes,
  // the numbers of what is not, and lanes that agree in everything.
  std::vector<uint64_t> here, common, to;
  std::vector<Lanes> rails, classes;
  std::vector<uint32_t> varying;

  Search(const char *model, const char *trace_path)
      : circuit(model), states(circuit.registers), trace(trace_path) {}

  // The inputs of each cycle from reset until `inputs` in `state`, the last first.
  std::vector<uint64_t> run_to(uint32_t state, uint64_t inputs) const {
    std::vector<uint64_t> run{inputs};
    for (; states.parent[state] != NONE; state = states.parent[state]) run.push_back(states.by[state]);
    return run;
  }

  // Writes them down; returns how many cycles.
  size_t tell(uint32_t state, uint64_t inputs) const {
    const std::vector<uint64_t> run = run_to(state, inputs);
    std::ofstream file(trace);
    for (auto cycle = run.rbegin(); cycle != run.rend(); ++cycle) file << *cycle << '\n';
    return run.size();
  }

  // All that follows from `state`; calls met(number of a witness, inputs) and broken(that of a claim, inputs).
  template <typename Met, typename Broken>
  void expand(uint32_t state, Met met, Broken broken) {
    here.assign(states.at(state), states.at(state) + states.stride);
    const size_t begin = edges.edge.size();
    const uint64_t batches = circuit.enter(here.data());
    for (uint64_t batch = 0; batch < batches; ++batch) {
      circuit.complete(batch);
      Lanes valid = circuit.used();
      for (uint32_t literal : circuit.supposed) valid &= circuit.may[literal];
      if (!valid) continue;
      for (size_t n = 0; n < circuit.witnesses.size(); ++n)
        if (const Lanes lanes = valid & ~circuit.may[circuit.witnesses[n] ^ 1])
          met(n, circuit.values(batch, first(lanes)));
      for (size_t n = 0; n < circuit.claims.size(); ++n)
        if (const Lanes lanes = valid & circuit.may[circuit.claims[n] ^ 1])
          broken(n, circuit.values(batch, first(lanes)));
      follow(state, valid, batch);
    }
    auto less = [](Edge a, Edge b) { return a.to != b.to ? a.to < b.to : a.label < b.label; };
    auto same = [](Edge a, Edge b) { return a.to == b.to && a.label == b.label; };
    std::sort(edges.edge.begin() + begin, edges.edge.end(), less);
    edges.edge.erase(std::unique(edges.edge.begin() + begin, edges.edge.end(), same), edges.edge.end());
  }

  // Lanes that lead to one state with one label are one edge. What differs between lanes is little.
  void follow(uint32_t state, Lanes valid, uint64_t batch) {
    circuit.after(rails);
    const uint32_t label_at = rails.size();
    // What may be fair counts as fair, what may be not live as not live.
    for (uint32_t literal : circuit.fair) rails.push_back(circuit.may[literal]);
    for (uint32_t literal : circuit.live) rails.push_back(~circuit.may[literal ^ 1]);
    varying.clear(), classes.assign(1, valid), common.assign(rails.size() / 64 + 1, 0);
    for (uint32_t n = 0; n < rails.size(); ++n) {
      const Lanes high = rails[n] & valid;
      if (high == valid) common[n / 64] |= 1ull << n % 64;
      if (!high || high == valid) continue;
      varying.push_back(n);
      for (size_t c = 0, old = classes.size(); c < old; ++c) {
        const Lanes in = classes[c] & high, out = classes[c] & ~high;
        if (in && out) classes[c] = in, classes.push_back(out);
      }
    }
    for (Lanes lanes : classes) {
      const unsigned lane = first(lanes);
      to = common;
      for (uint32_t n : varying) to[n / 64] |= (rails[n] >> lane & 1) << n % 64;
      uint32_t label = 0;
      for (uint32_t n = label_at; n < rails.size(); ++n) {
        uint64_t &word = to[n / 64];
        label |= (word >> n % 64 & 1) << (n - label_at), word &= ~(1ull << n % 64);
      }
      const uint32_t next = states.add(to.data(), state, circuit.values(batch, lane));
      if (rails.size() > label_at) edges.edge.push_back({next, label});
    }
  }

  // Visit all, or stop at the first broken claim; without `proving`, when every witness was met.
  // Returns whether a claim was broken.
  bool visit(bool proving) {
    std::vector<bool> was_met(circuit.witnesses.size()), was_broken(circuit.claims.size());
    size_t missing = was_met.size();
    bool failed = false;
    std::vector<uint64_t> reset(states.stride);
    for (uint32_t n = 0; n < circuit.registers; ++n)
      allow(reset, n, circuit.initial[n], !circuit.initial[n]);
    states.add(reset.data(), NONE, 0);
    for (uint32_t state = 0; state < states.size(); ++state) {
      if (state == NONE - 1) std::cout << "too many\n", std::exit(3);
      edges.first.push_back(edges.edge.size());
      auto met = [&](size_t n, uint64_t inputs) {
        if (was_met[n]) return;
        was_met[n] = true, --missing;
        std::cout << "met " << n << ' ' << run_to(state, inputs).size() << '\n';
      };
      auto broken = [&](size_t n, uint64_t inputs) {
        if (!proving || was_broken[n]) return;
        was_broken[n] = failed = true;
        std::cout << "hit " << n << ' ' << tell(state, inputs) << '\n';
      };
      expand(state, met, broken);
      if (failed || (!proving && !missing)) return failed;
      if (state % 4096 == 0) std::cerr << state << " of " << states.size() << '\n';
    }
    edges.first.push_back(edges.edge.size());
    std::cout << "states " << states.size() << '\n';
    return false;
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
  const bool proving = !std::strcmp(arguments[2], "prove");
  if (search.visit(proving) || !proving) return 0;
  for (unsigned n = 0; n < search.circuit.live.size(); ++n) {
    const uint32_t state = search.unfair_loop(n);
    if (state != NONE)
      std::cout << "hit " << search.circuit.claims.size() + n << ' ' << search.tell(state, 0) << '\n';
  }
}
