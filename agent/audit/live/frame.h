/* frame.h - what the agent and its audit worker say to each other.
 *
 * Questions are lines: "container ID TRIGGER [KNOWN]", "image ID TRIGGER", "daemon - TRIGGER", "host - TRIGGER",
 * "images - TRIGGER" (which there are), "ready - TRIGGER" (something is about to be asked). Answers are
 * frames: kind, length (4 bytes, little-endian), that many bytes. After a question's answers comes FRAME_DONE. */
#pragma once
#include "common/buf.h"
#include "common/err.h"
#include "common/slice.h"

enum { FRAME_BYTES_MAX = 512 * 1024, QUESTION_BYTES_MAX = 640 };

enum frame_kind {
	FRAME_REPORT = 'R',    /* packed AuditReport */
	FRAME_CATALOGUE = 'C', /* packed CheckCatalogue; first of all */
	FRAME_RIGHTS = 'K',    /* "ID HEX": capabilities of the container's first process */
	FRAME_KNOWN = 'F',     /* "ID WORD": to be sent along when it is asked for again */
	FRAME_IMAGES = 'I',    /* "sha256:… …": all there are, tags and digests or not; cut at what fits */
	FRAME_ERROR = 'E',     /* one line: why there is no report */
	FRAME_DONE = 'D',
};

/* The frame at the start of in. 1: *ret_kind and *ret are set (borrowed), *ret_n bytes long in all; 0: not whole yet;
 * ERR_CORRUPT: no frame. */
int frame_read(struct slice in, enum frame_kind *ret_kind, struct slice *ret, size_t *ret_n, struct err *err) WARN_UNUSED;
void frame_add(struct buf *out, enum frame_kind kind, struct slice body);

/* A question. ERR_SYNTAX: none. Slices borrowed. */
struct question {
	struct slice subject, id, trigger, known; /* known: empty: nothing is */
};
int question_read(struct slice line, struct question *ret, struct err *err) WARN_UNUSED;
