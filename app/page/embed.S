// The pages' files, put into the program as the Makefile compressed them (`gzip -9n`), which takes
// 22 KB in place of 57; app/page/embedded.h names them.
//
// .incbin needs no tool beside the assembler, and works with every compiler and processor.
//
// SPDX-License-Identifier: MIT

.macro embed name, path
  .hidden sockeye_page_\name, sockeye_page_\name\()_end
  .global sockeye_page_\name, sockeye_page_\name\()_end
sockeye_page_\name:
  .incbin "\path"
sockeye_page_\name\()_end:
.endm

  .section .rodata.page, "a", %progbits
  embed index_html, "index.html.gz"
  embed page_css, "page.css.gz"
  embed page_js, "page.js.gz"
  embed wire_js, "wire.js.gz"
  embed handshake_js, "handshake.js.gz"
  embed frame_js, "frame.js.gz"
  embed parts_js, "parts.js.gz"
  embed chat_html, "chat.html.gz"
  embed chat_css, "chat.css.gz"
  embed chat_js, "chat.js.gz"

  // Says that the program's stack need not be executable.
  .section .note.GNU-stack, "", %progbits
