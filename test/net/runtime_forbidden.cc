// A program that must not link: std::map's tree lives in libstdc++, which our programs do without.
//
// SPDX-License-Identifier: MIT
#include <map>

int main(int argc, char**) {
  std::map<int, int> tree;
  return tree[argc];
}
