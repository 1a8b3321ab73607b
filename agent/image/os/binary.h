/* binary.h - what compilers write into programs about what they were made of. */
#pragma once
#include "agent/image/os/elf_file.h"
#include "agent/image/os/os_priv.h"

/* at: the section .go.buildinfo, or where Go's mark was found. e's ecosystem is golang. */
int go_give(struct emit *e, struct elf *elf, struct elf_range at, struct err *err) WARN_UNUSED;
/* Where Go's mark is in the data of a file without sections; n 0: nowhere. */
int go_find(struct elf *elf, struct elf_range *ret, struct err *err) WARN_UNUSED;
/* at: the section .dep-v0 of `cargo auditable`. e's ecosystem is cargo. */
int rust_give(struct emit *e, const struct blob *b, struct elf_range at, struct err *err) WARN_UNUSED;
