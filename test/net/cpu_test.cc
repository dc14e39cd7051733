// What detect_cpu says is what the kernel says in /proc/cpuinfo.
//
// SPDX-License-Identifier: MIT
#include "net/cpu.h"

#include <doctest/doctest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

namespace sockeye {

#if defined(__x86_64__)
TEST_CASE("detect_cpu agrees with the kernel's list of flags") {
  std::ifstream info("/proc/cpuinfo");
  std::string line;
  while (std::getline(info, line) && !line.starts_with("flags")) {
  }
  REQUIRE_MESSAGE(line.starts_with("flags"), "/proc/cpuinfo lists no flags");
  std::istringstream words(line);
  std::set<std::string> flags;
  for (std::string word; words >> word;) flags.insert(word);

  const CpuFeatures cpu = detect_cpu();
  CHECK(cpu.sse2 == flags.contains("sse2"));
  CHECK(cpu.ssse3 == flags.contains("ssse3"));
  CHECK(cpu.avx2 == flags.contains("avx2"));
  CHECK(cpu.sha == flags.contains("sha_ni"));
  CHECK_FALSE(cpu.neon);
}
#endif

TEST_CASE("CpuFeatures::includes asks for every feature by itself") {
  constexpr CpuFeatures all{.sse2 = true, .ssse3 = true, .avx2 = true, .sha = true, .neon = true};
  for (bool CpuFeatures::*const feature :
       {&CpuFeatures::sse2, &CpuFeatures::ssse3, &CpuFeatures::avx2, &CpuFeatures::sha,
        &CpuFeatures::neon}) {
    CpuFeatures one;
    one.*feature = true;
    CpuFeatures others = all;
    others.*feature = false;
    CHECK(all.includes(one));
    CHECK(one.includes(one));
    CHECK(one.includes({}));
    CHECK_FALSE(others.includes(one));
    CHECK_FALSE(CpuFeatures{}.includes(one));
  }
}

}  // namespace sockeye
