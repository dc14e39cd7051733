// SPDX-License-Identifier: MIT
#include "test/bench/deflate_corpus.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string_view>

namespace sockeye::test {
namespace {

using Random = std::mt19937;

// Of each corpus, so that a processor can't learn its messages by heart.
constexpr std::size_t corpus_bytes = 512 << 10;
constexpr std::size_t text_message_bytes = 16 << 10;

constexpr std::string_view given_names[] = {"Anna",  "Bilal", "Chiara", "Dmitri", "Esra",  "Femi",
                                            "Grace", "Hana",  "Ivan",   "Jonas",  "Keiko", "Lucía",
                                            "Mehdi", "Nadia", "Oscar",  "Priya",  "Quinn", "Rosa"};
constexpr std::string_view family_names[] = {
    "Almeida", "Becker", "Castillo", "Dubois",   "Eriksson",  "Fischer", "García",
    "Haddad",  "Ibsen",  "Johnson",  "Kowalski", "Lindqvist", "Müller",  "Nakamura",
    "O'Neil",  "Petrov", "Rossi",    "Schmidt",  "Tanaka",    "Williams"};
constexpr std::string_view words[] = {
    "the",    "a",      "of",    "to",    "and",     "in",     "is",     "that",   "for",
    "it",     "was",    "on",    "with",  "have",    "this",   "from",   "by",     "not",
    "order",  "please", "today", "check", "deploy",  "server", "update", "thanks", "meeting",
    "moved",  "until",  "after", "blue",  "green",   "when",   "does",   "anyone", "know",
    "review", "done",   "again", "still", "waiting", "build",  "failed", "since",  "morning",
    "can",    "we",     "ship",  "price", "before",  "lunch",  "maybe",  "next",   "week"};
constexpr std::string_view cities[] = {"Berlin", "São Paulo", "Lagos",   "Tokyo",  "Toronto",
                                       "Lyon",   "Kraków",    "Nairobi", "Madrid", "Chicago"};
constexpr std::string_view states[] = {"open", "filled", "cancelled", "pending", "rejected"};
constexpr std::string_view symbols[] = {"BTC-USD", "ETH-USD", "EUR-USD", "AAPL", "MSFT", "SAP.DE"};
constexpr std::string_view tags[] = {"beta", "admin", "eu-west", "mobile", "trial", "vip", "api"};

template <std::size_t n>
std::string one_of(Random& random, const std::string_view (&list)[n]) {
  return std::string(list[random() % n]);
}

std::uint32_t number(Random& random, std::uint32_t from, std::uint32_t to) {
  return from + static_cast<std::uint32_t>(random() % (to - from + 1));
}

template <typename... Arguments>
std::string print(const char* form, Arguments... arguments) {
  char text[128];
  std::snprintf(text, sizeof text, form, arguments...);
  return text;
}

std::string hex_id(Random& random) {
  return print("%08x%08x%08x", static_cast<unsigned>(random()), static_cast<unsigned>(random()),
               static_cast<unsigned>(random()));
}

std::string time_text(Random& random) {
  return print("2026-11-%02uT%02u:%02u:%02u.%03uZ", number(random, 1, 30), number(random, 0, 23),
               number(random, 0, 59), number(random, 0, 59), number(random, 0, 999));
}

std::string amount(Random& random) {
  return print("%u.%02u", number(random, 1, 70'000), number(random, 0, 99));
}

std::string sentence(Random& random, std::uint32_t count) {
  std::string text = one_of(random, words);
  for (std::uint32_t i = 1; i < count; ++i) text += ' ' + one_of(random, words);
  return text;
}

std::string chat(Random& random) {
  return "{\"id\":\"" + hex_id(random) + "\",\"from\":\"" + one_of(random, given_names) +
         "\",\"room\":" + print("%u", number(random, 1, 400)) + ",\"sent\":\"" + time_text(random) +
         "\",\"text\":\"" + sentence(random, number(random, 3, 18)) +
         "\",\"edited\":" + (random() % 5 == 0 ? "true" : "false") + "}";
}

std::string trade(Random& random) {
  return "{\"symbol\":\"" + one_of(random, symbols) + "\",\"price\":" + amount(random) +
         ",\"size\":" + amount(random) + ",\"side\":\"" + (random() % 2 ? "buy" : "sell") +
         "\",\"state\":\"" + one_of(random, states) +
         "\",\"time\":" + print("17952%08u", number(random, 0, 99'999'999)) +
         ",\"order_id\":" + print("%u", static_cast<unsigned>(random())) + "}";
}

std::string user(Random& random) {
  const std::string given = one_of(random, given_names);
  const std::string family = one_of(random, family_names);
  std::string text =
      "{\"user_id\":" + print("%u", number(random, 100'000, 9'999'999)) +
      ",\"name\":{\"given\":\"" + given + "\",\"family\":\"" + family + "\"},\"email\":\"" + given +
      "." + family + print("%u", number(random, 1, 99)) +
      "@example.com\",\"active\":" + (random() % 3 ? "true" : "false") +
      ",\"address\":{\"city\":\"" + one_of(random, cities) + "\",\"zip\":\"" +
      print("%05u", number(random, 1'000, 99'999)) + "\",\"location\":[" +
      print("%d.%06u,%d.%06u", static_cast<int>(number(random, 0, 120)) - 60,
            number(random, 0, 999'999), static_cast<int>(number(random, 0, 300)) - 150,
            number(random, 0, 999'999)) +
      "]},\"last_seen\":\"" + time_text(random) + "\",\"referrer\":null,\"tags\":[";
  for (std::uint32_t i = number(random, 0, 3); i > 0; --i) {
    text += "\"" + one_of(random, tags) + (i > 1 ? "\"," : "\"");
  }
  return text + "]}";
}

// A message of about `size` bytes: one kind of record, as many as it takes.
std::string json_message(Random& random, std::size_t size) {
  std::string (*const kinds[])(Random&) = {chat, trade, user};
  std::string (*const kind)(Random&) = size <= 200 ? kinds[random() % 2] : kinds[random() % 3];
  std::string text = "{\"event\":\"" + one_of(random, states) +
                     "\",\"seq\":" + print("%u", number(random, 1, 5'000'000)) + ",\"data\":[";
  text += kind(random);
  while (text.size() + 100 < size) text += "," + kind(random);
  return text + "]}";
}

Corpus json_corpus(const char* name, std::size_t size) {
  Random random(20'261'122 + static_cast<std::uint32_t>(size));
  Corpus corpus{.name = name, .messages = {}};
  for (std::size_t bytes = 0; bytes < corpus_bytes; bytes += corpus.messages.back().size()) {
    corpus.messages.push_back(json_message(random, size));
  }
  return corpus;
}

// The files of a folder, in the order of their names.
std::vector<std::filesystem::path> files_in(const std::string& folder, std::string_view extension) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() == extension) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// What these folders' files hold, cut into messages.
Corpus text_corpus(const char* name, const std::vector<std::string>& folders,
                   std::string_view extension) {
  std::string text;
  for (const std::string& folder : folders) {
    for (const auto& path : files_in(folder, extension)) {
      std::ifstream file(path);
      text.append(std::istreambuf_iterator<char>(file), {});
    }
  }
  text.resize(std::min(text.size(), corpus_bytes));
  Corpus corpus{.name = name, .messages = {}};
  for (std::size_t at = 0; at < text.size(); at += text_message_bytes) {
    corpus.messages.push_back(text.substr(at, text_message_bytes));
  }
  return corpus;
}

}  // namespace

std::vector<Corpus> deflate_corpora() {
  return {
      json_corpus("json 200 B", 200),
      json_corpus("json 1 KiB", 1 << 10),
      json_corpus("json 4 KiB", 4 << 10),
      json_corpus("json 16 KiB", 16 << 10),
      json_corpus("json 64 KiB", 64 << 10),
      text_corpus("html 16 KiB",
                  {"/usr/share/doc/zlib1g-dev/examples", "/usr/share/doc/doctest-dev", "app/page"},
                  ".html"),
      text_corpus("source 16 KiB", {"/usr/include/c++/12/bits", "ws", "net"}, ".h")};
}

}  // namespace sockeye::test
