// SPDX-License-Identifier: MIT
#include "net/cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#include <cstdint>
#endif

namespace sockeye {

#if defined(__x86_64__)

namespace {

// Whether the operating system saves the 128 and 256 bit registers (bits 1 and 2 of XCR0) when it
// switches threads. Only where cpuid says OSXSAVE may one ask.
[[gnu::target("xsave")]] bool system_saves_avx_registers() {
  constexpr std::uint64_t xmm_and_ymm = 0b110;
  return (static_cast<std::uint64_t>(_xgetbv(0)) & xmm_and_ymm) == xmm_and_ymm;
}

}  // namespace

// "Intel 64 and IA-32 Architectures Software Developer's Manual", volume 2, CPUID; volume 1, §14.3
// for the order of the questions about AVX. __get_cpuid_count fails for a leaf that is not there.
CpuFeatures detect_cpu() {
  CpuFeatures features;
  features.sse2 = true;  // every x86-64 processor has it

  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!__get_cpuid_count(1, 0, &eax, &ebx, &ecx, &edx)) return features;
  features.ssse3 = (ecx & bit_SSSE3) != 0;
  const bool avx = (ecx & bit_OSXSAVE) != 0 && (ecx & bit_AVX) != 0 && system_saves_avx_registers();

  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return features;
  features.avx2 = avx && (ebx & bit_AVX2) != 0;
  features.sha = (ebx & bit_SHA) != 0;
  return features;
}

#elif defined(__aarch64__)

CpuFeatures detect_cpu() {
  return {.neon = true};  // part of every AArch64 processor that runs Linux
}

#else

CpuFeatures detect_cpu() {
  return {};
}

#endif

}  // namespace sockeye
