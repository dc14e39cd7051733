// SPDX-License-Identifier: MIT
#include "app/machine.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include "net/error.h"
#include "net/fd.h"
#include "net/text.h"

namespace sockeye::app {

namespace {

constexpr rlim_t most_descriptors = 1 << 20;  // what the kernel allows, unless told otherwise
constexpr int device_wait_ms = 10'000;        // for an interface to show up
constexpr int device_look_ms = 10;

// A kernel whose own initramfs lacks /dev/console starts process 1 without standard descriptors.
void open_console() {
  if (::fcntl(STDERR_FILENO, F_GETFD) >= 0) return;
  ::mkdir("/dev", 0755);
  ::mknod("/dev/console", S_IFCHR | 0600, makedev(5, 1));
  // Each takes the lowest number that is free, of which standard error's is the last.
  int opened = -1;
  do {
    opened = ::open("/dev/console", O_RDWR | O_NOCTTY);
  } while (opened >= 0 && opened < STDERR_FILENO);
}

using Name = net::Text<sizeof(dirent::d_name)>;  // with the null character at its end

void load_module(int folder, const Name& name) {
  const char* path = name.view().data();
  const net::Fd file(::openat(folder, path, O_RDONLY | O_CLOEXEC));
  if (file && ::syscall(SYS_finit_module, file.get(), "", 0) == 0) return;
  if (errno != EEXIST) report(net::system_error(path));
}

// Makes `name` that of the module which comes next after it; false where it is the last one's.
bool go_to_next(DIR* folder, Name& name) {
  Name next;
  ::rewinddir(folder);
  while (const dirent* entry = ::readdir(folder)) {
    const std::string_view found(entry->d_name, std::strlen(entry->d_name) + 1);
    if (!found.ends_with({".ko", 4}) || found <= name.view()) continue;
    if (next.size() > 0 && found > next.view()) continue;
    next.rewind(0);
    next.put(found);
  }
  name.rewind(0);
  name.put(next.view());
  return name.size() > 0;
}

// In the order of their names. Modules are few, so the folder is read once for each: sorting them
// would cost a kilobyte of code.
void load_modules() {
  DIR* folder = ::opendir("/modules");
  if (folder == nullptr) return;
  Name name;
  while (go_to_next(folder, name)) load_module(::dirfd(folder), name);
  ::closedir(folder);
}

sockaddr socket_address(in_addr address) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_addr = address;
  return std::bit_cast<sockaddr>(v4);
}

// The ioctls of netdevice(7), for one interface.
class Interface {
 public:
  Interface(int socket, std::string_view name) : socket_(socket) {
    name.copy(request_.ifr_name, IFNAMSIZ - 1);
  }

  // Waits until it is there: a driver may still be at it when its module is loaded.
  bool wait() {
    for (int waited_ms = 0; ::ioctl(socket_, SIOCGIFFLAGS, &request_) != 0;
         waited_ms += device_look_ms) {
      if (errno != ENODEV || waited_ms >= device_wait_ms) return false;
      ::poll(nullptr, 0, device_look_ms);
    }
    return true;
  }

  bool bring_up() {
    if (::ioctl(socket_, SIOCGIFFLAGS, &request_) != 0) return false;
    if ((request_.ifr_flags & IFF_UP) != 0) return true;
    request_.ifr_flags |= IFF_UP;
    return ::ioctl(socket_, SIOCSIFFLAGS, &request_) == 0;
  }

  bool set_address(in_addr address) {
    request_.ifr_addr = socket_address(address);
    return ::ioctl(socket_, SIOCSIFADDR, &request_) == 0;
  }

  bool set_netmask(in_addr netmask) {
    request_.ifr_netmask = socket_address(netmask);
    return ::ioctl(socket_, SIOCSIFNETMASK, &request_) == 0;
  }

 private:
  int socket_;
  ifreq request_{};
};

// The way to all networks that are not ours.
bool add_default_route(int socket, in_addr gateway) {
  rtentry route{};
  route.rt_dst = socket_address({});
  route.rt_genmask = socket_address({});
  route.rt_gateway = socket_address(gateway);
  route.rt_flags = RTF_UP | RTF_GATEWAY;
  return ::ioctl(socket, SIOCADDRT, &route) == 0;
}

bool is_given(in_addr address) {
  return address.s_addr != 0;
}

bool apply(int socket, const IpParameter& ip) {
  Interface interface(socket, ip.device);
  return interface.wait() && interface.set_address(ip.address) &&
         (!is_given(ip.netmask) || interface.set_netmask(ip.netmask)) && interface.bring_up() &&
         (!is_given(ip.gateway) || add_default_route(socket, ip.gateway));
}

void set_up_network() {
  const net::Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!Interface(socket.get(), "lo").bring_up()) report(net::system_error("loopback interface"));
  const char* text = std::getenv("ip");
  if (text == nullptr) return;
  net::Text<1024> line;
  line.put("ip=").put(text);
  const auto ip = parse_ip(text);
  if (!ip) {
    line.put(": must be ip=ADDRESS::GATEWAY:NETMASK::DEVICE:off (there is no DHCP here)");
    report(net::Error{std::string(line.view())});
  } else if (is_given(ip->address) && !apply(socket.get(), *ip)) {
    report(net::system_error(line.view()));
  }
}

// An IPv4 address; 0.0.0.0 stays where there is no text.
bool read_address(std::string_view text, in_addr& address) {
  net::Text<INET_ADDRSTRLEN> terminated;
  terminated.put(text).put({"", 1});
  return text.empty() ||
         (!terminated.truncated() && ::inet_pton(AF_INET, terminated.view().data(), &address) == 1);
}

bool is_off(std::string_view autoconfiguration) {
  return autoconfiguration.empty() || autoconfiguration == "off" || autoconfiguration == "none";
}

}  // namespace

std::optional<IpParameter> parse_ip(std::string_view text) {
  if (is_off(text)) return IpParameter();
  // Address, server, gateway, netmask, host name, device, autoconfiguration; then name and time
  // servers.
  std::string_view parts[7];
  for (std::string_view& part : parts) {
    part = text.substr(0, text.find(':'));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
  }
  IpParameter ip;
  if (!parts[5].empty()) ip.device = parts[5];
  const bool good = read_address(parts[0], ip.address) && read_address(parts[2], ip.gateway) &&
                    read_address(parts[3], ip.netmask) && is_given(ip.address) && is_off(parts[6]);
  return good ? std::optional(ip) : std::nullopt;
}

void set_up_machine() {
  open_console();
  load_modules();
  const rlimit descriptors{most_descriptors, most_descriptors};
  ::prlimit(0, RLIMIT_NOFILE, &descriptors, nullptr);
  set_up_network();
}

}  // namespace sockeye::app
