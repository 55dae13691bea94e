// Context-tree weighting: the probability of a word under a mixture of all tree sources up to a depth (Willems, Shtarkov & Tjalkens
// 1995, IEEE Trans Inf Theory 41:653), each node with the estimator of Krichevsky & Trofimov. Logarithms have base 2.
#include <cmath>
#include <cstdint>
#include <new>
#include <vector>

namespace {

struct Node {
    int64_t visits = 0;
    double own = 0, below = 0, weighted = 0;  // log probability: by its counts, by its children, by both
};

double sum(double a, double b) {
    const double more = a > b ? a : b, less = a > b ? b : a;
    return more + std::log2(1 + std::exp2(less - more));
}

}  // namespace

// Code length, in bits, of the symbols from `depth` on, given those before; symbols are 0 .. alphabet-1. Negative where there is no memory.
extern "C" double code_length(const int32_t *word, int64_t n, int32_t alphabet, int32_t depth) try {
    std::vector<Node> nodes(1);
    std::vector<int64_t> counts(alphabet, 0);
    std::vector<int32_t> children(alphabet, 0), path(depth + 1, 0);
    for (int64_t t = depth; t < n; ++t) {
        for (int32_t d = 0; d < depth; ++d) {
            const size_t at = (size_t)path[d] * alphabet + word[t - 1 - d];
            if (!children[at]) {
                children[at] = (int32_t)nodes.size();
                nodes.emplace_back();
                counts.resize(nodes.size() * alphabet, 0);
                children.resize(nodes.size() * alphabet, 0);
            }
            path[d + 1] = children[at];
        }
        double change = 0;
        for (int32_t d = depth; d >= 0; --d) {
            Node &node = nodes[path[d]];
            int64_t &count = counts[(size_t)path[d] * alphabet + word[t]];
            node.own += std::log2((count++ + 0.5) / (node.visits++ + 0.5 * alphabet));
            node.below += change;
            const double before = node.weighted;
            node.weighted = d == depth ? node.own : sum(node.own, node.below) - 1;
            change = node.weighted - before;
        }
    }
    return -nodes[0].weighted;
} catch (const std::bad_alloc &) {
    return -1;
}
