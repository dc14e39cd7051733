# Sockeye's build: GNU make, and g++ or clang++. `make help` lists what can be made.
#
# Everything goes to build/. What a target needs beyond the compiler (doctest, clang, ...) it gets
# from the distribution by test/support/need, which installs when it may and else says how.
#
#   make CXX=clang++ BUILD=build/clang        another compiler, in a folder of its own
#   make SANITIZE=thread BUILD=build/thread   with asserts and a sanitizer
#   make WITHOUT="bench page"                 leaves parts out: bench client deflate hub init page static trace
#   make V=1                                  shows the commands
#
# SPDX-License-Identifier: MIT

BUILD    ?= build
SANITIZE ?=
WITHOUT  ?=
STATIC   ?=
CXXFLAGS ?= $(if $(SANITIZE),-O1,$(if $(filter musl,$(STATIC)),-Oz,-O2)) -g

# All cores. (A -j on the command line wins; a make under another make shares its jobs.)
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif
MAKEFLAGS += --no-builtin-rules --no-print-directory

# ------------------------------------------------------------------------------------------ sources

# What WITHOUT names is left out of the program. (`client` is `sockeye cat`, and `bench` with it.)
PARTS := bench client deflate hub init metrics page static trace
ifneq ($(filter-out $(PARTS),$(WITHOUT)),)
$(error WITHOUT=$(filter-out $(PARTS),$(WITHOUT)): the parts are $(PARTS))
endif
LEFT_OUT := $(sort $(WITHOUT) $(if $(filter client,$(WITHOUT)),bench))

LIBRARY_SOURCES := $(filter-out net/runtime.cc,$(wildcard crypto/*.cc net/*.cc ws/*.cc ws/*/*.cc))
APP_SOURCES     := $(filter-out app/examples/% \
                     $(if $(filter bench,$(LEFT_OUT)),app/bench.cc app/bench/%) \
                     $(if $(filter client,$(LEFT_OUT)),app/cat.cc) \
                     $(if $(filter hub,$(LEFT_OUT)),app/hub.cc app/hub/%) \
                     $(if $(filter metrics,$(LEFT_OUT)),app/admin.cc app/exposition.cc app/metrics.cc) \
                     $(if $(filter page,$(LEFT_OUT)),app/page/%) \
                     $(if $(filter static,$(LEFT_OUT)),app/static_%) \
                     $(if $(filter trace,$(LEFT_OUT)),app/trace/%) \
                     $(if $(filter page trace,$(LEFT_OUT)),app/inspector.cc app/raw_client.cc \
                       app/violations.cc) \
                     $(if $(filter init,$(LEFT_OUT)),app/init.cc app/machine.cc), \
                     $(wildcard app/*.cc app/*/*.cc) app/page/embed.S)
EXAMPLES        := $(patsubst app/%.cc,$(BUILD)/%,$(wildcard app/examples/*.cc))
UNIT_TESTS      := $(wildcard test/*/*_test.cc test/*/*/*_test.cc)
ifeq ($(SANITIZE),thread)  # in a test with one thread, there are no races to look for
UNIT_TESTS      := $(shell grep -l 'include <thread>' $(UNIT_TESTS))
endif
TEST_SOURCES    := $(UNIT_TESTS) \
                   $(filter-out %/doctest_main.cc %_test.cc,$(wildcard test/support/*.cc))
# What nearly all tests include: g++ compiles it once.
TEST_HEADER     := $(if $(findstring clang,$(CXX)),,$(BUILD)/obj/test/support/common.h.gch)
FUZZERS         := $(patsubst test/fuzz/%_fuzz.cc,%,$(wildcard test/fuzz/*_fuzz.cc))
PAGE            := $(addprefix app/page/,index.html page.css \
                     page.js wire.js handshake.js frame.js parts.js chat.html chat.css chat.js)
FORMATTED       := $(wildcard $(foreach folder,crypto net ws app test,\
                     $(folder)/*.h $(folder)/*.cc $(folder)/*/*.h $(folder)/*/*.cc \
                     $(folder)/*/*/*.h $(folder)/*/*/*.cc) test/images/embedding/*/*.cc)

objects = $(patsubst %,$(BUILD)/obj/%.o,$(basename $(1)))

LIBRARY_OBJECTS := $(call objects,$(LIBRARY_SOURCES))
APP_OBJECTS     := $(call objects,$(APP_SOURCES))
TEST_OBJECTS    := $(call objects,$(TEST_SOURCES))
PROBE_OBJECTS   := $(call objects,test/net/runtime_probe.cc test/net/runtime_forbidden.cc)
DEFLATE_BENCH   := $(call objects,test/bench/deflate.cc test/bench/deflate_corpus.cc)
BENCH_OBJECTS   := $(call objects,$(addprefix test/bench/,raw_echo.cc triggers.cc kernels.cc \
                     fan_out.cc raw_fan_out.cc)) $(DEFLATE_BENCH)
FUZZ_OBJECTS    := $(FUZZERS:%=$(BUILD)/obj/test/fuzz/%_fuzz.o) \
                   $(call objects,test/fuzz/memory_sockets.cc)

# -------------------------------------------------------------------------------------------- flags

# No exceptions, no RTTI: errors are values, and nothing of libstdc++ is linked.
LANGUAGE := -std=c++20 -fno-exceptions -fno-rtti
WARNINGS := -Wall -Wextra -Wshadow -Werror -Wconversion -Wsign-conversion

# Position-independent, so that the loader can put the program where nobody expects it, and as shared
# libraries have to be: the library may become a part of one, whose symbols then stay its own.
POSITION := -fPIC -fvisibility=hidden
LINKED   := -pie
ifdef SANITIZE
# Looks for our bugs: asserts, sanitizers, and the usual libstdc++, which they know.
SANITIZER := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all
CHECKS    := -D_GLIBCXX_ASSERTIONS $(SANITIZER) -fno-omit-frame-pointer
else
# What ships. _GLIBCXX_ASSERTIONS keeps the bounds checks of span, string_view and vector: one
# compare that predicts well, and an index gone wrong stops the program in place of reading on.
# Kernels work on pointers and don't pay for it. Our own asserts are for the sanitized builds.
CHECKS    := -D_GLIBCXX_ASSERTIONS -D_FORTIFY_SOURCE=2 -fstack-protector-strong -DNDEBUG
LIBC_ONLY := -nodefaultlibs -Wl,--gc-sections -Wl,-z,relro,-z,now
# g++ optimises the program once more when it links it, over all files: smaller and faster. The
# objects hold machine code as well, for the tests; and the library nothing else, so that it links
# with whatever compiler its users have.
ifeq ($(findstring clang,$(CXX)),)
LTO       := -flto=auto -Wno-stringop-overread  # which g++ 12 finds where there is none
FAT       := -flto=auto $(if $(STATIC),,-ffat-lto-objects -fno-gnu-unique)
NO_LTO    := -fno-lto
endif
LIBS      := -lc -lgcc
RUNTIME   := $(BUILD)/obj/net/runtime.o
# An exception that a user's handler lets out must not pass through our functions: they would be left
# halfway, without their destructors. Where there are no unwind tables, the search for who catches it
# ends, and the program with it, by std::terminate, before anything is unwound.
NO_TABLES := -fno-unwind-tables -fno-asynchronous-unwind-tables
LANGUAGE  += $(NO_TABLES)
endif

# STATIC=glibc: no shared library. (On some processors, glibc has nothing for such a program to find
# its place in memory with.)
ifeq ($(STATIC),glibc)
LINKED    := $(if $(wildcard $(shell $(CXX) -print-file-name=rcrt1.o)),-static-pie,-static)
LIBS      := -Wl,--start-group -lc -lgcc -lgcc_eh -Wl,--end-group
endif

# STATIC=musl: neither; and as small as can be. libstdc++'s headers expect glibc: what they want to
# know of musl, and a check that stops without a text, is in net/musl. Where the program lies in
# memory is fixed: to choose that at its start would take a table of 20 KB.
ifeq ($(STATIC),musl)
MACHINE   := $(shell $(CXX) -dumpmachine)
MUSL      := build/musl/$(MACHINE)
GXX       := $(shell $(CXX) -x c++ -E -v - 2>&1 < /dev/null | sed -n 's/^ \(.*c++.*\)/\1/p')
HEADERS   := -nostdinc -nostdinc++ $(addprefix -isystem ,net/musl $(GXX) $(MUSL)/include \
               $(shell $(CXX) -print-file-name=include) $(MUSL)/kernel)
POSITION  := -fno-pie $(HEADERS)
LTO       += $(if $(LTO),-flto-partition=one)  # all of the program optimised as one: 3.5 KB
LINKED    := -static -no-pie
CHECKS    := -D_GLIBCXX_ASSERTIONS -fstack-protector -DNDEBUG
# (Where pages may have 64 KB, it would pad the file.)
SELDOM    := $(if $(filter arm% aarch64%,$(MACHINE)),,-ffunction-sections -Wl,-T,net/musl/seldom.ld)
LIBC_ONLY := -nostdlib -Wl,--gc-sections -Wl,-z,relro,-z,now -Wl,-z,noseparate-code -Wl,--build-id=none \
             $(SELDOM) $(CHECKS) $(MUSL)/lib/crt1.o $(MUSL)/lib/crti.o
LIBS      := $(MUSL)/lib/libc.a -lgcc $(MUSL)/lib/crtn.o
endif

# A cross compiler brings its own binutils.
CROSS     := $(if $(findstring -g++,$(CXX)),$(patsubst %g++,%,$(CXX)))
AR        := $(CROSS)ar
OBJCOPY   := $(CROSS)objcopy

# Functions get sections of their own: the linker drops those that a program doesn't use.
# Sizes of files and times have 64 bits on 32-bit machines, too: with 32, lstat(2) fails at a large
# inode number, and the clock in 2038.
FIXED     = $(LANGUAGE) $(WARNINGS) $(CHECKS) $(POSITION) -ffunction-sections -fdata-sections \
            -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 \
            $(if $(STATIC),-DSOCKEYE_STATIC)
COMPILE   = $(CXX) $(FIXED) $(CXXFLAGS) $(FAT) -I. -MMD -MP $(CPPFLAGS)
LINK      = $(CXX) $(CXXFLAGS) $(LINKED) $(SANITIZER) $(LDFLAGS)
PROGRAM   = $(LINK) $(LTO) $(NO_TABLES) $(LIBC_ONLY)

# Tests throw (doctest does), write small numbers as they come, and are compiled fast; fuzzers run
# long.
# (private: build/flags, which they depend on, keeps the others.)
$(TEST_OBJECTS) $(TEST_HEADER) $(FUZZ_OBJECTS): private LANGUAGE := -std=c++20 -fno-rtti
$(TEST_OBJECTS) $(TEST_HEADER) $(FUZZ_OBJECTS): private WARNINGS := -Wall -Wextra -Wshadow -Werror
TEST_CXXFLAGS = -O0 -g1
$(TEST_OBJECTS) $(TEST_HEADER): private CXXFLAGS := $(TEST_CXXFLAGS)
$(TEST_OBJECTS) $(TEST_HEADER) $(FUZZ_OBJECTS): private FAT :=
$(FUZZ_OBJECTS): private CXXFLAGS := -O2 -g -fno-sanitize-coverage=trace-cmp

# Every recipe says in a word what it does, or with V=1 how.
say = $(if $(V),,@printf '  %-8s %s\n' '$(1)' '$@';)

# ------------------------------------------------------------------------------- programs, library

.PHONY: all run
## all: the program build/sockeye and the library build/libsockeye.a
all: $(BUILD)/sockeye $(BUILD)/libsockeye.a

## run: starts the echo server on ws://127.0.0.1:9000
run: $(BUILD)/sockeye
	@exec $(BUILD)/sockeye echo

# A static program is for images: stripped, with all that debuggers want beside it.
LINKED_PROGRAM := $(BUILD)/sockeye$(if $(STATIC),.debug)
$(LINKED_PROGRAM): $(APP_OBJECTS) $(LIBRARY_OBJECTS) $(RUNTIME)
	$(call say,link)$(PROGRAM) -o $@ $(filter %.o,$^) $(LIBS)

ifdef STATIC
$(BUILD)/sockeye: $(LINKED_PROGRAM)
	$(call say,strip)$(OBJCOPY) -S -R .comment $< $@
endif

# One object, and its copies of libstdc++'s inline functions are its own: as they have no unwind
# tables, they must not take the place of those in a user's program, which may throw. (And so are
# the compiler's own on i386.)
STD_NAMES := _ZNSt* _ZNKSt* _ZSt* _ZZNSt* _ZN9__gnu* _ZNK9__gnu* __x86.get_pc_thunk.*
$(BUILD)/libsockeye.a: $(LIBRARY_OBJECTS)
ifdef SANITIZE
	$(call say,archive)rm -f $@ && $(AR) rcs $@ $^
else
	$(call say,archive)rm -f $@ && $(CROSS)ld -r --force-group-allocation -o $(@:.a=.o) $^ && \
	  $(OBJCOPY) -w -R '.gnu.*lto_*' -R '.rela.gnu.*lto_*' $(STD_NAMES:%=-L '%') $(@:.a=.o) && \
	  $(AR) rcs $@ $(@:.a=.o)
endif

# The files that depend on WITHOUT; another choice of parts compiles only these anew.
OF_PARTS := $(call objects,$(shell grep -lE \
              'SOCKEYE_WITHOUT|"(app/init|app/page/embedded|app/server_flags|app/static_files|app/trace/trace|app/inspector|ws/deflate/is_built)\.h"' \
              $(APP_SOURCES) $(LIBRARY_SOURCES)))
$(OF_PARTS): private CPPFLAGS += $(patsubst %,-DSOCKEYE_WITHOUT_%,$(LEFT_OUT))
$(OF_PARTS) $(LINKED_PROGRAM): $(BUILD)/left_out

$(BUILD)/obj/%.o: %.cc $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,compile)$(COMPILE) -c -o $@ $<

$(BUILD)/obj/%.o: %.S $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,assemble)$(CXX) -I$(@D) -MMD -MP -c -o $@ $<

$(BUILD)/obj/app/page/embed.o: $(PAGE:%=$(BUILD)/obj/%.gz)

# -n: without the file's name and time, so that the same sources make the same program.
$(PAGE:%=$(BUILD)/obj/%.gz): $(BUILD)/obj/%.gz: %
	@mkdir -p $(@D)
	$(call say,gzip)gzip -9n < $< > $@

# Holds the compiler and the flags, and is as old as their last change: then all is compiled anew.
$(BUILD)/flags: private CONTENTS = $(COMPILE) | $(TEST_CXXFLAGS) | $(PROGRAM)
$(BUILD)/left_out: private CONTENTS = $(LEFT_OUT)
$(BUILD)/flags $(BUILD)/left_out: FORCE
	@mkdir -p $(@D)
	@echo '$(CONTENTS)' | cmp -s - $@ || echo '$(CONTENTS)' > $@

-include $(patsubst %.o,%.d,$(LIBRARY_OBJECTS) $(APP_OBJECTS) $(TEST_OBJECTS) $(PROBE_OBJECTS) \
                            $(FUZZ_OBJECTS) $(BENCH_OBJECTS) $(RUNTIME))

# ----------------------------------------------------------------------------------------- examples

.PHONY: examples
## examples: build/examples/, the six steps in app/examples
examples: $(EXAMPLES)

# As programs that use the library: with libstdc++ and exceptions.
$(EXAMPLES): $(BUILD)/examples/%: app/examples/%.cc app/examples/listen_on.h $(BUILD)/libsockeye.a
	@mkdir -p $(@D)
	$(call say,compile)$(CXX) -std=c++20 -Wall -Wextra -Wshadow -Werror -I. -o $@ $< \
	  $(BUILD)/libsockeye.a

# ------------------------------------------------------------------------------------------- images

.PHONY: tiny static cross cross-test cross-unit cross-live
## tiny: build/tiny/sockeye, one small static file, with musl (WITHOUT="bench deflate" leaves parts out)
TINY = build/tiny
tiny:
	@test/support/musl $(CXX) build/musl/$(shell $(CXX) -dumpmachine)
	@$(MAKE) BUILD=$(TINY) STATIC=musl $(TINY)/sockeye

## static: build/static/sockeye, one static file with glibc
static:
	@$(MAKE) BUILD=build/static STATIC=glibc build/static/sockeye

# What an architecture's tools and its emulator are called.
TRIPLES  := aarch64:aarch64-linux-gnu armhf:arm-linux-gnueabihf riscv64:riscv64-linux-gnu \
            s390x:s390x-linux-gnu i686:i686-linux-gnu
TRIPLE    = $(or $(patsubst $(ARCH):%,%,$(filter $(ARCH):%,$(TRIPLES))),\
              $(error ARCH=$(ARCH): is one of aarch64, armhf, riscv64, s390x, i686))
EMULATOR  = qemu-$(patsubst armhf,arm,$(ARCH))-static
CROSS_MAKE = $(MAKE) CXX=$(TRIPLE)-g++

## cross: build/cross/ARCH/sockeye, static (ARCH=aarch64, armhf, riscv64, s390x or i686)
# With musl where Debian has it, and else with glibc.
cross:
	@test/support/need g++-$(TRIPLE):$(TRIPLE)-g++
	@[ $(ARCH) = riscv64 ] || test/support/musl $(TRIPLE)-g++ build/musl/$(TRIPLE)
	+@$(CROSS_MAKE) BUILD=build/cross/$(ARCH) STATIC=$(if $(filter riscv64,$(ARCH)),glibc,musl) \
	  build/cross/$(ARCH)/sockeye

## cross-test: unit tests, wire dumps and real clients on an emulator (ARCH as for cross)
# Tests are compiled as fast as can be: there are many architectures. (32-bit x86 needs no emulator.)
# What isn't run there: searches that are long and the same on every processor; what limits memory,
# which the emulator doesn't; and a process's times, which it doesn't count in /proc/self/stat.
NOT_EMULATED := *the model holds,*every callback*,memory that runs out*,whichever system call*,Stream: order*,*fewer bits*,a head or body for*,Process: its ticks*
cross-test: cross-unit cross-live
cross-unit:
ifeq ($(ARCH),i686)
	+@$(MAKE) gate-i686
else
	@test/support/need g++-$(TRIPLE):$(TRIPLE)-g++ qemu-user-static:$(EMULATOR)
	+@CXXFLAGS=-O1 $(CROSS_MAKE) BUILD=build/cross/$(ARCH)/test FAT=-fno-gnu-unique TEST_CXXFLAGS=-O0 \
	  build/cross/$(ARCH)/test/test/unit
	@$(EMULATOR) -L /usr/$(TRIPLE) build/cross/$(ARCH)/test/test/unit \
	  --test-case-exclude='$(NOT_EMULATED)' $(ARGS)
endif
# Real clients alone.
cross-live: cross
ifeq ($(ARCH),i686)
	@SOCKEYE=build/cross/i686/sockeye test/e2e/run node
else
	@test/support/need qemu-user-static:$(EMULATOR)
	@printf '#!/bin/sh\nexec $(EMULATOR) $(abspath build/cross/$(ARCH)/sockeye) "$$@"\n' \
	  > build/cross/$(ARCH)/emulated && chmod +x build/cross/$(ARCH)/emulated
	@SOCKEYE=build/cross/$(ARCH)/emulated test/e2e/run node
endif

.PHONY: size images e2e-images
## size: where the bytes of build/tiny/sockeye are
size: tiny
	@test/support/size $(TINY)/sockeye.debug

## images: builds and tests every image, and makes a table of them: build/images.md (ARGS=s390x)
images:
	@test/images/table $(ARGS)

## e2e-images: an empty root, process 1, a machine; services, packages, programs with the library
e2e-images: tiny $(BUILD)/sockeye $(BUILD)/libsockeye.a
	@SOCKEYE_TINY=$(TINY)/sockeye test/images/run

# -------------------------------------------------------------------------------------------- tests

.PHONY: test e2e e2e-sanitized
## test: builds and runs the unit tests (ARGS='--test-case=*UTF-8*' picks some)
test: $(BUILD)/test/unit
	@$< $(ARGS)

## e2e: real clients against the program: Node, Python, Chromium
e2e: $(BUILD)/sockeye $(BUILD)/libsockeye.a $(BUILD)/bench/raw_echo $(BUILD)/test/wire
	@SOCKEYE=$(BUILD)/sockeye test/e2e/run

## picture: the README's picture of the page, anew
.PHONY: picture
PICTURE = app/page/page.png
picture: $(BUILD)/sockeye
	@test/support/need pngquant:pngquant
	@PICTURE=$(PICTURE) SOCKEYE=$< test/e2e/run page
	@pngquant --force --strip --output $(PICTURE) 64 $(PICTURE)

## e2e-sanitized: the same against sanitized builds, one of them with three threads
e2e-sanitized:
	@$(MAKE) BUILD=build/debug SANITIZE=address,undefined e2e
	@$(MAKE) BUILD=build/thread SANITIZE=thread SOCKEYE_ECHO_OPTIONS='--threads 3' e2e

# For tests and benchmarks that compare with it.
ZLIB := /usr/include/zlib.h

$(ZLIB):
	@test/support/need zlib1g-dev:$(ZLIB)

DOCTEST := /usr/include/doctest/doctest.h

$(DOCTEST):
	@test/support/need doctest-dev:$(DOCTEST)

# One object for every kind of build of a machine. Sanitized and optimised it would take half a
# minute.
DOCTEST_MAIN := build/doctest_main_$(firstword $(subst -, ,$(shell $(CXX) -dumpmachine))).o

# Everything but the program's main function, with libstdc++. Calls of malloc, calloc, realloc and
# free go through test/support/failing_malloc.
$(BUILD)/test/unit: $(TEST_OBJECTS) $(DOCTEST_MAIN) \
                    $(filter-out %/app/sockeye.o,$(APP_OBJECTS)) $(BUILD)/libsockeye.a
	@mkdir -p $(@D)
	$(call say,link)$(LINK) $(NO_LTO) -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free -o $@ $^

.PHONY: wire
## wire: plays the wire dumps alone (SOCKEYE_WIRE=FOLDER: those of another folder, such as traces)
wire: $(BUILD)/test/wire
	@$<

$(BUILD)/test/wire: $(call objects,test/ws/wire_test.cc test/support/wire_dump.cc) $(DOCTEST_MAIN) \
                    $(BUILD)/libsockeye.a
	@mkdir -p $(@D)
	$(call say,link)$(LINK) $(NO_LTO) -o $@ $^

$(TEST_OBJECTS) $(TEST_HEADER): | $(DOCTEST)

ifneq ($(TEST_HEADER),)
$(TEST_OBJECTS): private CPPFLAGS += -include $(TEST_HEADER:.gch=)
$(TEST_OBJECTS): $(TEST_HEADER)

$(TEST_HEADER): test/support/common.h $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,compile)$(COMPILE) -x c++-header -o $@ $<
endif

$(DOCTEST_MAIN): test/support/doctest_main.cc | $(DOCTEST)
	@mkdir -p $(@D)
	$(call say,compile)$(CXX) -std=c++20 -O0 -fPIE -c -o $@ $<

# ---------------------------------------------------------------------------------------- the gate

.PHONY: gate gate-gcc gate-clang gate-i686 gate-sanitizers gate-threads
.PHONY: libc-only layers format format-fix
## gate: all that must hold before a change goes in
gate:
	+@test/support/count "$(MAKE)" gate-gcc gate-clang gate-i686 gate-sanitizers gate-threads \
	  libc-only fuzz-short layers names rfc format

# Each compiler builds everything, has the unit tests pass, and links with libc alone. (With QUICK in
# the environment, as in CI, clang++ only has the wire dumps pass, and g++, which make test is for,
# none.)
gate-gcc:
	@$(MAKE) CXX=g++ all $(if $(QUICK),,test)
gate-clang:
	@test/support/need clang:clang++
	@$(MAKE) CXX=clang++ BUILD=build/clang all $(if $(QUICK),wire,test) libc-only

gate-sanitizers:
	@$(MAKE) BUILD=build/debug SANITIZE=address,undefined all test
gate-threads:
	@$(MAKE) BUILD=build/thread SANITIZE=thread all test

# 32 bits, on the same machine, with the loader and the libraries that come with the compiler. It is
# compiled as fast as can be: make cross is for programs.
I686_LIBRARIES := /usr/i686-linux-gnu/lib
gate-i686:
	@test/support/need g++-i686-linux-gnu:i686-linux-gnu-g++
	+@CXXFLAGS=-O1 $(MAKE) CXX=i686-linux-gnu-g++ BUILD=build/i686 FAT=-fno-gnu-unique \
	  TEST_CXXFLAGS=-O0 all test libc-only \
	  LDFLAGS=-Wl,--dynamic-linker=$(I686_LIBRARIES)/ld-linux.so.2,-rpath=$(I686_LIBRARIES)

## debug: build/debug/sockeye, with asserts and sanitizers
.PHONY: debug
debug:
	@$(MAKE) BUILD=build/debug SANITIZE=address,undefined all

## libc-only: nothing but libc is linked, and the run-time stand-in does its part
libc-only: $(BUILD)/sockeye $(BUILD)/libsockeye.a $(BUILD)/test/runtime_probe $(PROBE_OBJECTS)
	@test/support/libc_only $(BUILD)/sockeye $(BUILD)/libsockeye.a
	@test/net/runtime_test $(BUILD)/test/runtime_probe \
	  "$(PROGRAM) $(BUILD)/obj/test/net/runtime_forbidden.o $(RUNTIME) $(LIBS)"

$(BUILD)/test/runtime_probe: $(BUILD)/obj/test/net/runtime_probe.o $(RUNTIME)
	@mkdir -p $(@D)
	$(call say,link)$(PROGRAM) -o $@ $^ $(LIBS)

## layers: every file includes only from its own floor and those below
layers:
	@test/support/layers_test
	@test/support/layers

## names: what READMEs and comments name exists
.PHONY: names
names:
	@test/support/need python3:python3
	@test/support/titles_test
	@test/support/titles
	@test/support/names_test
	@test/support/names

## rfc: what RFC 6455 and RFC 7692 demand, with the code and the tests: build/rfc.md
.PHONY: rfc
rfc:
	@test/support/need python3:python3
	@test/support/rfc_test
	@test/support/rfc $(BUILD)/rfc.md

## format: the sources are formatted as .clang-format says (format-fix formats them)
CLANG_FORMAT := clang-format-14
format:
	@test/support/need $(CLANG_FORMAT):$(CLANG_FORMAT)
	@$(CLANG_FORMAT) --style=file --dry-run -Werror $(FORMATTED) && echo 'format: as it should be'
format-fix:
	@test/support/need $(CLANG_FORMAT):$(CLANG_FORMAT)
	@$(CLANG_FORMAT) --style=file -i $(FORMATTED)

# ------------------------------------------------------------------------------------------ fuzzing

# test/fuzz/NAME_fuzz.cc starts from the files in test/fuzz/corpus/NAME. What it discovers goes to
# build/fuzz/corpus/NAME, and an input that breaks something to build/fuzz/NAME-crash-...
.PHONY: fuzz fuzz-short fuzz-all
## fuzz: ten minutes for each of test/fuzz (FUZZ_SECONDS changes that)
FUZZ_SECONDS = 600
FUZZ_BUILD = $(MAKE) CXX=clang++ BUILD=build/fuzz SANITIZE=fuzzer-no-link,address,undefined
CLANG_FUZZER = libclang-rt-14-dev:/usr/lib/llvm-14/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a
fuzz:
	@test/support/need clang:clang++ '$(CLANG_FUZZER)'
	+@$(FUZZ_BUILD) FUZZ_SECONDS=$(FUZZ_SECONDS) fuzz-all

## fuzz-short: a few seconds for each
fuzz-short: FUZZ_SECONDS = 5
fuzz-short: fuzz

fuzz-all: $(FUZZERS:%=fuzz-one-%)
	@[ -n '$(FUZZERS)' ] || { echo 'fuzz: there is no test/fuzz/*_fuzz.cc' >&2; exit 1; }

$(FUZZERS:%=fuzz-one-%): fuzz-one-%: $(BUILD)/%_fuzz
	@mkdir -p $(BUILD)/corpus/$*
	@echo '  fuzz     $*, $(FUZZ_SECONDS) s'
	@$< -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=1024 \
	  -artifact_prefix=$(BUILD)/$*- $(BUILD)/corpus/$* $(wildcard test/fuzz/corpus/$*) \
	  > $(BUILD)/$*.log 2>&1 || { cat $(BUILD)/$*.log; exit 1; }
	@tail -n 1 $(BUILD)/$*.log

$(FUZZERS:%=$(BUILD)/%_fuzz): $(BUILD)/%_fuzz: $(BUILD)/obj/test/fuzz/%_fuzz.o $(BUILD)/libsockeye.a
	$(call say,link)$(LINK) -fsanitize=fuzzer $(WRAPPED) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(COMPARED)

$(BUILD)/trace_fuzz: $(call objects,$(wildcard app/trace/*.cc) app/json.cc app/decimal.cc app/flags.cc)

# Its kernel is one in memory, and its malloc may fail.
$(BUILD)/connection_fuzz: $(call objects,test/fuzz/memory_sockets.cc test/support/failing_malloc.cc)
$(BUILD)/connection_fuzz: private WRAPPED := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free

# Compare with zlib.
$(BUILD)/deflate_fuzz $(BUILD)/inflate_fuzz: private COMPARED := -lz
$(call objects,test/fuzz/deflate_fuzz.cc test/fuzz/inflate_fuzz.cc): | $(ZLIB)

# --------------------------------------------------------------------------------------- benchmarks

.PHONY: bench bench-idle bench-independent bench-kernels bench-million bench-syscalls bench-user
## bench: memory of an idle connection, and system calls for a message
bench: bench-idle bench-syscalls
## bench-idle: memory of an idle connection alone, beside the raw echo's
bench-idle: $(BUILD)/sockeye $(BUILD)/bench/raw_echo
	@BUILD=$(BUILD) SOCKEYE=$< python3 test/bench/idle.py
## bench-syscalls: system calls for a message alone
bench-syscalls: $(BUILD)/sockeye
	@test/support/need strace:strace
	@SOCKEYE=$< python3 test/bench/syscalls.py

.PHONY: bench-triggers
TRIGGERS := $(BUILD)/bench/triggers $(BUILD)/bench/triggers_calls.so
e2e: $(TRIGGERS)
## bench-triggers: epoll level-triggered, edge-triggered, one-shot: calls and CPU time (ROUNDS, ARGS)
bench-triggers: $(BUILD)/sockeye $(TRIGGERS)
	@SOCKEYE=$< /usr/bin/python3 -B test/bench/triggers.py --rounds $(ROUNDS) $(ARGS)

$(BUILD)/bench/triggers: $(BUILD)/obj/test/bench/triggers.o $(BUILD)/libsockeye.a $(RUNTIME)
	@mkdir -p $(@D)
	$(call say,link)$(PROGRAM) -o $@ $^ $(LIBS)

## bench-user: what a message costs in user space, without the kernel (ROUNDS, PEERS, ARGS)
bench-user: $(BUILD)/sockeye $(BUILD)/bench/raw_echo $(BUILD)/bench/user_space.so
	@BUILD=$(BUILD) ROUNDS=$(ROUNDS) /usr/bin/python3 -B test/bench/user.py $(ARGS)

## bench-fan-out: publishing to many: CPU and user-space time, other topics, memory (ROUNDS, SECONDS)
.PHONY: bench-fan-out
bench-fan-out: $(addprefix $(BUILD)/bench/,fan_out raw_fan_out fan_out_load user_space.so)
	@BUILD=$(BUILD) ROUNDS=$(ROUNDS) SECONDS=$(SECONDS) /usr/bin/python3 -B test/bench/fan_out.py

$(BUILD)/bench/fan_out $(BUILD)/bench/raw_fan_out: \
  $(BUILD)/bench/%: $(BUILD)/obj/test/bench/%.o $(BUILD)/libsockeye.a $(RUNTIME)
	@mkdir -p $(@D)
	$(call say,link)$(PROGRAM) -o $@ $^ $(LIBS)

$(BUILD)/bench/fan_out_load: test/bench/fan_out_load.cc
	@mkdir -p $(@D)
	$(call say,compile)$(CXX) -std=c++20 -O2 $(WARNINGS) -o $@ $<

# Go into any server, so they are made as such libraries are, with the usual libstdc++.
$(BUILD)/bench/user_space.so $(BUILD)/bench/triggers_calls.so: $(BUILD)/bench/%.so: test/bench/%.cc
	@mkdir -p $(@D)
	$(call say,link)$(CXX) -std=c++20 -O2 $(WARNINGS) -shared -fPIC -o $@ $<

## bench-kernels: masking, UTF-8, SHA-1, headers... with every kernel (ARGS=--markdown)
bench-kernels: $(BUILD)/bench/kernels
	@$< $(ARGS)

.PHONY: bench-compression bench-deflate
## bench-compression: what compression costs a whole server (ROUNDS, PEERS)
bench-compression: $(BUILD)/sockeye
	@SOCKEYE=$< ROUNDS=$(ROUNDS) python3 -B test/bench/compression.py

## bench-deflate: compression beside the system's zlib: speed and sizes
bench-deflate: $(BUILD)/bench/deflate
	@$<

$(BUILD)/bench/deflate: $(DEFLATE_BENCH) $(BUILD)/libsockeye.a
	@mkdir -p $(@D)
	$(call say,link)$(LINK) $(NO_LTO) -o $@ $^ -lz

# Throws, as the library that lists a folder does.
$(DEFLATE_BENCH): private LANGUAGE := -std=c++20
$(DEFLATE_BENCH): | $(ZLIB)

## bench-million: a million connections at once, in a network namespace (CONNECTIONS=100000)
CONNECTIONS = 1000000
bench-million: $(BUILD)/sockeye
	@SOCKEYE=$(SOCKEYE) CONNECTIONS=$(CONNECTIONS) python3 -B test/bench/million.py

# It may use libstdc++, as tests do, and is optimised, as the library is.
$(BUILD)/bench/kernels: $(BUILD)/obj/test/bench/kernels.o $(BUILD)/libsockeye.a
	@mkdir -p $(@D)
	$(call say,link)$(LINK) $(NO_LTO) -o $@ $^

## bench-independent: `sockeye bench` beside tsung, on a server of known pace (ROUNDS)
bench-independent: $(BUILD)/sockeye
	@test/support/need tsung:tsung \
	  python3-websockets:/usr/lib/python3/dist-packages/websockets/__init__.py
	@SOCKEYE=$< /usr/bin/python3 -B test/bench/independent.py $(ROUNDS)

## bench-peers: the race against other libraries' echo servers (ROUNDS, SECONDS, PEERS, ARGS)
.PHONY: bench-peers bench-readme
ROUNDS  = 3
SECONDS = 2
RACE    = $(BUILD)/bench/race.json
bench-peers: $(BUILD)/sockeye $(BUILD)/bench/raw_echo
	@SOCKEYE=$< /usr/bin/python3 -B test/bench/race --rounds $(ROUNDS) --seconds $(SECONDS) \
	  --output $(RACE) $(ARGS)
## bench-readme: the last race's tables and charts, for the README
bench-readme:
	@test/support/need python3-matplotlib:/usr/lib/python3/dist-packages/matplotlib/__init__.py
	@/usr/bin/python3 -B test/bench/race_readme $(RACE)

# The limit that servers are measured against, made as the program is.
$(BUILD)/bench/raw_echo: $(BUILD)/obj/test/bench/raw_echo.o $(BUILD)/libsockeye.a $(RUNTIME)
	@mkdir -p $(@D)
	$(call say,link)$(PROGRAM) -o $@ $^ $(LIBS)

# Echo servers over others' libraries, optimised as far as a compiler does by itself.
PEERS_FOLDER := $(BUILD)/bench/peers
$(PEERS_FOLDER)/beast:         private NEEDED := libboost1.74-dev:/usr/include/boost/beast.hpp
$(PEERS_FOLDER)/beast:         private LIBS   := -pthread
$(PEERS_FOLDER)/websocketpp:   private NEEDED := libboost1.74-dev:/usr/include/boost/asio.hpp \
                                 libwebsocketpp-dev:/usr/include/websocketpp/server.hpp
$(PEERS_FOLDER)/websocketpp:   private LIBS   := -pthread
$(PEERS_FOLDER)/libwebsockets: private NEEDED := libwebsockets-dev:/usr/include/libwebsockets.h
$(PEERS_FOLDER)/libwebsockets: private LIBS   := -lwebsockets
$(addprefix $(PEERS_FOLDER)/,beast websocketpp libwebsockets): \
  $(PEERS_FOLDER)/%: test/bench/peers/%.cc
	@test/support/need $(NEEDED)
	@mkdir -p $(@D)
	$(call say,compile)$(CXX) -std=c++17 -O3 -DNDEBUG -o $@ $< $(LIBS)

GOPATH_OF_DEBIAN := /usr/share/gocode
$(PEERS_FOLDER)/gorilla: test/bench/peers/gorilla.go
	@test/support/need golang-go:go \
	  golang-github-gorilla-websocket-dev:$(GOPATH_OF_DEBIAN)/src/github.com/gorilla/websocket
	@mkdir -p $(@D)
	$(call say,compile)GO111MODULE=off GOPATH=$(GOPATH_OF_DEBIAN) \
	  GOCACHE=$(abspath $(@D)/go-cache) go build -o $@ $<

$(PEERS_FOLDER)/node_modules/.package-lock.json: test/bench/peers/package-lock.json
	@test/support/need nodejs:node npm:npm
	@mkdir -p $(PEERS_FOLDER)
	@cp test/bench/peers/package.json $< $(PEERS_FOLDER)
	$(call say,install)cd $(PEERS_FOLDER) && \
	  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && \
	  touch node_modules/.package-lock.json

# The C extension of websockets, whose source Debian ships without the compiled form.
PYTHON_PACKAGES := /usr/lib/python3/dist-packages
$(PEERS_FOLDER)/speedups.so: test/bench/peers/python_websockets.py
	@test/support/need python3-websockets:$(PYTHON_PACKAGES)/websockets/speedups.c \
	  python3-uvloop:$(PYTHON_PACKAGES)/uvloop python3-dev:/usr/bin/python3-config
	@mkdir -p $(@D)
	$(call say,compile)$(CXX) -x c -O3 -shared -fPIC $$(/usr/bin/python3-config --includes) \
	  -o $@ $(PYTHON_PACKAGES)/websockets/speedups.c

# -------------------------------------------------------------------------------------- endurance

.PHONY: soak soak-short
## soak: half an hour of mixed load; descriptors and memory must come back (SOAK_SECONDS, SOCKEYE)
SOAK_SECONDS = 1800
SOCKEYE     ?= $(BUILD)/sockeye
soak: $(BUILD)/sockeye
	@SOCKEYE=$(SOCKEYE) python3 -B test/bench/soak.py $(SOAK_SECONDS)

## soak-short: the same for half a minute
soak-short: SOAK_SECONDS = 30
soak-short: soak

# ------------------------------------------------------------------------------------- installation

PREFIX  ?= /usr/local
LIBDIR  ?= $(PREFIX)/lib
DESTDIR ?=

VERSION = $(shell sed -n 's/.*SOCKEYE_VERSION "\(.*\)"/\1/p' app/version.h)

# From LIBDIR up to PREFIX, for an installed tree that may be moved.
TO_PREFIX = $(if $(filter $(PREFIX)/%,$(LIBDIR)),\
              $(shell echo '$(LIBDIR:$(PREFIX)/%=%)' | sed 's|[^/]*|..|g'),\
              $(error LIBDIR=$(LIBDIR) has to be within PREFIX=$(PREFIX)))

# Programs include these as "ws/server.h"; what they include is installed beside them.
PUBLIC_HEADERS := $(addprefix ws/,client.h prepared_message.h server.h server_group.h) net/log.h
INSTALLED_HEADERS = $(sort $(filter %.h,$(shell $(CXX) -std=c++20 -I. -MM $(PUBLIC_HEADERS))))

# SOURCE=TARGET each. What may be executed stays so.
INSTALLED = $(BUILD)/sockeye=$(PREFIX)/bin/sockeye \
            LICENSE=$(PREFIX)/share/doc/sockeye/LICENSE \
            $(BUILD)/libsockeye.a=$(LIBDIR)/libsockeye.a \
            $(BUILD)/install/sockeye.pc=$(LIBDIR)/pkgconfig/sockeye.pc \
            $(foreach file,sockeyeConfig.cmake sockeyeConfigVersion.cmake,\
              $(BUILD)/install/$(file)=$(LIBDIR)/cmake/sockeye/$(file)) \
            $(foreach file,$(INSTALLED_HEADERS),$(file)=$(PREFIX)/include/sockeye/$(file))

# For one service manager: systemd, openrc, busybox or none.
SERVICE    ?= systemd
SYSCONFDIR ?= /etc
ifneq ($(filter install uninstall deb,$(MAKECMDGOALS)),)
ifeq ($(filter $(SERVICE),systemd openrc busybox none),)
$(error SERVICE is systemd, openrc, busybox or none)
endif
endif

MANAGER_openrc  = $(BUILD)/install/sockeye.openrc=$(SYSCONFDIR)/init.d/sockeye
MANAGER_busybox = $(BUILD)/install/sockeye.busybox=$(SYSCONFDIR)/init.d/sockeye
MANAGER_systemd = $(foreach unit,sockeye.service sockeye.socket,\
                    $(BUILD)/install/$(unit)=$(PREFIX)/lib/systemd/system/$(unit))
SERVICE_FILES = $(MANAGER_$(SERVICE)) \
                $(BUILD)/install/sockeye.1=$(PREFIX)/share/man/man1/sockeye.1 \
                app/install/sockeye.bash=$(PREFIX)/share/bash-completion/completions/sockeye
INSTALLED += $(SERVICE_FILES)

.PHONY: install uninstall
## install: program, library, headers, service, manual (PREFIX, LIBDIR, DESTDIR, SERVICE)
install: $(BUILD)/sockeye $(BUILD)/libsockeye.a \
         $(addprefix $(BUILD)/install/,sockeye.pc sockeyeConfig.cmake sockeyeConfigVersion.cmake) \
         $(filter $(BUILD)/install/%,$(subst =, ,$(SERVICE_FILES)))
	@for item in $(INSTALLED); do \
	  source=$${item%%=*}; target='$(DESTDIR)'$${item#*=}; \
	  install -D -m "$$([ -x "$$source" ] && echo 755 || echo 644)" "$$source" "$$target" || exit 1; \
	done
	@echo '  install  $(DESTDIR)$(PREFIX)'

## uninstall: removes what install puts there, with the same PREFIX, LIBDIR and DESTDIR
uninstall:
	@for item in $(INSTALLED); do rm -f '$(DESTDIR)'"$${item#*=}"; done
	@for folder in $(PREFIX)/include/sockeye $(LIBDIR)/cmake/sockeye $(PREFIX)/share/doc/sockeye; do \
	  [ ! -d '$(DESTDIR)'"$$folder" ] || find '$(DESTDIR)'"$$folder" -depth -type d -empty -delete; \
	done

# app/install/NAME.in with its @WORDS@ filled in, always anew: PREFIX may be another one this time.
$(BUILD)/install/%: app/install/%.in app/version.h FORCE
	@mkdir -p $(@D)
	@sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@LIBDIR@|$(LIBDIR)|g' -e 's|@VERSION@|$(VERSION)|g' \
	  -e 's|@TO_PREFIX@|$(strip $(TO_PREFIX))|g' $< > $@
	@[ ! -x $< ] || chmod +x $@

# The manual page's lists of options are the program's own. HELPER: one that runs on this machine,
# where the program is made for another.
HELPER ?= $(BUILD)/sockeye
$(BUILD)/install/sockeye.1: app/install/sockeye.1.in app/install/manual app/version.h \
                            $(BUILD)/sockeye
	@mkdir -p $(@D)
	$(call say,write)app/install/manual $(HELPER) $(VERSION) < $< > $@

.PHONY: deb
## deb: packages of Debian's: build/sockeye_..._....deb and build/libsockeye-dev_..._....deb
DEB_TREE = $(abspath $(BUILD))/deb
deb:
	@test/support/need dpkg-dev:dpkg-shlibdeps
	@rm -rf $(DEB_TREE)
	@triplet=$$(dpkg-architecture -t$$($(CXX) -dumpmachine) -qDEB_HOST_MULTIARCH) && \
	  $(MAKE) install DESTDIR=$(DEB_TREE)/all PREFIX=/usr LIBDIR=/usr/lib/$$triplet SERVICE=systemd
	@app/install/deb $(DEB_TREE) $(VERSION) \
	  "$$(dpkg-architecture -t$$($(CXX) -dumpmachine) -qDEB_HOST_ARCH)" $(BUILD)

# ------------------------------------------------------------------------------------------- others

.PHONY: clean help FORCE
## clean: removes build/
clean:
	rm -rf build

## help: this list
help:
	@sed -n 's/^## \([a-z0-9-]*\): /\1\t/p' Makefile | sort | \
	  while IFS='	' read -r name text; do printf '  make %-14s %s\n' "$$name" "$$text"; done

FORCE:
.DELETE_ON_ERROR:
