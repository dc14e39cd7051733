// The one table of kernels: which function does the masking, the UTF-8 check and SHA-1's blocks.
//
// Each of these jobs has a scalar text that is read, and faster ones for certain processors. The
// choice is made once, at start-up, and handed down as a value; nothing below asks the processor.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string_view>

#include "crypto/sha1.h"
#include "net/cpu.h"
#include "net/error.h"
#include "net/result.h"
#include "ws/frame/mask.h"
#include "ws/frame/utf8.h"

namespace sockeye::ws {

// As it stands, the kernels that run everywhere.
struct Kernels {
  frame::MaskKernel* mask = frame::mask_scalar;
  frame::Utf8Kernel* utf8 = frame::utf8_scalar;
  crypto::Sha1Kernel* sha1 = crypto::sha1_scalar;

  bool operator==(const Kernels&) const = default;
};

template <typename Kernel>
struct KernelRow {
  std::string_view name;  // of the instruction set
  CpuFeatures needs;
  Kernel* kernel;
};

// The rows that this program was compiled with, slowest first. The first one is always "scalar",
// and needs nothing.
std::span<const KernelRow<frame::MaskKernel>> mask_kernels();
std::span<const KernelRow<frame::Utf8Kernel>> utf8_kernels();
std::span<const KernelRow<crypto::Sha1Kernel>> sha1_kernels();

// The fastest kernels for `cpu`. `at_most` is the value of SOCKEYE_SIMD: empty, or a row's name, to
// get the fastest that need nothing which that row does not need ("scalar", "sse2", "avx2"). An
// error where no row has that name, or the processor lacks what it needs: nobody who asks for one
// kernel is given another in silence.
Result<Kernels, net::Error> choose_kernels(const CpuFeatures& cpu, std::string_view at_most);

// The choice for this processor and this process's environment. Call it once, at start-up.
Result<Kernels, net::Error> system_kernels();

}  // namespace sockeye::ws
