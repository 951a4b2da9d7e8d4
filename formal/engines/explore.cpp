// Explicit-state model checking: visits every reachable state of a circuit, under all inputs.
//
//   explore MODEL prove|cover TRACE [CERTIFICATE]
//
// MODEL, written by circuit.py: counts, then registers (next; initial value, 2 for any; number of
// the valid qualifier, from 1, or 0), gates (two operands), and the literals of claims,
// suppositions, witnesses, fair and live conditions, and of a loop: that it goes on, that it ends.
// Variables are numbered 0 (false), inputs, registers, gates; literal 2n is variable n, 2n + 1 its
// negation.
//
// One evaluation covers 64 input vectors, one per lane. Those that lead to the same state are one
// edge. Only relevant inputs of a state are enumerated; the others are 0. States are stored in
// full, so soundness does not depend on hashes.
//
// CERTIFICATE is the folder for the certificate of a proof, read by certificate.py: all states,
// the inputs enumerated in each, and for each live condition the rank of each state in an order of
// components (see `cycle`).
//
// A register whose valid qualifier is low becomes unknown, and so does everything computed from it:
// a claim then counts as violated, a supposition as met, a witness as not met. So a wrong qualifier
// causes a failure, never a wrong proof.

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
constexpr uint32_t NONE = ~0u, FIRST = 1, ANY = 2;
// Most registers with any initial value that are enumerated; further ones are initially unknown.
constexpr uint32_t MOST_FREE = 12;

// One bit for each of the input vectors evaluated together.
using Lanes = uint64_t;
constexpr Lanes ALL = ~0ull;
unsigned first(Lanes lanes) { return __builtin_ctzll(lanes); }

struct Gate { uint32_t a, b; };
struct Edge { uint32_t to, label; };

// Two bits per register: whether it may be 1, and whether it may be 0.
void allow(std::vector<uint64_t> &state, uint32_t number, bool one, bool zero) {
  const uint32_t place = 2 * number;
  state[place / 64] |= (uint64_t(one) | uint64_t(zero) << 1) << place % 64;
}

// Transposes a matrix of 64 x 64 bits.
void transpose(uint64_t *rows) {
  uint64_t mask = 0x00000000ffffffff;
  for (unsigned half = 32; half; half /= 2, mask ^= mask << half)
    for (unsigned n = 0; n < 64; n = (n + half + 1) & ~half) {
      const uint64_t moved = (rows[n] >> half ^ rows[n + half]) & mask;
      rows[n] ^= moved << half, rows[n + half] ^= moved;
    }
}

struct Circuit {
  uint32_t inputs, registers, gates;
  std::vector<uint32_t> next, initial, guard, claims, supposed, witnesses, fair, live, loop;
  std::vector<Gate> gate;
  // What is stored or evaluated.
  std::vector<uint32_t> sinks;

  // Of 64 states at a time, one a lane, whatever the inputs: of each literal, the states in which it
  // may be 1; of each variable and input, of each variable, and of each register in the next cycle,
  // the states in which it may depend on that input, or on any; of each input, those in which it
  // makes a difference; what follows of all registers that depend on none. Then, of each state, its own
  // bits of that, and the gates and registers that depend on an input.
  std::vector<Lanes> wide, behind, depends, moves, matters, after;
  std::vector<uint64_t> follows, dependents, movers;
  // The variables that are looked at in one of them.
  std::vector<uint32_t> used_variables;
  std::vector<bool> is_used;

  // Of the state in work: of each literal, the input vectors with which it may be 1 (an unknown one
  // and its negation with all); the gates, the registers, and the inputs, that differ with them.
  std::vector<Lanes> may;
  std::vector<uint32_t> dependent, moving, relevant;
  const uint64_t *settled = nullptr;

  explicit Circuit(const char *path) {
    std::ifstream file(path);
    uint32_t sizes[6];
    file >> inputs >> registers >> gates;
    for (uint32_t &size : sizes) file >> size;
    next.resize(registers), initial.resize(registers), guard.resize(registers), gate.resize(gates);
    for (uint32_t n = 0; n < registers; ++n) file >> next[n] >> initial[n] >> guard[n];
    for (Gate &g : gate) file >> g.a >> g.b;
    std::vector<uint32_t> *groups[] = {&claims, &supposed, &witnesses, &fair, &live, &loop};
    for (unsigned n = 0; n < 6; ++n) {
      groups[n]->resize(sizes[n]);
      for (uint32_t &literal : *groups[n]) file >> literal;
    }
    if (!file || inputs > 32 || fair.size() + live.size() + loop.size() > 32)
      std::cerr << "the model is cut short, or has too many inputs or conditions\n", std::exit(2);
    const uint32_t variables = FIRST + inputs + registers + gates;
    wide.assign(2 * variables, ALL), wide[0] = 0, may = wide;
    behind.assign(size_t(variables) * inputs, 0), depends.assign(variables, 0);
    for (uint32_t n = 0; n < inputs; ++n) behind[(FIRST + n) * inputs + n] = depends[FIRST + n] = ALL;
    moves.resize(registers), matters.resize(inputs), after.resize(2 * registers);
    for (const auto *group : {&next, &claims, &supposed, &witnesses, &fair, &live, &loop})
      sinks.insert(sinks.end(), group->begin(), group->end());
  }

  // Words of a state.
  size_t stride() const { return registers / 32 + 1; }

  // A gate, from the possible values of its operands.
  static void evaluate(const Lanes *at, Gate g, Lanes *out) {
    out[0] = at[g.a] & at[g.b], out[1] = at[g.a ^ 1] | at[g.b ^ 1];
  }

  // Lanes in which a register is forgotten: what it needs may be low then.
  Lanes lost(const std::vector<Lanes> &at, uint32_t number) const {
    return guard[number] ? at[next[guard[number] - 1] ^ 1] : 0;
  }

  // Everything about `count` states while all inputs are unknown: what is known then depends on none,
  // and what is not depends on those of its operands at most.
  void load(const uint64_t *states, unsigned count) {
    const uint32_t first_register = FIRST + inputs, first_gate = first_register + registers;
    uint64_t block[64];
    for (size_t word = 0; word < stride(); ++word) {
      for (unsigned lane = 0; lane < 64; ++lane)
        block[lane] = states[(lane < count ? lane : 0) * stride() + word];
      transpose(block);
      for (size_t bit = 0, place = 64 * word; bit < 64 && place < 2 * registers; ++bit, ++place)
        wide[2 * first_register + place] = block[bit];
    }
    for (uint32_t n = 0, self = first_gate; n < gates; ++n, ++self) {
      const Gate g = gate[n];
      evaluate(wide.data(), g, &wide[2 * self]);
      const Lanes unknown = wide[2 * self] & wide[2 * self + 1];
      const Lanes *const a = &behind[g.a / 2 * inputs], *const b = &behind[g.b / 2 * inputs];
      Lanes *const own = &behind[self * inputs], any = 0;
      for (uint32_t input = 0; input < inputs; ++input)
        any |= own[input] = (a[input] | b[input]) & unknown;
      depends[self] = any;
    }
    std::fill(matters.begin(), matters.end(), 0);
    for (uint32_t literal : sinks)
      for (uint32_t input = 0; input < inputs; ++input) matters[input] |= behind[literal / 2 * inputs + input];

    for (uint32_t n = 0; n < registers; ++n) {
      moves[n] = depends[next[n] / 2] | (guard[n] ? depends[next[guard[n] - 1] / 2] : 0);
      for (unsigned zero : {0, 1}) after[2 * n + zero] = (wide[next[n] ^ zero] | lost(wide, n)) & ~moves[n];
    }
    by_state(&depends[first_gate], gates, dependents);
    by_state(moves.data(), registers, movers);
    by_state(after.data(), 2 * registers, follows);
    look_at();
  }

  // Collects what the gates, registers and statements that depend on an input are made from.
  void look_at() {
    used_variables.clear(), is_used.assign(depends.size(), false);
    const auto use = [this](uint32_t literal) {
      if (!is_used[literal / 2]) used_variables.push_back(literal / 2);
      is_used[literal / 2] = true;
    };
    for (uint32_t n = 0, self = FIRST + inputs + registers; n < gates; ++n, ++self)
      if (depends[self]) use(gate[n].a), use(gate[n].b);
    for (uint32_t n = 0; n < registers; ++n) {
      if (moves[n]) use(next[n]);
      if (moves[n] && guard[n]) use(next[guard[n] - 1]);
    }
    for (const auto *group : {&claims, &supposed, &witnesses, &fair, &live, &loop})
      for (uint32_t literal : *group) use(literal);
  }

  // For each state a row of bits, from a row of states for each bit.
  static void by_state(const Lanes *lanes, uint32_t count, std::vector<uint64_t> &rows) {
    const size_t words = count / 64 + 1;
    rows.resize(64 * words);
    uint64_t block[64];
    for (size_t word = 0; word < words; ++word) {
      for (size_t bit = 0; bit < 64; ++bit) block[bit] = 64 * word + bit < count ? lanes[64 * word + bit] : 0;
      transpose(block);
      for (unsigned lane = 0; lane < 64; ++lane) rows[lane * words + word] = block[lane];
    }
  }

  // One of the states that are loaded. Returns how many batches of inputs there are to try.
  uint64_t enter(unsigned lane) {
    for (uint32_t variable : used_variables)
      for (uint32_t literal : {2 * variable, 2 * variable + 1}) may[literal] = -(wide[literal] >> lane & 1);
    const auto those = [lane](std::vector<uint32_t> &numbers, const std::vector<uint64_t> &rows, uint32_t count) {
      const size_t words = count / 64 + 1;
      numbers.clear();
      for (size_t word = 0; word < words; ++word)
        for (uint64_t bits = rows[lane * words + word]; bits; bits &= bits - 1)
          numbers.push_back(64 * word + first(bits));
    };
    those(dependent, dependents, gates);
    those(moving, movers, registers);
    relevant.clear();
    for (uint32_t n = 0; n < inputs; ++n)
      if (matters[n] >> lane & 1) relevant.push_back(n);
      else may[2 * (FIRST + n)] = 0, may[2 * (FIRST + n) + 1] = ALL;
    settled = &follows[lane * stride()];
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
};

// The states found so far, each with its predecessor and the inputs that led to it.
class States {
 public:
  explicit States(size_t words) : stride(words), table(1 << 20, NONE) {}
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
  const std::vector<uint64_t> &all() const { return bits; }
  const size_t stride;
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
  // The states that are loaded lie between these. Of the step in work: what is the same in all lanes, what is
  // not (which bit, in which lanes it is high), and lanes that agree in everything.
  uint32_t loaded_from = 0, loaded = 0;
  std::vector<uint64_t> common, to;
  std::vector<std::pair<uint32_t, Lanes>> varying;
  std::vector<Lanes> classes;
  // Of each state, the inputs that make a difference there.
  std::vector<uint32_t> tried;

  Search(const char *model, const char *trace_path)
      : circuit(model), states(circuit.stride()), trace(trace_path) {}

  // The inputs of each cycle from reset until `inputs` in `state`, the last first.
  std::vector<uint64_t> run_to(uint32_t state, uint64_t inputs) const {
    std::vector<uint64_t> run{inputs};
    for (; states.parent[state] != NONE; state = states.parent[state]) run.push_back(states.by[state]);
    return run;
  }

  // Writes them; returns the number of cycles.
  size_t tell(uint32_t state, uint64_t inputs) const {
    const std::vector<uint64_t> run = run_to(state, inputs);
    std::ofstream file(trace);
    for (auto cycle = run.rbegin(); cycle != run.rend(); ++cycle) file << *cycle << '\n';
    return run.size();
  }

  // All that follows from `state`; calls met(number of a witness, inputs) and broken(that of a claim, inputs).
  template <typename Met, typename Broken>
  void expand(uint32_t state, Met met, Broken broken) {
    if (state == loaded) {
      const uint32_t count = std::min<uint32_t>(64, states.size() - state);
      circuit.load(states.at(state), count);
      loaded = state + count, loaded_from = state;
    }
    const size_t begin = edges.edge.size();
    const uint64_t batches = circuit.enter(state - loaded_from);
    tried.push_back(0);
    for (uint32_t n : circuit.relevant) tried.back() |= 1u << n;
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
    const uint32_t label_at = 2 * circuit.registers;
    common.assign(circuit.settled, circuit.settled + states.stride), common.push_back(0);
    varying.clear(), classes.assign(1, valid);
    uint32_t place = label_at;
    const auto decide = [&](uint32_t bit, Lanes lanes) {
      const Lanes high = lanes & valid;
      if (high == valid) common[bit / 64] |= 1ull << bit % 64;
      if (!high || high == valid) return;
      varying.push_back({bit, high});
      for (size_t c = 0, old = classes.size(); c < old; ++c) {
        const Lanes in = classes[c] & high, out = classes[c] & ~high;
        if (in && out) classes[c] = in, classes.push_back(out);
      }
    };
    const std::vector<Lanes> &may = circuit.may;
    for (uint32_t n : circuit.moving)
      for (unsigned zero : {0, 1}) decide(2 * n + zero, may[circuit.next[n] ^ zero] | circuit.lost(may, n));
    // What may be fair counts as fair, what may be not live as not live; a loop that may end ends,
    // and one that may not go on does not.
    for (uint32_t literal : circuit.fair) decide(place++, may[literal]);
    for (uint32_t literal : circuit.live) decide(place++, ~may[literal ^ 1]);
    if (!circuit.loop.empty())
      decide(place++, ~may[circuit.loop[0] ^ 1]), decide(place++, may[circuit.loop[1]]);
    for (Lanes lanes : classes) {
      const unsigned lane = first(lanes);
      to = common;
      for (const auto &[bit, high] : varying) to[bit / 64] |= (high >> lane & 1) << bit % 64;
      uint32_t label = 0;
      for (uint32_t n = label_at; n < place; ++n) {
        uint64_t &word = to[n / 64];
        label |= (word >> n % 64 & 1) << (n - label_at), word &= ~(1ull << n % 64);
      }
      const uint32_t next = states.add(to.data(), state, circuit.values(batch, lane));
      if (place > label_at) edges.edge.push_back({next, label});
    }
  }

  // Every initial state.
  void add_initial() {
    std::vector<uint32_t> free;
    for (uint32_t n = 0; n < circuit.registers; ++n)
      if (circuit.initial[n] == ANY) free.push_back(n);
    const bool unknown = free.size() > MOST_FREE;
    for (uint64_t values = 0; values < (unknown ? 1 : 1ull << free.size()); ++values) {
      std::vector<uint64_t> reset(states.stride);
      for (uint32_t n = 0; n < circuit.registers; ++n)
        if (circuit.initial[n] != ANY) allow(reset, n, circuit.initial[n], !circuit.initial[n]);
      for (size_t n = 0; n < free.size(); ++n)
        allow(reset, free[n], unknown || values >> n & 1, unknown || !(values >> n & 1));
      states.add(reset.data(), NONE, 0);
    }
  }

  // Visit all, or stop at the first broken claim; without `proving`, when every witness was met.
  // Returns whether a claim was broken.
  bool visit(bool proving) {
    std::vector<bool> was_met(circuit.witnesses.size()), was_broken(circuit.claims.size());
    size_t missing = was_met.size();
    bool failed = false;
    add_initial();
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

  // A reachable cycle of states on which live condition `n` never holds, and each fair one does
  // somewhere. Where a loop goes on again and again, it must end again and again, too: either it
  // ends somewhere on that cycle, or it goes on nowhere.
  // The orders that show that there is none go into `orders`.
  uint32_t unanswered(unsigned n, std::vector<uint32_t> &orders) const {
    const unsigned conditions = circuit.fair.size() + circuit.live.size();
    const uint32_t every = (1u << circuit.fair.size()) - 1, answered = 1u << (circuit.fair.size() + n);
    if (circuit.loop.empty()) return cycle(answered, every, orders);
    const uint32_t goes_on = 1u << conditions, ends = 2u << conditions;
    const uint32_t ending = cycle(answered, every | ends, orders);
    return ending != NONE ? ending : cycle(answered | goes_on, every, orders);
  }

  // A state on a reachable cycle without a label in `never`, on which each in `every` stands
  // somewhere: a strongly connected component (Tarjan's algorithm) whose edges have all of them.
  // Components are numbered as they are left: no edge leads to a greater number.
  uint32_t cycle(uint32_t never, uint32_t every, std::vector<uint32_t> &orders) const {
    const uint32_t count = states.size();
    uint32_t components = 0;
    const size_t order_at = orders.size();
    orders.resize(order_at + count);
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
          if (edge.label & never) continue;
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
        for (size_t m = bottom; m < stack.size(); ++m)
          of[stack[m]] = done, orders[order_at + stack[m]] = components;
        ++components;
        uint32_t seen = 0;
        bool loops = false;
        for (size_t m = bottom; m < stack.size(); ++m)
          for (size_t e = edges.first[stack[m]]; e < edges.first[stack[m] + 1]; ++e)
            if (of[edges.edge[e].to] == done && !(edges.edge[e].label & never))
              seen |= edges.edge[e].label, loops = true;
        if (loops && (seen & every) == every) return done;
        stack.resize(bottom);
      }
    }
    return NONE;
  }
};

template <typename T> void write(const std::string &path, const std::vector<T> &numbers) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char *>(numbers.data()), numbers.size() * sizeof(T));
  if (!file.flush()) std::cerr << "cannot write " << path << '\n', std::exit(2);
}

int main(int count, char **arguments) {
  Search search(arguments[1], arguments[3]);
  const bool proving = !std::strcmp(arguments[2], "prove");
  if (search.visit(proving) || !proving) return 0;
  bool failed = false;
  std::vector<uint32_t> orders;
  for (unsigned n = 0; n < search.circuit.live.size(); ++n) {
    const uint32_t state = search.unanswered(n, orders);
    if (state == NONE) continue;
    std::cout << "hit " << search.circuit.claims.size() + n << ' ' << search.tell(state, 0) << '\n';
    failed = true;
  }
  if (failed || count < 5) return 0;
  const std::string folder = std::string(arguments[4]) + '/';
  write(folder + "states.bin", search.states.all());
  write(folder + "tried.bin", search.tried);
  write(folder + "orders.bin", orders);
}
