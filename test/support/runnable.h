// The kernels that this processor can run: each of them passes every test.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <vector>

#include "net/cpu.h"
#include "ws/kernels.h"

namespace sockeye::test {

template <typename Kernel>
std::vector<ws::KernelRow<Kernel>> runnable(std::span<const ws::KernelRow<Kernel>> rows) {
  const CpuFeatures cpu = detect_cpu();
  std::vector<ws::KernelRow<Kernel>> here;
  for (const auto& row : rows) {
    if (cpu.includes(row.needs)) here.push_back(row);
  }
  return here;
}

}  // namespace sockeye::test
