// SPDX-License-Identifier: MIT
#include "ws/kernels.h"

#include <cstdlib>
#include <optional>
#include <string>

namespace sockeye::ws {
namespace {

// What each instruction set's row needs. Those of one processor family build on each other.
constexpr CpuFeatures nothing{};
#if defined(__x86_64__)
constexpr CpuFeatures sse2{.sse2 = true};
constexpr CpuFeatures ssse3{.sse2 = true, .ssse3 = true};
constexpr CpuFeatures avx2{.sse2 = true, .ssse3 = true, .avx2 = true};
constexpr CpuFeatures sha{.sse2 = true, .ssse3 = true, .sha = true};
#elif defined(__aarch64__)
constexpr CpuFeatures neon{.neon = true};
#endif

constexpr KernelRow<frame::MaskKernel> mask_rows[] = {
    {"scalar", nothing, frame::mask_scalar},
#if defined(__x86_64__)
    {"sse2", sse2, frame::mask_sse2},
    {"avx2", avx2, frame::mask_avx2},
#elif defined(__aarch64__)
    {"neon", neon, frame::mask_neon},
#endif
};

constexpr KernelRow<frame::Utf8Kernel> utf8_rows[] = {
    {"scalar", nothing, frame::utf8_scalar},
#if defined(__x86_64__)
    {"ssse3", ssse3, frame::utf8_ssse3},
    {"avx2", avx2, frame::utf8_avx2},
#elif defined(__aarch64__)
    {"neon", neon, frame::utf8_neon},
#endif
};

constexpr KernelRow<crypto::Sha1Kernel> sha1_rows[] = {
    {"scalar", nothing, crypto::sha1_scalar},
#if defined(__x86_64__)
    {"sha", sha, crypto::sha1_sha},
#endif
};

template <typename Rows>
std::optional<CpuFeatures> needs_of(const Rows& rows, std::string_view name) {
  for (const auto& row : rows) {
    if (row.name == name) return row.needs;
  }
  return std::nullopt;
}

// A row of one name needs the same in whichever table it stands.
std::optional<CpuFeatures> needs_of(std::string_view name) {
  if (const auto needs = needs_of(mask_rows, name)) return needs;
  if (const auto needs = needs_of(utf8_rows, name)) return needs;
  return needs_of(sha1_rows, name);
}

template <typename Rows>
auto* fastest(const Rows& rows, const CpuFeatures& features) {
  auto* kernel = rows[0].kernel;
  for (const auto& row : rows) {
    if (features.includes(row.needs)) kernel = row.kernel;
  }
  return kernel;
}

net::Error not_to_be_had(std::string_view at_most, std::string_view reason) {
  net::Error error{"SOCKEYE_SIMD="};
  error.message.append(at_most).append(": ").append(reason);
  return error;
}

}  // namespace

std::span<const KernelRow<frame::MaskKernel>> mask_kernels() {
  return mask_rows;
}
std::span<const KernelRow<frame::Utf8Kernel>> utf8_kernels() {
  return utf8_rows;
}
std::span<const KernelRow<crypto::Sha1Kernel>> sha1_kernels() {
  return sha1_rows;
}

Result<Kernels, net::Error> choose_kernels(const CpuFeatures& cpu, std::string_view at_most) {
  CpuFeatures features = cpu;
  if (!at_most.empty()) {
    const std::optional<CpuFeatures> needs = needs_of(at_most);
    if (!needs) return not_to_be_had(at_most, "no kernel has this name");
    if (!cpu.includes(*needs)) return not_to_be_had(at_most, "this processor cannot run it");
    features = *needs;
  }
  return Kernels{fastest(mask_rows, features), fastest(utf8_rows, features),
                 fastest(sha1_rows, features)};
}

Result<Kernels, net::Error> system_kernels() {
  const char* at_most = std::getenv("SOCKEYE_SIMD");
  return choose_kernels(detect_cpu(), at_most != nullptr ? at_most : "");
}

}  // namespace sockeye::ws
