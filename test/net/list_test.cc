// SPDX-License-Identifier: MIT
#include "net/list.h"

#include <doctest/doctest.h>

#include <memory>
#include <vector>

using sockeye::List;
using sockeye::ListNode;

namespace {

struct Element : ListNode {
  explicit Element(int its_number) : number(its_number) {}
  int number;
};

std::vector<int> drain(List<Element>& list) {
  std::vector<int> numbers;
  while (const Element* element = list.pop_front()) {
    CHECK(!element->linked());
    numbers.push_back(element->number);
  }
  CHECK(list.empty());
  return numbers;
}

}  // namespace

TEST_CASE("List: is empty at first, and gives null then") {
  List<Element> list;
  CHECK(list.empty());
  CHECK(list.pop_front() == nullptr);
}

TEST_CASE("List: the last one in is the first one out") {
  Element one(1), two(2), three(3);
  List<Element> list;
  list.push_front(one);
  list.push_front(two);
  list.push_front(three);
  CHECK(one.linked());
  CHECK(!list.empty());
  CHECK(drain(list) == std::vector{3, 2, 1});
}

TEST_CASE("List: an element leaves from the front, the middle and the back") {
  for (int leaver = 0; leaver < 3; ++leaver) {
    Element elements[] = {Element(0), Element(1), Element(2)};
    List<Element> list;
    for (Element& element : elements) list.push_front(element);
    elements[leaver].unlink();
    CHECK(!elements[leaver].linked());
    elements[leaver].unlink();  // once more does nothing

    std::vector<int> expected{2, 1, 0};
    std::erase(expected, leaver);
    CHECK(drain(list) == expected);
  }
}

TEST_CASE("List: an element that left can come back") {
  Element one(1), two(2);
  List<Element> list;
  list.push_front(one);
  list.push_front(two);
  one.unlink();
  list.push_front(one);
  CHECK(drain(list) == std::vector{1, 2});
}

TEST_CASE("List: an element that is destroyed leaves") {
  Element stays(1);
  List<Element> list;
  auto goes = std::make_unique<Element>(2);
  list.push_front(*goes);
  list.push_front(stays);
  goes.reset();
  CHECK(drain(list) == std::vector{1});
}

TEST_CASE("List: takes all elements of another, which can leave as before") {
  Element one(1), two(2), three(3);
  List<Element> from;
  List<Element> to;
  for (Element* element : {&one, &two, &three}) from.push_front(*element);
  to.take(from);
  CHECK(from.empty());
  three.unlink();  // the first: its link had to follow
  CHECK(drain(to) == std::vector{2, 1});

  to.take(from);  // nothing
  CHECK(to.empty());
}
