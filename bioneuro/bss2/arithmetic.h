// The integer arithmetic and the random numbers of BrainScaleS-2's plasticity processor: bioneuro.bss2 for C++11.
//
// The same bits as arithmetic.py and randoms.py, which say what each function means and where that is documented.
// Nothing is checked here: values must fit their lanes, 4 <= bits <= 32, 0 <= n <= 63 (round: n < bits), and states
// of generators must not be 0. No negative number is shifted to the left, and no signed number overflows.
#ifndef BIONEURO_BSS2
#define BIONEURO_BSS2
#include <cmath>
#include <cstdint>

// floor(x / 2^n), 0 <= n <= 63
static inline int64_t bioneuro_bss2_floor(int64_t x, int64_t n) {
    static_assert((int64_t)-3 >> 1 == -2, "bioneuro: this compiler shifts negative numbers to the right otherwise than by their sign");
    return x >> n;
}
static inline int64_t bioneuro_bss2_mask(int64_t bits) {
    return ((int64_t)1 << bits) - 1;
}
static inline int64_t bioneuro_bss2_clip(int64_t x, int64_t low, int64_t high) {
    return x < low ? low : x > high ? high : x;
}

// signed lanes: fractional and saturating
static inline int64_t bioneuro_bss2_saturate(int64_t x, int64_t bits) {
    const int64_t high = bioneuro_bss2_mask(bits - 1);
    return bioneuro_bss2_clip(x, -high - 1, high);
}
static inline int64_t bioneuro_bss2_add(int64_t a, int64_t b, int64_t bits) {
    return bioneuro_bss2_saturate(a + b, bits);
}
static inline int64_t bioneuro_bss2_subtract(int64_t a, int64_t b, int64_t bits) {
    return bioneuro_bss2_saturate(a - b, bits);
}
static inline int64_t bioneuro_bss2_multiply(int64_t a, int64_t b, int64_t bits) {
    return bioneuro_bss2_saturate(bioneuro_bss2_floor(a * b, bits - 1), bits);
}
// floor((a b + 2^(n-1)) / 2^n), |a b| <= 2^62, 0 <= n <= 62. No branch in what a loop over synapses calls: compilers then use vectors.
static inline int64_t bioneuro_bss2_scale(int64_t a, int64_t b, int64_t n) {
    return (a * b + (((int64_t)1 << n) >> 1)) >> n;
}
static inline int64_t bioneuro_bss2_shift_left(int64_t x, int64_t n, int64_t bits) {
    if (n >= bits) return 0;
    const int64_t magnitude = bioneuro_bss2_mask(bits - 1);
    const int64_t moved = (int64_t)(((uint64_t)x << n) & (uint64_t)magnitude);
    return x < 0 ? moved - magnitude - 1 : moved;
}
static inline int64_t bioneuro_bss2_shift_right(int64_t x, int64_t n, int64_t bits) {
    return n >= bits ? 0 : bioneuro_bss2_floor(x, n);
}

// between them
static inline int64_t bioneuro_bss2_cast_unsigned(int64_t x, int64_t bits) {
    return (int64_t)((uint64_t)x & (uint64_t)bioneuro_bss2_mask(bits));
}
static inline int64_t bioneuro_bss2_cast_signed(int64_t x, int64_t bits) {
    const int64_t sign = (int64_t)1 << (bits - 1);
    return (bioneuro_bss2_cast_unsigned(x, bits) ^ sign) - sign;
}
static inline int64_t bioneuro_bss2_contiguous_unsigned(int64_t x, int64_t bits) {
    return x + ((int64_t)1 << (bits - 1));
}
static inline int64_t bioneuro_bss2_contiguous_signed(int64_t x, int64_t bits) {
    return x - ((int64_t)1 << (bits - 1));
}
static inline int64_t bioneuro_bss2_weight(int64_t x, int64_t bits) {
    return bioneuro_bss2_clip(x, 0, bioneuro_bss2_mask(bits));
}
// the nearest integer (of two, the even one) within [low, high]; what is not a number becomes high
static inline int64_t bioneuro_bss2_count(double value, int64_t low, int64_t high) {
    const double x = std::rint(value);
    return !(x < (double)high) ? high : x < (double)low ? low : (int64_t)x;
}
static inline int64_t bioneuro_bss2_quantise(double value, int64_t bits) {
    const int64_t high = bioneuro_bss2_mask(bits - 1);
    return bioneuro_bss2_count(value, -high - 1, high);
}
static inline int64_t bioneuro_bss2_to_weight(int64_t x) {
    return bioneuro_bss2_clip(x, 0, 63);
}
static inline int64_t bioneuro_bss2_to_count(int64_t x, int64_t low, int64_t high) {
    return bioneuro_bss2_clip(x, low, high);
}

// unsigned lanes: modulo
static inline int64_t bioneuro_bss2_modulo_add(int64_t a, int64_t b, int64_t bits) {
    return bioneuro_bss2_cast_unsigned(a + b, bits);
}
static inline int64_t bioneuro_bss2_modulo_subtract(int64_t a, int64_t b, int64_t bits) {
    return bioneuro_bss2_cast_unsigned(a - b, bits);
}
static inline int64_t bioneuro_bss2_modulo_multiply(int64_t a, int64_t b, int64_t bits) {
    return (int64_t)(((uint64_t)a * (uint64_t)b) & (uint64_t)bioneuro_bss2_mask(bits));
}
static inline int64_t bioneuro_bss2_modulo_shift_left(int64_t x, int64_t n, int64_t bits) {
    return n >= bits ? 0 : (int64_t)(((uint64_t)x << n) & (uint64_t)bioneuro_bss2_mask(bits));
}
static inline int64_t bioneuro_bss2_modulo_shift_right(int64_t x, int64_t n, int64_t bits) {
    return n >= bits ? 0 : x >> n;
}

// random numbers: each returns the next state; the 8-bit draw of a register is its low byte
static inline int64_t bioneuro_bss2_lfsr(int64_t state, int64_t taps, int64_t reads) {
    for (int64_t i = 0; i < reads; ++i) {
        int64_t parity = state & taps;
        parity ^= parity >> 8;
        parity ^= parity >> 4;
        parity ^= parity >> 2;
        parity ^= parity >> 1;
        state = ((state << 1) & 0xFFFF) | (parity & 1);
    }
    return state;
}
static inline int64_t bioneuro_bss2_draw(int64_t state) {
    return state & 0xFF;
}
static inline int64_t bioneuro_bss2_halfword(int64_t high, int64_t low) {
    return high * 256 + low;
}
static inline int64_t bioneuro_bss2_xorshift32(int64_t state) {
    uint32_t s = (uint32_t)state;
    s ^= s << 13;
    s ^= s >> 17;
    s ^= s << 5;
    return (int64_t)s;
}

// rounding
static inline int64_t bioneuro_bss2_round_stochastic(int64_t x, int64_t n, int64_t draw, int64_t bits, int64_t draw_bits) {
    const int64_t top = n <= draw_bits ? draw >> (draw_bits - n) : (int64_t)((uint64_t)draw << (n - draw_bits));
    const int64_t sum = bioneuro_bss2_add(x, top, bits);
    return sum - (int64_t)((uint64_t)sum & (uint64_t)bioneuro_bss2_mask(n));
}
// The n lowest bits of a wide number rounded off, the rest in units of 2^n: an offset and the n highest of 32 random bits are added first.
static inline int64_t bioneuro_bss2_round(int64_t wide, int64_t n, int64_t offset, int64_t draw) {
    return (wide + offset + (draw >> (32 - n))) >> n;
}
static inline int64_t bioneuro_bss2_round_ideal(double value, double uniform) {
    const double floor = std::floor(value);
    return (int64_t)floor + (uniform < value - floor ? 1 : 0);
}
#ifdef BIONEURO_NOISE
// One of the four words (which: 0 to 3) at an address, as bioneuro.noise counts it; include its text before this file.
static inline int64_t bioneuro_bss2_ideal_word(int64_t seed_low, int64_t seed_high, int64_t stream, int64_t trial,
                                               int64_t unit, int64_t step, int64_t which) {
    uint32_t c[4] = {(uint32_t)step, (uint32_t)unit, (uint32_t)trial, (uint32_t)stream};
    bioneuro_philox(c, (uint32_t)seed_low, (uint32_t)seed_high);
    return (int64_t)c[which];
}
static inline double bioneuro_bss2_uniform(int64_t first, int64_t second) {
    return (double)(2 * (first * 1048576 + second / 4096) + 1) * 1.1102230246251565e-16;  // 2^-53
}
#ifdef BIONEURO_BSS2_TAPS
// The register of an element, seeded if it is not yet, and its state after some reads: functions.py says which it is; its text defines both names.
static inline int64_t bioneuro_bss2_seed_at(int64_t seed_low, int64_t seed_high, int64_t state, int64_t trial, int64_t unit) {
    return state != 0 ? state : 1 + bioneuro_bss2_ideal_word(seed_low, seed_high, BIONEURO_BSS2_SEEDS, trial, unit, 0, 0) % 65535;
}
static const int64_t bioneuro_bss2_taps[256] = {BIONEURO_BSS2_TAPS};
static inline int64_t bioneuro_bss2_lfsr_at(int64_t state, int64_t reads, int64_t trial, int64_t unit) {
    return bioneuro_bss2_lfsr(state, bioneuro_bss2_taps[(trial * 31 + unit) & 255], reads);
}
static inline double bioneuro_bss2_noise_at(int64_t seed_low, int64_t seed_high, double value, int64_t stream, int64_t trial, int64_t unit,
                                            int64_t step) {
    return value == 0.0 ? 0.0 : value * bioneuro_normal(seed_low, seed_high, stream, trial, unit, step);
}
#endif
#endif
#endif
