// The table of kernels: what is chosen for which processor, and by which name.
//
// SPDX-License-Identifier: MIT
#include "ws/kernels.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

namespace sockeye::ws {
namespace {

// Every row of every table, without its function.
struct NamedNeeds {
  std::string_view name;
  CpuFeatures needs;
};

std::vector<NamedNeeds> all_rows() {
  std::vector<NamedNeeds> rows;
  for (const auto& row : mask_kernels()) rows.push_back({row.name, row.needs});
  for (const auto& row : utf8_kernels()) rows.push_back({row.name, row.needs});
  for (const auto& row : sha1_kernels()) rows.push_back({row.name, row.needs});
  return rows;
}

// The environment variable as it was, whatever a test sets it to.
class SavedVariable {
 public:
  SavedVariable() {
    if (const char* value = std::getenv(name)) value_ = value;
  }
  ~SavedVariable() {
    if (value_) {
      ::setenv(name, value_->c_str(), 1);
    } else {
      ::unsetenv(name);
    }
  }

  static constexpr const char* name = "SOCKEYE_SIMD";

 private:
  std::optional<std::string> value_;
};

}  // namespace

TEST_CASE("Kernels: each table begins with the scalar one, which needs nothing") {
  const CpuFeatures none;
  CHECK(mask_kernels()[0].name == "scalar");
  CHECK(utf8_kernels()[0].name == "scalar");
  CHECK(sha1_kernels()[0].name == "scalar");
  CHECK(none.includes(mask_kernels()[0].needs));
  CHECK(none.includes(utf8_kernels()[0].needs));
  CHECK(none.includes(sha1_kernels()[0].needs));
}

TEST_CASE("Kernels: a name needs the same in every table, and only \"scalar\" needs nothing") {
  const CpuFeatures none;
  const std::vector<NamedNeeds> rows = all_rows();
  for (const NamedNeeds& row : rows) {
    CAPTURE(row.name);
    CHECK(none.includes(row.needs) == (row.name == "scalar"));
    for (const NamedNeeds& other : rows) {
      if (other.name == row.name) CHECK(row.needs.includes(other.needs));
    }
  }
}

// A kernel hands input that is too short for it to the one in the row before.
template <typename Kernel>
bool rows_build_on_each_other(std::span<const KernelRow<Kernel>> rows) {
  for (std::size_t i = 1; i < rows.size(); ++i) {
    if (!rows[i].needs.includes(rows[i - 1].needs)) return false;
  }
  return true;
}

TEST_CASE("Kernels: a row needs at least what the row before it needs") {
  CHECK(rows_build_on_each_other(mask_kernels()));
  CHECK(rows_build_on_each_other(utf8_kernels()));
  CHECK(rows_build_on_each_other(sha1_kernels()));
}

TEST_CASE(
    "Kernels: a processor with nothing gets the scalar ones, one with everything the fastest") {
  CHECK(*choose_kernels({}, "") == Kernels{});

  constexpr CpuFeatures all{.sse2 = true, .ssse3 = true, .avx2 = true, .sha = true, .neon = true};
  const Kernels fastest{mask_kernels().back().kernel, utf8_kernels().back().kernel,
                        sha1_kernels().back().kernel};
  CHECK(*choose_kernels(all, "") == fastest);
}

TEST_CASE("SOCKEYE_SIMD: a name gives no kernel that needs more than that one") {
  const CpuFeatures cpu = detect_cpu();
  for (const NamedNeeds& row : all_rows()) {
    CAPTURE(row.name);
    const auto chosen = choose_kernels(cpu, row.name);
    REQUIRE(static_cast<bool>(chosen) == cpu.includes(row.needs));
    if (chosen) CHECK(*chosen == *choose_kernels(row.needs, ""));
  }
  CHECK(*choose_kernels(cpu, "scalar") == Kernels{});

#if defined(__x86_64__)
  constexpr CpuFeatures all{.sse2 = true, .ssse3 = true, .avx2 = true, .sha = true};
  const Kernels sse2{frame::mask_sse2, frame::utf8_scalar, crypto::sha1_scalar};
  const Kernels ssse3{frame::mask_sse2, frame::utf8_ssse3, crypto::sha1_scalar};
  const Kernels avx2{frame::mask_avx2, frame::utf8_avx2, crypto::sha1_scalar};
  const Kernels sha{frame::mask_sse2, frame::utf8_ssse3, crypto::sha1_sha};
  CHECK(*choose_kernels(all, "sse2") == sse2);
  CHECK(*choose_kernels(all, "ssse3") == ssse3);
  CHECK(*choose_kernels(all, "avx2") == avx2);
  CHECK(*choose_kernels(all, "sha") == sha);
#endif
}

TEST_CASE(
    "SOCKEYE_SIMD: an unknown name, and one this processor cannot run, are errors that say so") {
  for (const std::string name : {"AVX2", "avx", "avx2 ", "fast", "0"}) {
    const auto chosen = choose_kernels(detect_cpu(), name);
    REQUIRE_FALSE(chosen);
    CHECK(chosen.error().message == "SOCKEYE_SIMD=" + name + ": no kernel has this name");
  }
  const std::string_view fastest = mask_kernels().back().name;
  if (fastest == "scalar") return;  // which runs on every processor
  const auto chosen = choose_kernels({}, fastest);
  REQUIRE_FALSE(chosen);
  CHECK(chosen.error().message ==
        "SOCKEYE_SIMD=" + std::string(fastest) + ": this processor cannot run it");
}

TEST_CASE("system_kernels reads SOCKEYE_SIMD") {
  const SavedVariable saved;
  ::unsetenv(SavedVariable::name);
  CHECK(*system_kernels() == *choose_kernels(detect_cpu(), ""));
  ::setenv(SavedVariable::name, "", 1);
  CHECK(*system_kernels() == *choose_kernels(detect_cpu(), ""));
  ::setenv(SavedVariable::name, "scalar", 1);
  CHECK(*system_kernels() == Kernels{});
  ::setenv(SavedVariable::name, "nonsense", 1);
  CHECK_FALSE(system_kernels());
}

}  // namespace sockeye::ws
