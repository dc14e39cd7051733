// What a machine lacks on which no program runs but sockeye: a console to write to, drivers, a
// network. Process 1 (app/init.h) sees to them before a server runs.
//
// Nothing is mounted: the server needs neither /proc nor /sys nor /dev.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <netinet/in.h>

#include <optional>
#include <string_view>

namespace sockeye::app {

// The IPv4 settings of one interface. Its text must stay as long as this is used.
struct IpParameter {
  in_addr address{};  // 0.0.0.0: the network stays as it is
  in_addr gateway{};  // 0.0.0.0: nothing is reached beyond the network
  in_addr netmask{};  // 0.0.0.0: the kernel takes that of the address's class
  std::string_view device = "eth0";
};

// Reads "ADDRESS::GATEWAY:NETMASK::DEVICE:off", which the kernel's command line has after "ip="
// (its Documentation/admin-guide/nfs/nfsroot.rst), or "off". Parts may be empty, and those at the
// end may be missing; what is of no use here (servers, a host name) is skipped. nullopt for all
// else, DHCP and the like among it.
std::optional<IpParameter> parse_ip(std::string_view text);

// Opens the console in place of standard descriptors that are closed, loads the modules
// /modules/*.ko in the order of their names, raises the limit of descriptors, and brings up the
// loopback interface and the one that the variable "ip" of the environment tells of. (The kernel
// hands on what it doesn't know of its command line; one that knows "ip=" has done it by then.)
//
// What is there already stays as it is. What fails is told on standard error, and the rest goes on.
void set_up_machine();

}  // namespace sockeye::app
