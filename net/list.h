// An intrusive list: its elements carry the links, so that linking allocates nothing, and an
// element leaves in constant time without knowing which list it is on.
//
//   List<T>        element        element
//   +-------+      +-------+      +-------+
//   | first |----->| next  |----->| next  |-----> null
//   +-------+ <-+  +-------+ <-+  +-------+
//               +--| link  |   +--| link  |       link: the pointer that points here
//                  +-------+      +-------+
//
// An element on a list has to stay where it is, and leaves the list when it is destroyed. A list
// may be destroyed only when it is empty. Part of the floor.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cassert>

namespace sockeye {

template <typename T>
class List;

// What an element of a list derives from.
class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;

  bool linked() const { return link_ != nullptr; }

  // Leaves the list; does nothing when on none.
  void unlink() {
    if (!linked()) return;
    *link_ = next_;
    if (next_) next_->link_ = link_;
    link_ = nullptr;
  }

 protected:
  ~ListNode() { unlink(); }

 private:
  template <typename T>
  friend class List;

  ListNode* next_ = nullptr;
  ListNode** link_ = nullptr;
};

// A list of T, which derives from ListNode. Every call takes constant time.
template <typename T>
class List {
 public:
  List() = default;
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  ~List() { assert(empty()); }

  bool empty() const { return first_ == nullptr; }

  void push_front(T& element) {
    ListNode& node = element;
    assert(!node.linked());
    node.next_ = first_;
    node.link_ = &first_;
    if (first_) first_->link_ = &node.next_;
    first_ = &node;
  }

  // The first element, which is on no list from here on; null when there is none.
  T* pop_front() {
    if (empty()) return nullptr;
    T* element = static_cast<T*>(first_);
    first_->unlink();
    return element;
  }

  // Moves all elements of `other` here. Only where this list is empty.
  void take(List& other) {
    assert(empty());
    first_ = other.first_;
    other.first_ = nullptr;
    if (first_) first_->link_ = &first_;
  }

 private:
  ListNode* first_ = nullptr;
};

}  // namespace sockeye
