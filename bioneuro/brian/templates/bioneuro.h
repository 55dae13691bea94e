// What a run reads as data rather than as source: tables, imposed spikes, reading times. One build serves them all.
#ifndef BIONEURO_H
#define BIONEURO_H
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

template <class Name> struct Train { static std::vector<int32_t> step, index; static size_t next; };
template <class Name> std::vector<int32_t> Train<Name>::step;
template <class Name> std::vector<int32_t> Train<Name>::index;
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

}
#endif
