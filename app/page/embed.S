// The page's files, put into the program as they are; app/page/embedded.h names them.
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

  .section .rodata
  embed index_html, "app/page/index.html"
  embed page_css, "app/page/page.css"
  embed page_js, "app/page/page.js"

  // Says that the program's stack need not be executable.
  .section .note.GNU-stack, "", %progbits
