// A program of everything that the library may use without libstdc++, linked as our programs are.
//
// Without an argument it uses them all and exits 0; what it can't link is what net/runtime.cc
// lacks. With one it walks into the end of that name, which net/runtime.cc must answer with one
// line on standard error and an abort. test/net/runtime_test runs it.
//
// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace {

// So much of the address space is to be had on 32-bit machines, but not twice.
constexpr std::size_t half_of_all = std::numeric_limits<std::size_t>::max() / 2;

// Hides a value from the optimiser, so that nothing here is computed away.
template <typename T>
T unknown(T value) {
  volatile T hidden = value;
  return hidden;
}

void require(bool holds, std::string_view what) {
  if (holds) return;
  const std::string line = "runtime_probe: wrong: " + std::string(what) + "\n";
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
  std::_Exit(1);
}

struct Shape {
  virtual ~Shape() = default;
  virtual int corners() const = 0;
};

struct Square : Shape {
  int corners() const override { return unknown(4); }
};

struct alignas(64) Line {
  std::array<std::uint8_t, 64> bytes;
};

std::atomic<int> initialisations = 0;

int initialise_slowly() {
  ::usleep(20'000);  // so that the other threads arrive meanwhile
  return ++initialisations;
}

int initialised_once() {
  static const int value = initialise_slowly();
  return value;
}

void strings_and_vectors() {
  std::string text = "sockeye";
  for (int i = 0; i < unknown(100); ++i) text += std::to_string(i);
  text.insert(0, text.substr(3, 4));
  text.resize(50, '!');
  require(text.find("sockeye") == 4 && text.starts_with("keye"), "string");

  std::vector<std::string> words;
  for (int i = unknown(300); i-- > 0;) words.push_back(std::to_string(i));
  words.erase(words.begin());
  std::sort(words.begin(), words.end());
  std::stable_sort(words.begin(), words.end(), std::greater<>());
  require(words.front() == "99" && words.size() == 299, "vector and sort");

  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.begin(), digits.end(), unknown(std::int64_t{-42})).ptr;
  int back = 0;
  std::from_chars(digits.data(), end, back);
  require(std::string_view(digits.data(), end) == "-42" && back == -42, "to_chars, from_chars");
}

void owners_and_values() {
  std::vector<std::unique_ptr<Shape>> shapes;
  shapes.push_back(std::make_unique<Square>());
  require(shapes.back()->corners() == 4, "unique_ptr and a virtual call");

  const auto lines = std::make_unique<Line[]>(unknown(std::size_t{3}));
  require(reinterpret_cast<std::uintptr_t>(lines.get()) % alignof(Line) == 0, "aligned new");
  const std::unique_ptr<Line> line(new (std::nothrow) Line);
  require(line != nullptr, "aligned nothrow new");
  const std::unique_ptr<char[]> one(unknown(new (std::nothrow) char[unknown(half_of_all)]));
  const std::unique_ptr<char[]> another(unknown(new (std::nothrow) char[unknown(half_of_all)]));
  require(one == nullptr || another == nullptr, "nothrow new answers null");

  int calls = 0;
  std::function<void(int)> count = [&calls, text = std::string(40, 'x')](int n) { calls += n; };
  const auto copy = count;
  copy(2);
  require(calls == 2, "function");

  std::variant<int, std::string> either = "text";
  require(std::visit([](const auto& held) { return sizeof held; }, either) == sizeof(std::string),
          "variant");
  std::optional<std::string> maybe;
  if (unknown(true)) maybe.emplace("there");
  require(maybe.value() == "there", "optional");
  require(std::popcount(unknown(7U)) == 3, "bit");
  require(std::span(lines.get(), 3).last(1).data() == &lines[2], "span");
}

void threads_and_locks() {
  std::array<pthread_t, 4> threads;
  for (auto& thread : threads) {
    pthread_create(
        &thread, nullptr, [](void*) -> void* { return initialised_once(), nullptr; }, nullptr);
  }
  for (const auto thread : threads) pthread_join(thread, nullptr);
  require(initialised_once() == 1 && initialisations == 1, "a static is initialised once");

  std::mutex mutex;
  const std::lock_guard<std::mutex> lock(mutex);
  require(!mutex.try_lock(), "mutex");
}

}  // namespace

// Calls a pure virtual function: while the base is under construction its vtable holds no other.
// (Not in the unnamed namespace, or g++ sees that one override exists and calls that.)
struct TooEarly {
  TooEarly() { (*unknown(this)).value(); }
  virtual ~TooEarly() = default;
  virtual int value() const = 0;
};

struct Derived : TooEarly {
  int value() const override { return 1; }
};

namespace {

struct End {
  std::string_view name;
  void (*walk_into)();
};

const End ends[] = {
    {"out-of-memory",
     [] {
       for (int i = 0; i < 2; ++i) unknown(new char[unknown(half_of_all)]);
     }},
    {"length",
     [] { std::vector<int>().reserve(unknown(std::numeric_limits<std::size_t>::max())); }},
    {"range", [] { std::string("abc").erase(unknown(std::size_t{4})); }},
    {"null-string", [] { const std::string text(unknown(static_cast<const char*>(nullptr))); }},
    {"empty-function", [] { std::function<void()>()(); }},
    {"pure-virtual", [] { Derived(); }},
    {"index",
     [] {
       const std::vector<int> three(3);
       unknown(three[unknown(std::size_t{3})]);
     }},
};

}  // namespace

int main(int argc, char** argv) {
  if (argc == 1) {
    strings_and_vectors();
    owners_and_values();
    threads_and_locks();
    return 0;
  }
  for (const End& end : ends) {
    if (end.name == argv[1]) end.walk_into();
  }
  return 2;  // no such end, or it did not stop there
}
