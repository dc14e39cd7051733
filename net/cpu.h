// Which of the instruction sets this project has kernels for are at hand.
//
// Part of the floor. The names are those of the processors' manuals, in lower case. (The compilers'
// own __builtin_cpu_supports and ifunc are not used: under a static musl they fail silently.)
//
// SPDX-License-Identifier: MIT
#pragma once

namespace sockeye {

struct CpuFeatures {
  // x86-64
  bool sse2 = false;
  bool ssse3 = false;
  bool avx2 = false;  // and the operating system saves the wide registers
  bool sha = false;

  // AArch64
  bool neon = false;

  // Whether everything in `needed` is here.
  constexpr bool includes(const CpuFeatures& needed) const {
    return (sse2 || !needed.sse2) && (ssse3 || !needed.ssse3) && (avx2 || !needed.avx2) &&
           (sha || !needed.sha) && (neon || !needed.neon);
  }
};

// Asks the processor. Takes some microseconds in a virtual machine, so ask once, at start-up.
CpuFeatures detect_cpu();

}  // namespace sockeye
