// What compiled C++ expects from its run-time library, in place of libstdc++.
//
// The program is linked with -nodefaultlibs against libc alone; this file supplies the rest: memory
// for new, the ends that libstdc++'s headers come to where they would throw, and the locks of
// function-local statics. Whatever isn't here (std::map, iostream, exceptions) fails to link, and
// that is on purpose. Linked into our programs only: users of libsockeye.a keep their libstdc++.
//
// Threads: everything here may be called from any of them.
//
// SPDX-License-Identifier: MIT
#include <bits/functexcept.h>  // declares std::__throw_*
#include <pthread.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

iovec piece(const char* text) {
  return {const_cast<char*>(text), std::strlen(text)};  // writev only reads it
}

// Says why in one line, and aborts. The texts are written as they lie, so this works without
// memory.
template <typename... Text>
[[noreturn]] void stop(Text... why) {
  const iovec line[] = {piece("sockeye: fatal: "), piece(why)..., piece("\n")};
  [[maybe_unused]] const auto written = ::writev(STDERR_FILENO, line, sizeof line / sizeof *line);
  std::abort();
}

void* allocate(std::size_t size) {
  return std::malloc(size);
}

void* allocate(std::size_t size, std::align_val_t alignment) {
  return std::aligned_alloc(static_cast<std::size_t>(alignment), size);
}

void* or_stop(void* memory) {
  if (memory == nullptr) stop("out of memory");
  return memory;
}

}  // namespace

// Memory. glibc and musl both answer malloc(0) with a pointer of its own, as new must. A plain new
// never returns null, so it stops; what a peer can size is allocated with std::nothrow.

const std::nothrow_t std::nothrow = std::nothrow_t{};

// clang-format off
void* operator new(std::size_t n) { return or_stop(allocate(n)); }
void* operator new[](std::size_t n) { return or_stop(allocate(n)); }
void* operator new(std::size_t n, std::align_val_t a) { return or_stop(allocate(n, a)); }
void* operator new[](std::size_t n, std::align_val_t a) { return or_stop(allocate(n, a)); }

void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return allocate(n); }
void* operator new[](std::size_t n, const std::nothrow_t&) noexcept { return allocate(n); }
void* operator new(std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return allocate(n, a);
}
void* operator new[](std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return allocate(n, a);
}

// free() takes what malloc and aligned_alloc gave, whatever the size and alignment were.
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
// clang-format on

// Where libstdc++'s headers would throw. Reaching one is a bug of ours, never a peer's doing.

namespace std {

// clang-format off
void __throw_bad_alloc() { stop("out of memory"); }                                 // allocators
void __throw_bad_array_new_length() { stop("size overflow in an allocation"); }     // allocators
void __throw_length_error(const char* what) { stop("length error: ", what); }       // string, vector
void __throw_logic_error(const char* what) { stop("logic error: ", what); }         // string from null
void __throw_out_of_range_fmt(const char* what, ...) { stop("out of range: ", what); }  // at, substr
void __throw_bad_function_call() { stop("call of an empty std::function"); }
void __throw_system_error(int code) { stop("a lock failed: ", strerror(code)); }    // mutex
// clang-format on

#ifdef _GLIBCXX_ASSERTIONS
// An index or an access that the containers' own checks refuse.
void __glibcxx_assert_fail(const char*, int, const char* function, const char* condition) noexcept {
  stop("assertion failed in ", function, ": ", condition);
}
#endif

}  // namespace std

// The C++ ABI's own calls (Itanium C++ ABI §3.2.6, §3.3.3).

extern "C" {

// What a vtable holds for a pure virtual function: reached by a call during destruction.
[[noreturn]] void __cxa_pure_virtual() {
  stop("call of a pure virtual function");
}

// `static T x = f();` inside a function: whoever comes first initialises it, others wait. Byte 0 of
// the guard tells compiled code that this is done; byte 1 is ours, and says that somebody is at it.
static pthread_mutex_t guards_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t guard_released = PTHREAD_COND_INITIALIZER;

int __cxa_guard_acquire(std::uint8_t* guard) {
  pthread_mutex_lock(&guards_lock);
  while (guard[1] != 0) pthread_cond_wait(&guard_released, &guards_lock);
  const bool mine = guard[0] == 0;
  if (mine) guard[1] = 1;
  pthread_mutex_unlock(&guards_lock);
  return mine;
}

void __cxa_guard_release(std::uint8_t* guard) {
  pthread_mutex_lock(&guards_lock);
  guard[1] = 0;
  // Compiled code looks at byte 0 without the lock: what was initialised must be visible before it.
  __atomic_store_n(&guard[0], std::uint8_t{1}, __ATOMIC_RELEASE);
  pthread_mutex_unlock(&guards_lock);
  pthread_cond_broadcast(&guard_released);
}
}
