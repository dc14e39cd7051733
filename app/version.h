// SPDX-License-Identifier: MIT
#pragma once

#define SOCKEYE_VERSION "0.1.0"
