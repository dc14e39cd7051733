// Loads a shared library and calls its serve(): host ./plugin.so
//
// SPDX-License-Identifier: MIT
#include <dlfcn.h>
#include <stdio.h>

int main(int count, char** arguments) {
  void* plugin = count == 2 ? dlopen(arguments[1], RTLD_NOW) : NULL;
  int (*serve)(void) = plugin != NULL ? (int (*)(void))dlsym(plugin, "serve") : NULL;
  if (serve != NULL) return serve();
  const char* why = dlerror();
  fprintf(stderr, "host: %s\n", why != NULL ? why : "no library was named");
  return 1;
}
