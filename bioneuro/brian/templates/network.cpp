{# One clock, counted in integers. Brian2's own loop compares times of several clocks by an absolute tolerance, which fails after a
   minute of simulated time, and asks the operating system for the processor time at every step. Written for Brian2 2.9. #}
{% macro cpp_file() %}
#include "network.h"
#include "bioneuro.h"
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>

double Network::_last_run_time = 0.0;
double Network::_last_run_completed_fraction = 1.0;
bool Network::_globally_stopped = false;
bool Network::_globally_running = false;

Network::Network() : t(0.0), done(0), total(0) {}

void Network::clear() { objects.clear(); }

void Network::add(Clock* clock, codeobj_func func)
{
    if (!objects.empty() && objects.front().first != clock) { std::cerr << "bioneuro: more than one clock" << std::endl; std::exit(3); }
    objects.push_back(std::make_pair(clock, func));
}

void Network::run(const double, void (*)(const double, const double, const double, const double), const double) {}

void Network::advance(int64_t steps)
{
    Clock* clock = objects.front().first;
    std::chrono::steady_clock::time_point said = std::chrono::steady_clock::now();
    for (int64_t k = 0; k < steps; k++) {
        t = clock->t[0];
        if (bioneuro::Events::stimuli) bioneuro::Events::tick(done);
        for (size_t i = 0; i < objects.size(); i++)
            if (objects[i].second) objects[i].second();
        clock->tick();
        done++;
        if ((done & 15) == 0) {
            const std::chrono::steady_clock::time_point now = std::chrono::steady_clock::now();
            if (now - said > std::chrono::milliseconds(200)) {
                std::printf("%lld %lld\n", (long long)done, (long long)total);
                std::fflush(stdout);
                said = now;
            }
        }
    }
}
{% endmacro %}

{% macro h_file() %}
#ifndef _BRIAN_NETWORK_H
#define _BRIAN_NETWORK_H
#include <cstdint>
#include <utility>
#include <vector>
#include "brianlib/clocks.h"

typedef void (*codeobj_func)();

class Network
{
public:
    std::vector<std::pair<Clock*, codeobj_func> > objects;
    double t;
    int64_t done, total;
    static double _last_run_time;
    static double _last_run_completed_fraction;
    static bool _globally_stopped;
    static bool _globally_running;
    Network();
    void clear();
    void add(Clock* clock, codeobj_func func);
    void run(const double duration, void (*report)(const double, const double, const double, const double), const double period);
    void advance(int64_t steps);
};
#endif
{% endmacro %}
