// What a run reads as data rather than as source: tables, imposed spikes, reading times. One build serves them all.
#ifndef BIONEURO_H
#define BIONEURO_H
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

namespace bioneuro {

// Static members of a template may be defined in a header, in C++11 too.
template <class Name> struct Table { static std::vector<double> data; static const double* values; static int64_t rows, columns; };
template <class Name> std::vector<double> Table<Name>::data;
template <class Name> const double* Table<Name>::values = 0;
template <class Name> int64_t Table<Name>::rows = 0;
template <class Name> int64_t Table<Name>::columns = 0;

// Spikes of a port: in order of step (clock), or put into `fired` at each tick by `Events`.
template <class Name> struct Train {
    static std::vector<int32_t> step, index, fired;
    static size_t next;
    static const std::vector<int32_t>& now(int64_t k)
    {
        if (step.empty()) return fired;
        fired.clear();
        while (next < step.size() && step[next] <= k) fired.push_back(index[next++]);
        return fired;
    }
};
template <class Name> std::vector<int32_t> Train<Name>::step;
template <class Name> std::vector<int32_t> Train<Name>::index;
template <class Name> std::vector<int32_t> Train<Name>::fired;
template <class Name> size_t Train<Name>::next = 0;

template <class T> void read_into(std::ifstream& file, std::vector<T>& to, size_t n, const char* path)
{
    to.resize(n);
    file.read(reinterpret_cast<char*>(to.data()), n*sizeof(T));
    if (!file) { std::cerr << "bioneuro: cannot read " << path << std::endl; std::exit(3); }
}

// File: int64 rows, int64 columns, then the doubles row by row.
template <class Name> void load_table(const char* path)
{
    std::ifstream file(path, std::ios::binary);
    std::vector<int64_t> shape;
    read_into(file, shape, 2, path);
    read_into(file, Table<Name>::data, shape[0]*shape[1], path);
    Table<Name>::values = Table<Name>::data.data();
    Table<Name>::rows = shape[0];
    Table<Name>::columns = shape[1];
}

// File: int64 count, then the steps, then the indices (int32), in the order (step, index).
template <class Name> void load_train(const char* path)
{
    std::ifstream file(path, std::ios::binary);
    std::vector<int64_t> count;
    read_into(file, count, 1, path);
    read_into(file, Train<Name>::step, count[0], path);
    read_into(file, Train<Name>::index, count[0], path);
}

// From event to event: merges the arrivals of all ports, stimulus by stimulus, into ticks. The same rules as bioneuro/ticks.py, to the
// last bit: events are ordered by their quantum of time, then by port; those of the same or the next quantum share a tick; a reading has its
// own tick, which is the same for all stimuli, and an event at its time comes after it.
struct Port {
    std::vector<int64_t> offset;  // of each stimulus, and the end
    std::vector<double> time;
    std::vector<int32_t> index;
    std::vector<int32_t>* fired;
    double period;                // above 0: updates of a processor, the k-th (from 0) at (k + 1)*period in every stimulus
    int64_t count;

    Port() : fired(0), period(0), count(0) {}
    int64_t begin(int64_t s) const { return period > 0 ? 0 : offset[s]; }
    int64_t end(int64_t s) const { return period > 0 ? count : offset[s + 1]; }
    double at(int64_t k) const { return period > 0 ? (double)(k + 1)*period : time[k]; }
    int32_t what(int64_t k) const { return period > 0 ? -1 : index[k]; }
};

template <class Any = void> struct EventsOf {
    struct Head { int64_t quantum, next; };  // of one port in one stimulus: its next event
    static std::vector<Port> ports;
    static std::vector<Head> heads;             // stimulus by stimulus, so that the next event is found in one cache line
    static std::vector<int64_t> start;          // first tick of each stretch between readings
    static std::vector<int64_t> limits;         // quantum of each reading of each stimulus
    static std::vector<double> reads, last, ahead;
    static std::vector<std::vector<int32_t> > pending;  // of port p in the j-th tick ahead, from stimuli of block b
    static const double* length;                // seconds of this tick, of each stimulus
    static std::vector<int32_t> passed, ahead_row;
    static const int32_t* row;                  // of the tables of phases that holds in this tick, of each stimulus: breakpoints passed
    static std::vector<int32_t> ahead_update;
    static const int32_t* update;               // number of the update in this tick, of each stimulus, or 0
    enum { AHEAD = 16, BLOCKS = 16 };           // blocks of stimuli are shared out among the processor's cores
    enum { BREAK = -2 };                        // index of an event at which a parameter changes

    static int64_t edge(int b) { return stimuli*b/BLOCKS; }

    static std::vector<int32_t>& fires(int b, int p, int j) { return pending[(b*ports.size() + p)*AHEAD + j]; }
    static int64_t stimuli, n_reads;

    static void add(const char* path, std::vector<int32_t>* fired)
    {
        std::ifstream file(path, std::ios::binary);
        std::vector<int64_t> shape;
        read_into(file, shape, 2, path);  // stimuli, events
        ports.push_back(Port());
        Port& port = ports.back();
        read_into(file, port.offset, shape[0] + 1, path);
        read_into(file, port.time, shape[1], path);
        read_into(file, port.index, shape[1], path);
        port.fired = fired;
        stimuli = shape[0];
    }

    static void every(double period, double count)
    {
        ports.push_back(Port());
        ports.back().period = period;
        ports.back().count = (int64_t)count;
    }

    static void point(Head& head, const Port& port, int64_t s, int64_t next)
    {
        head.next = next;
        head.quantum = next < port.end(s) ? quantum_of(port.at(next)) : INT64_MAX;
    }

    // The port whose next event of a stimulus comes first, or -1.
    static int first(const Head* head)
    {
        int best = -1;
        int64_t when = INT64_MAX;
        for (int p = 0; p < (int)ports.size(); p++)
            if (head[p].quantum < when) { when = head[p].quantum; best = p; }
        return best;
    }

    static int64_t quantum_of(double t) { return (int64_t)std::rint(t*1e10); }

    // Whether an event belongs to the r-th stretch between readings, or to one before it.
    static bool within(int64_t s, int64_t r, int64_t when) { return r == n_reads || when < limits[s*n_reads + r]; }

    static bool breaks(const Head* head, int p) { return ports[p].what(head[p].next) == BREAK; }

    // Take the events of one instant, to be fired in the j-th tick ahead (not at all if j < 0): they share a stretch, and each comes
    // in the quantum of the one before or the next.
    static double take(int64_t s, Head* head, int p, int64_t r, int b, int j)
    {
        const double instant = ports[p].at(head[p].next);
        for (;;) {
            Port& port = ports[p];
            const int64_t k = head[p].next, then = head[p].quantum;
            const int32_t what = port.what(k);
            if (j >= 0) {
                if (what >= 0) fires(b, p, j).push_back(what);
                else if (what == BREAK) passed[s]++;
                else if (port.period > 0) ahead_update[j*stimuli + s] = (int32_t)(k + 1);
            }
            const bool alone = what == BREAK;  // what is at the time of a breakpoint comes in a tick after it
            point(head[p], port, s, k + 1);
            p = first(head);
            if (alone || p < 0 || breaks(head, p) || head[p].quantum > then + 1 || !within(s, r, head[p].quantum)) return instant;
        }
    }

    // The quantum before which an update is alone: that of the first event of another port.
    static int64_t alone_until(const Head* head, int p)
    {
        int64_t until = INT64_MAX;
        for (int q = 0; q < (int)ports.size(); q++) if (q != p) until = std::min(until, head[q].quantum);
        return until - 1;
    }

    // Pass updates of a quiet stretch that have a tick each, all but a few, and say how many.
    static int64_t pass_updates(int64_t s, Head* head, int p, int64_t r)
    {
        const Port& port = ports[p];
        if (!(port.period > 0)) return 0;
        const int64_t until = std::min(alone_until(head, p), limits[s*n_reads + r]) - 1;
        const int64_t many = std::min((int64_t)((until - head[p].quantum)/(port.period*1e10)) - 2, port.count - head[p].next - 1);
        if (many <= 0) return 0;
        point(head[p], port, s, head[p].next + many);
        return many;
    }

    // Fill these ticks with one update each, if nothing else happens in them.
    static bool only_updates(int64_t s, Head* head, int64_t r, int ticks)
    {
        const int p = first(head);
        if (p < 0 || !(ports[p].period > 0) || head[p].next + ticks >= ports[p].count) return false;
        const Port& port = ports[p];
        const int64_t k = head[p].next;
        if (quantum_of(port.at(k + ticks - 1)) >= std::min(alone_until(head, p), limits[s*n_reads + r])) return false;
        double before = last[s];
        for (int j = 0; j < ticks; j++) {
            const double now = (double)(k + 1 + j)*port.period;
            ahead[j*stimuli + s] = now > before ? now - before : 0.0;
            ahead_row[j*stimuli + s] = passed[s];
            ahead_update[j*stimuli + s] = (int32_t)(k + 1 + j);
            before = now;
        }
        last[s] = before;
        point(head[p], port, s, k + ticks);
        return true;
    }

    static void rewind()
    {
        for (int64_t s = 0; s < stimuli; s++)
            for (size_t p = 0; p < ports.size(); p++) point(heads[s*ports.size() + p], ports[p], s, ports[p].begin(s));
    }

    // Count the instants of every stretch: its ticks are as many as those of the stimulus with most.
    static void prepare(const double* values, int64_t count, int64_t columns)
    {
        stimuli = count;
        n_reads = columns;
        reads.assign(values, values + count*columns);
        limits.resize(reads.size());
        for (size_t k = 0; k < reads.size(); k++) limits[k] = quantum_of(reads[k]);
        heads.resize(stimuli*ports.size());
        last.assign(stimuli, 0.0);
        ahead.assign(stimuli*AHEAD, 0.0);
        passed.assign(stimuli, 0);
        ahead_row.assign(stimuli*AHEAD, 0);
        ahead_update.assign(stimuli*AHEAD, 0);
        pending.resize(BLOCKS*ports.size()*AHEAD);
        std::vector<int64_t> widths(BLOCKS*n_reads, 0);
        rewind();
        #pragma omp parallel for schedule(dynamic) if (stimuli > 1024)
        for (int b = 0; b < BLOCKS; b++) {
            std::vector<int64_t> counts(n_reads);
            for (int64_t s = edge(b); s < edge(b + 1); s++) {
                Head* head = heads.data() + s*ports.size();
                counts.assign(n_reads, 0);
                int64_t r = 0;
                for (int p = first(head); p >= 0; p = first(head)) {
                    while (!within(s, r, head[p].quantum)) r++;
                    if (r == n_reads) break;
                    counts[r] += pass_updates(s, head, p, r);
                    take(s, head, p, r, b, -1);
                    counts[r]++;
                }
                for (int64_t r = 0; r < n_reads; r++) widths[b*n_reads + r] = std::max(widths[b*n_reads + r], counts[r]);
            }
        }
        rewind();
        start.assign(1, 0);
        for (int64_t r = 0; r < n_reads; r++) {
            int64_t width = 0;
            for (int b = 0; b < BLOCKS; b++) width = std::max(width, widths[b*n_reads + r]);
            start.push_back(start.back() + width + 1);
        }
    }

    // The next `AHEAD` ticks of one stimulus after the other: its events lie side by side in memory, those of a tick do not.
    static void refill(int64_t k)
    {
        int64_t in[AHEAD];
        bool reading[AHEAD], quiet = true;
        const int ticks = (int)std::min<int64_t>(AHEAD, start.back() - k);
        for (int j = 0, r = 0; j < ticks; j++) {
            while (k + j >= start[r + 1]) r++;
            in[j] = r;
            reading[j] = k + j == start[r + 1] - 1;
            quiet = quiet && !reading[j];
        }
        #pragma omp parallel for schedule(dynamic) if (stimuli > 1024)
        for (int b = 0; b < BLOCKS; b++) {
            for (int p = 0; p < (int)ports.size(); p++) for (int j = 0; j < AHEAD; j++) fires(b, p, j).clear();
            for (int64_t s = edge(b); s < edge(b + 1); s++) {
                Head* head = heads.data() + s*ports.size();
                if (quiet && only_updates(s, head, in[0], ticks)) continue;
                double before = last[s];
                for (int j = 0; j < ticks; j++) {
                    double now = before;
                    ahead_row[j*stimuli + s] = passed[s];
                    ahead_update[j*stimuli + s] = 0;
                    if (reading[j]) now = reads[s*n_reads + in[j]];
                    else {
                        const int p = first(head);
                        if (p >= 0 && within(s, in[j], head[p].quantum)) now = take(s, head, p, in[j], b, j);
                    }
                    ahead[j*stimuli + s] = now > before ? now - before : 0.0;
                    before = now;
                }
                last[s] = before;
            }
        }
    }

    static void tick(int64_t k)
    {
        const int j = (int)(k % AHEAD);
        if (j == 0) refill(k);
        length = ahead.data() + j*stimuli;
        row = ahead_row.data() + j*stimuli;
        update = ahead_update.data() + j*stimuli;
        for (size_t p = 0; p < ports.size(); p++)
            if (ports[p].fired) {
                ports[p].fired->clear();
                for (int b = 0; b < BLOCKS; b++)
                    ports[p].fired->insert(ports[p].fired->end(), fires(b, (int)p, j).begin(), fires(b, (int)p, j).end());
                if (!std::is_sorted(ports[p].fired->begin(), ports[p].fired->end()))
                    std::sort(ports[p].fired->begin(), ports[p].fired->end());
            }
    }
};
template <class Any> std::vector<std::vector<int32_t> > EventsOf<Any>::pending;
template <class Any> std::vector<double> EventsOf<Any>::ahead;
template <class Any> const double* EventsOf<Any>::length = 0;
template <class Any> std::vector<int32_t> EventsOf<Any>::passed;
template <class Any> std::vector<int32_t> EventsOf<Any>::ahead_row;
template <class Any> const int32_t* EventsOf<Any>::row = 0;
template <class Any> std::vector<int32_t> EventsOf<Any>::ahead_update;
template <class Any> const int32_t* EventsOf<Any>::update = 0;
template <class Any> std::vector<Port> EventsOf<Any>::ports;
template <class Any> std::vector<typename EventsOf<Any>::Head> EventsOf<Any>::heads;
template <class Any> std::vector<int64_t> EventsOf<Any>::start;
template <class Any> std::vector<int64_t> EventsOf<Any>::limits;
template <class Any> std::vector<double> EventsOf<Any>::reads;
template <class Any> std::vector<double> EventsOf<Any>::last;
template <class Any> int64_t EventsOf<Any>::stimuli = 0;
template <class Any> int64_t EventsOf<Any>::n_reads = 0;
typedef EventsOf<> Events;

}
#endif
