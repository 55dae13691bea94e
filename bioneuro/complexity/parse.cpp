// Lempel-Ziv parsing of words of integers in one pass, any alphabet, one symbol at a time.
//
// The suffix automaton of a growing word (Blumer et al. 1985, Theor Comput Sci 40:31) knows after each symbol the longest suffix that
// occurred before: it is as long as the suffix link of the newest state says. The exhaustive history of Lempel & Ziv (1976) needs
// nothing else: a phrase is complete as soon as it is longer than that. Words of two symbols, one of them rare, take a shorter way, with
// the same phrases (gaps.h).
#include "gaps.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>
#include <vector>
#ifdef __linux__
#include <sys/mman.h>
#endif

namespace {

// Memory that is not filled before it is written; in large pages where there are some, since walks jump about in it.
template <class T> struct Room {
    T *items = nullptr;
    int64_t size = 0;

    Room() = default;
    Room(const Room &) = delete;
    ~Room() { std::free(items); }
    T &operator[](int64_t k) { return items[k]; }
    T *begin() { return items; }
    T *end() { return items + size; }
    void resize(int64_t wanted) {
        const size_t page = 1 << 21, bytes = wanted * sizeof(T), whole = (bytes + page - 1) / page * page;
        T *made = static_cast<T *>(bytes < page ? std::malloc(bytes) : std::aligned_alloc(page, whole));
        if (!made) throw std::bad_alloc();
#ifdef __linux__
        if (bytes >= page) madvise(made, whole, MADV_HUGEPAGE);
#endif
        std::copy_n(items, std::min(size, wanted), made);
        std::free(items);
        items = made, size = wanted;
    }
};

// Transitions of an alphabet 0..K-1, beside their state. State 0 leads to the root, 1, by every symbol; elsewhere 0 is no transition.
template <int K> struct Dense {
    struct State {
        int32_t to[K];
        int32_t link, length;
    };
    Room<State> states;

    void start() {
        std::fill_n(states[0].to, K, 1);
        clear(1);
    }
    int32_t get(int32_t from, int32_t symbol) { return states[from].to[symbol]; }
    void set(int32_t from, int32_t symbol, int32_t to) { states[from].to[symbol] = to; }
    void copy(int32_t from, int32_t to) { std::copy_n(states[from].to, K, states[to].to); }
    void clear(int32_t state) { std::fill_n(states[state].to, K, 0); }
    void resize(int64_t room) { states.resize(room); }
    template <class Rename> void rename(int64_t from, int64_t to, Rename name) {
        for (int64_t state = from; state < to; ++state)
            for (int32_t &next : states[state].to) next = name(next);
    }
    template <class Rename> void renamed(Rename) {}
};

// Transitions of any alphabet: a hash table of entries, and for each state a chain through those that leave it.
struct Sparse {
    struct State {
        int32_t first, link, length;
    };
    struct Entry {
        int32_t from, symbol, to, next;
    };
    Room<State> states;
    std::vector<Entry> entries;
    std::vector<int32_t> table;

    void start() {
        entries.clear();
        table.assign(1 << 10, -1);
        clear(1);
    }
    int32_t &slot(int32_t from, int32_t symbol) {
        uint64_t key = ((uint64_t)(uint32_t)from << 32 | (uint32_t)symbol) * 0x9e3779b97f4a7c15ull;
        const uint64_t mask = table.size() - 1;
        for (uint64_t at = (key ^ key >> 31) & mask;; at = (at + 1) & mask) {
            const int32_t entry = table[at];
            if (entry < 0 || (entries[entry].from == from && entries[entry].symbol == symbol)) return table[at];
        }
    }
    int32_t get(int32_t from, int32_t symbol) {
        if (!from) return 1;
        const int32_t entry = slot(from, symbol);
        return entry < 0 ? 0 : entries[entry].to;
    }
    void set(int32_t from, int32_t symbol, int32_t to) {
        int32_t &entry = slot(from, symbol);
        if (entry >= 0) {
            entries[entry].to = to;
            return;
        }
        entry = (int32_t)entries.size();
        entries.push_back({from, symbol, to, states[from].first});
        states[from].first = entry;
        if (2 * entries.size() > table.size()) fill(2 * table.size());
    }
    void fill(size_t slots) {
        table.assign(slots, -1);
        for (int32_t entry = 0; entry < (int32_t)entries.size(); ++entry) slot(entries[entry].from, entries[entry].symbol) = entry;
    }
    void copy(int32_t from, int32_t to) {
        clear(to);
        for (int32_t entry = states[from].first; entry >= 0; entry = entries[entry].next) set(to, entries[entry].symbol, entries[entry].to);
    }
    void clear(int32_t state) { states[state].first = -1; }
    void resize(int64_t room) { states.resize(room); }
    template <class Rename> void rename(int64_t, int64_t, Rename) {}
    template <class Rename> void renamed(Rename name) {
        for (Entry &entry : entries) entry.from = name(entry.from), entry.to = name(entry.to);
        fill(table.size());
    }
};

// A state for each prefix, from `first` on, and one for each split, from 2 on: walks visit few of the former, and memory is near.
template <class Edges> struct Automaton {
    Edges edges;
    int32_t room = 0, first = 0, splits, size, link;

    void start(int64_t symbols) {
        if (symbols > room || !room) {
            room = (int32_t)std::max<int64_t>(symbols, 64);
            first = room + 2;
            edges.resize(2 * (int64_t)room + 2);
        }
        edges.states[0].link = 0, edges.states[0].length = -1;
        edges.states[1].link = 0, edges.states[1].length = 0;
        splits = 2, size = 0, link = 0;
        edges.start();
    }

    void grow() {
        const int32_t more = room, from = first;
        const auto name = [=](int32_t state) { return state >= from ? state + more : state; };
        room += more, first += more;
        edges.resize(2 * (int64_t)room + 2);
        auto &states = edges.states;
        std::copy_backward(states.begin() + from, states.begin() + from + size, states.begin() + first + size);
        for (auto [begin, end] : {std::pair(0, splits), std::pair(first, first + size)}) {
            for (int32_t state = begin; state < end; ++state) states[state].link = name(states[state].link);
            edges.rename(begin, end, name);
        }
        edges.renamed(name);
        link = name(link);
    }

    // One more symbol; returns how long the longest suffix is that occurred before.
    int32_t push(int32_t symbol) {
        if (size == room) grow();
        auto &states = edges.states;
        const int32_t made = first + size;
        edges.set(size ? made - 1 : 1, symbol, made);
        int32_t at = link, next;
        while (!(next = edges.get(at, symbol))) {
            edges.set(at, symbol, made);
            at = states[at].link;
        }
        const int32_t seen = states[at].length + 1;
        link = next;
        if (states[next].length != seen) {
            link = splits++;
            edges.copy(next, link);
            states[link].link = states[next].link;
            states[link].length = seen;
            states[next].link = link;
            do {
                edges.set(at, symbol, link);
                at = states[at].link;
            } while (edges.get(at, symbol) == next);
        }
        edges.clear(made);
        states[made].link = link;
        states[made].length = ++size;
        return seen;
    }
};

// Phrases of a word that grows.
struct Parser {
    int64_t complete = 0, open = 0;
    virtual ~Parser() = default;
    virtual void start(int64_t symbols) = 0;
    virtual void feed(const int32_t *word, int64_t n, int32_t *seen) = 0;
};

// Lempel & Ziv 1976: a phrase ends when it has not occurred before, overlaps allowed.
template <class Edges> struct Exhaustive : Parser {
    Automaton<Edges> automaton;
    void start(int64_t symbols) override {
        complete = open = 0;
        automaton.start(symbols);
    }
    template <class Symbol> void read(const Symbol *word, int64_t n, int32_t *seen) {
        for (int64_t t = 0; t < n; ++t) {
            const int32_t longest = automaton.push((int32_t)word[t]);
            if (seen) seen[t] = longest;
            if (++open > longest) ++complete, open = 0;
        }
    }
    void feed(const int32_t *word, int64_t n, int32_t *seen) override { read(word, n, seen); }
};

// Ziv & Lempel 1978: a phrase ends when it is none of the phrases before. The phrases are the states of a tree.
struct Incremental : Parser {
    Sparse tree;
    int32_t at, used;
    void start(int64_t symbols) override {
        complete = open = 0;
        tree.resize(symbols + 2);
        tree.start();
        at = 1, used = 2;
    }
    void feed(const int32_t *word, int64_t n, int32_t *) override {
        if (used + n > tree.states.size) tree.resize(2 * (used + n));
        for (int64_t t = 0; t < n; ++t) {
            ++open;
            const int32_t next = tree.get(at, word[t]);
            if (next) {
                at = next;
                continue;
            }
            tree.clear(used);
            tree.set(at, word[t], used++);
            at = 1, open = 0, ++complete;
        }
    }
};

constexpr double RARE = 0.3;  // up to which share of the rarer symbol its gaps are the shorter way: measured

int64_t longest(const int64_t *starts, int64_t words) {
    int64_t found = 0;
    for (int64_t k = 0; k < words; ++k) found = std::max(found, starts[k + 1] - starts[k]);
    return found;
}

Parser *made(int32_t rule, int32_t alphabet) {
    if (rule) return new Incremental;
    if (alphabet <= 2) return new Exhaustive<Dense<2>>;
    if (alphabet <= 4) return new Exhaustive<Dense<4>>;
    if (alphabet <= 16) return new Exhaustive<Dense<16>>;
    return new Exhaustive<Sparse>;
}

}  // namespace

extern "C" {

// Null where there is no memory, as the other functions give 0.
Parser *parser(int32_t rule, int32_t alphabet, int64_t symbols) {
    try {
        Parser *one = made(rule, alphabet);
        one->start(symbols);
        return one;
    } catch (const std::bad_alloc &) {
        return nullptr;
    }
}

int32_t feed(Parser *one, const int32_t *word, int64_t n, int32_t *seen, int64_t *complete, int64_t *open) {
    try {
        one->feed(word, n, seen);
    } catch (const std::bad_alloc &) {
        return 0;
    }
    *complete = one->complete, *open = one->open;
    return 1;
}

void finish(Parser *one) { delete one; }

// Words one after the other: that of k is word[starts[k]] up to word[starts[k + 1]]. Complete phrases and the length of the open one, for each.
int32_t count(int32_t rule, int32_t alphabet, const int32_t *word, const int64_t *starts, int64_t words, int64_t *complete, int64_t *open) {
    Parser *one = parser(rule, alphabet, longest(starts, words));
    int32_t fine = one != nullptr;
    for (int64_t k = 0; k < words && fine; ++k) {
        if (k) one->start(starts[k + 1] - starts[k]);
        fine = feed(one, word + starts[k], starts[k + 1] - starts[k], nullptr, complete + k, open + k);
    }
    delete one;
    return fine;
}

// The same for words of 0 and 1, by `lz76`. `open` is then only whether a phrase is.
int32_t count_binary(const uint8_t *word, const int64_t *starts, int64_t words, int64_t *complete, int64_t *open) try {
    Gaps gaps;
    Exhaustive<Dense<2>> dense;
    for (int64_t k = 0; k < words; ++k) {
        const uint8_t *begin = word + starts[k];
        const int64_t n = starts[k + 1] - starts[k];
        int64_t ones = 0;
        for (int64_t t = 0; t < n; ++t) ones += begin[t];
        if (std::min(ones, n - ones) <= n * RARE && gaps.count(begin, n, ones, complete[k], open[k])) continue;
        dense.start(n);
        dense.read(begin, n, nullptr);
        complete[k] = dense.complete, open[k] = dense.open;
    }
    return 1;
} catch (const std::bad_alloc &) {
    return 0;
}
}
