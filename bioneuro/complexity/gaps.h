// The exhaustive history of a word of two symbols, read off the gaps between its rarer ones.
//
// Where a phrase begins, x of the frequent symbol stand before the next rare one, a; then follow gaps. What stood before and begins alike
// is: a gap of at least x, its rare symbol j < a, then the same gaps, then as much of the next one as both have. Chains join the j that
// are followed by the same 1, 2, ... `levels` gaps, so that few are looked at. A word of a thousand bins with twenty spikes is twenty gaps.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

class Gaps {
    static constexpr int LEVELS = 8;
    std::vector<int32_t> gaps;           // before each rare symbol, then behind the last
    std::vector<int32_t> heads, chains;  // of each level: the last j with a key, and the one before j with its key
    int32_t events = 0, longest = 0;     // rare symbols; the longest gap before one of those passed
    int levels = 0;
    int64_t mask = 0, steps = 0;

    void read(const uint8_t *word, int64_t n, int64_t ones) {
        const uint8_t rare = 2 * ones <= n;
        const uint64_t flip = rare ? 0 : 0x0101010101010101ull;
        events = (int32_t)(rare ? ones : n - ones);
        if ((int64_t)gaps.size() < events + 1) gaps.resize(events + 1);
        int64_t last = -1, k = 0, t = 0;
        const auto note = [&](int64_t at) { gaps[k++] = (int32_t)(at - last - 1), last = at; };
        for (; t + 8 <= n; t += 8) {
            uint64_t eight = 0;
            for (int byte = 0; byte < 8; ++byte) eight |= (uint64_t)word[t + byte] << 8 * byte;
            for (eight ^= flip; eight; eight &= eight - 1) note(t + __builtin_ctzll(eight) / 8);
        }
        for (; t < n; ++t)
            if (word[t] == rare) note(t);
        gaps[k] = (int32_t)(n - 1 - last);
    }

    // As many levels as leave a handful of j to look at, if gaps were independent.
    void start() {
        int32_t counts[256] = {0};
        for (int32_t k = 0; k < events; ++k) ++counts[std::min(gaps[k], 255)];
        double alike = 0;
        for (const double count : counts) alike += count * count / std::max(1.0, (double)events * events);
        const double wanted = alike < 0.99 ? std::log(std::max(1.0, events / 4.0)) / -std::log(std::max(alike, 1e-9)) : LEVELS;
        levels = std::min(LEVELS, std::max(1, (int)std::ceil(wanted)));
        int bits = 4;
        while ((1ll << bits) < 2ll * events) ++bits;
        mask = (1ll << bits) - 1;
        heads.assign((size_t)levels << bits, -1);
        if (chains.size() < (size_t)levels * events) chains.resize((size_t)levels * events);
        longest = 0, steps = 0;
    }

    static uint64_t key(uint64_t before, int32_t gap) { return (before ^ (uint64_t)gap) * 0x9e3779b97f4a7c15ull; }
    int32_t &head(int level, uint64_t key) { return heads[level * (mask + 1) + (int64_t)(key >> 32 & (uint64_t)mask)]; }

    void pass(int32_t j) {
        longest = std::max(longest, gaps[j]);
        uint64_t its = 0;
        for (int level = 0; level < std::min(levels, events - 1 - j); ++level) {
            its = key(its, gaps[j + 1 + level]);
            int32_t &last = head(level, its);
            chains[(size_t)j * levels + level] = last;
            last = j;
        }
    }

    // The longest that stood before, of what follows `x` and the rare symbol a: whole gaps, and part of the next one.
    void look(int32_t a, int32_t x, int32_t &whole, int32_t &part) {
        const int top = std::min(levels, events - 1 - a);
        uint64_t keys[LEVELS + 1] = {0};
        for (int level = 0; level < top; ++level) keys[level + 1] = key(keys[level], gaps[a + 1 + level]);
        whole = -1, part = -1;
        for (int level = top; level > 0; --level) {
            for (int32_t j = head(level - 1, keys[level]); j >= 0; j = chains[(size_t)j * levels + level - 1]) {
                ++steps;
                if (gaps[j] < x) continue;
                int32_t k = 0;
                while (a + k + 1 < events && gaps[j + k + 1] == gaps[a + k + 1]) ++k;
                steps += k;
                if (k < level) continue;  // another key in the same place
                const int32_t rest = std::min(gaps[j + k + 1], gaps[a + k + 1]);
                if (k > whole || (k == whole && rest > part)) whole = k, part = rest;
                if ((level < top || a + k + 1 == events) && rest == gaps[a + k + 1]) return;  // none goes further
            }
            if (whole >= 0) return;
        }
        whole = 0;
        for (int32_t j = a - 1; j >= 0 && part < gaps[a + 1]; --j) {
            ++steps;
            if (gaps[j] >= x) part = std::max(part, std::min(gaps[j + 1], gaps[a + 1]));
        }
    }

  public:
    // False where it would take too long: many j that begin alike and are looked at in vain.
    bool count(const uint8_t *word, int64_t n, int64_t ones, int64_t &complete, int64_t &open) {
        read(word, n, ones);
        start();
        complete = open = 0;
        int32_t a = 0, x = gaps[0];
        bool whole_gap = true;  // whether the phrase begins where a gap does
        while (steps <= 8 * n + 1000) {
            if (whole_gap ? x > longest : a == events || x > longest) {
                // Within a gap, what begins one place further left is as long as the gap, and differs at its end.
                if (whole_gap) {
                    ++complete, x -= longest + 1, whole_gap = false;
                } else if (a == events) {
                    open = x;
                    return true;
                } else {
                    ++complete, pass(a++), x = gaps[a], whole_gap = true;
                }
                continue;
            }
            if (a == events) {
                open = x;
                return true;
            }
            if (a == 0) {
                ++complete, pass(a++), x = gaps[a], whole_gap = true;
                continue;
            }
            int32_t whole, part;
            look(a, x, whole, part);
            const int32_t next = a + whole + 1;
            const bool through = part == gaps[next];
            if (through && next == events) {
                open = 1;
                return true;
            }
            ++complete;
            while (a < next + through) pass(a++);
            x = through ? gaps[a] : gaps[a] - part - 1;
            whole_gap = through;
        }
        return false;
    }
};
