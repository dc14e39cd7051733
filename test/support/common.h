// What nearly all tests include, for the compiler to read once: the Makefile has g++ include this
// before each of them. They include what they use all the same, and don't name this file.
//
// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>
