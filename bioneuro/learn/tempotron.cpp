// Potentials and the learning rule of the tempotron on a grid of time steps. All sums have one order, so every machine rounds alike.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define WIDE __attribute__((target_clones("avx2", "default")))  // neither fuses a product and a sum
#else
#define WIDE
#endif

namespace {

constexpr int64_t BLOCK = 16;  // steps whose potentials stay in registers, four to each

typedef double Four __attribute__((vector_size(32)));

#pragma GCC diagnostic ignored "-Wpsabi"  // `load` is always inlined, so how it would return does not matter
inline __attribute__((always_inline)) Four load(const double *from) {
    Four x;
    std::memcpy(&x, from, sizeof x);
    return x;
}

struct Samples {
    const double *kernel, *rest;  // by step; ahead of the kernel are steps + BLOCK zeros, and both end in BLOCK spare places
    int64_t steps;
    const int64_t *offsets, *spikes, *units;  // of each sample: its spikes in order of time, and whose they are
};

WIDE void course(const double *kernel, const double *rest, int64_t steps, const int64_t *spikes, const int64_t *units, int64_t count,
                 const double *w, double *v) {
    int64_t until = 0;
    for (int64_t begin = 0; begin < steps; begin += BLOCK) {
        while (until < count && spikes[until] < begin + BLOCK) ++until;
        Four a = load(rest + begin), b = load(rest + begin + 4), c = load(rest + begin + 8), d = load(rest + begin + 12);
        for (int64_t k = 0; k < until; ++k) {
            const double *answer = kernel + begin - spikes[k], weight = w[units[k]];
            a += weight * load(answer);
            b += weight * load(answer + 4);
            c += weight * load(answer + 8);
            d += weight * load(answer + 12);
        }
        const Four sums[] = {a, b, c, d};
        std::memcpy(v + begin, sums, sizeof sums);
    }
}

int64_t highest(const Samples &s, int64_t sample, const double *w, double *v) {
    const int64_t first = s.offsets[sample];
    course(s.kernel, s.rest, s.steps, s.spikes + first, s.units + first, s.offsets[sample + 1] - first, w, v);
    return std::max_element(v, v + s.steps) - v;  // the first, where several are equal
}

template <class Add> void respond(const Samples &s, int64_t sample, int64_t step, Add add) {
    for (int64_t k = s.offsets[sample]; k < s.offsets[sample + 1] && s.spikes[k] <= step; ++k) add(s.units[k], s.kernel[step - s.spikes[k]]);
}

}  // namespace

extern "C" {

// Highest potential of every sample without a threshold, and its step.
void potentials(const double *kernel, const double *rest, int64_t steps, const int64_t *offsets, const int64_t *spikes, const int64_t *units,
                int64_t samples, const double *w, double *top, int64_t *at) {
    const Samples s{kernel + steps + BLOCK, rest, steps, offsets, spikes, units};
    std::vector<double> v(steps + BLOCK);
    for (int64_t j = 0; j < samples; ++j) {
        at[j] = highest(s, j, w, v.data());
        top[j] = v[at[j]];
    }
}

// What a weight of 1 of each unit adds to the potential of every sample at a step of its own; x begins as zeros.
void responses(const double *kernel, const double *rest, int64_t steps, const int64_t *offsets, const int64_t *spikes, const int64_t *units,
               int64_t samples, int64_t weights, const int64_t *at, double *x) {
    const Samples s{kernel + steps + BLOCK, rest, steps, offsets, spikes, units};
    for (int64_t j = 0; j < samples; ++j) respond(s, j, at[j], [&](int64_t i, double k) { x[j * weights + i] += k; });
}

// Up to `epochs` passes in the given order; returns how many were made. A pass without an error is the last.
int64_t epochs_of(const double *kernel, const double *rest, int64_t steps, const int64_t *offsets, const int64_t *spikes, const int64_t *units,
                  int64_t samples, const int8_t *labels, double threshold, const int64_t *order, int64_t epochs, double rate, double momentum,
                  int64_t weights, double *w, double *change, int64_t *errors) {
    const Samples s{kernel + steps + BLOCK, rest, steps, offsets, spikes, units};
    std::vector<double> v(steps + BLOCK);
    for (int64_t epoch = 0; epoch < epochs; ++epoch) {
        errors[epoch] = 0;
        for (int64_t n = 0; n < samples; ++n) {
            const int64_t j = order[epoch * samples + n];
            const int64_t at = highest(s, j, w, v.data());
            if ((v[at] > threshold) == (labels[j] > 0)) continue;
            ++errors[epoch];
            const double step = labels[j] > 0 ? rate : -rate;
            for (int64_t i = 0; i < weights; ++i) change[i] *= momentum;
            respond(s, j, at, [&](int64_t i, double k) { change[i] += step * k; });
            for (int64_t i = 0; i < weights; ++i) w[i] += change[i];
        }
        if (!errors[epoch]) return epoch + 1;
    }
    return epochs;
}
}
