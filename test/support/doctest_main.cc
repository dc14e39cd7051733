// The main function of the unit tests. It is the one file that compiles doctest itself, which takes
// longer than any test: its object is kept.
//
// SPDX-License-Identifier: MIT
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
