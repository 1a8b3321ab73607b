/* limits.h - every bound of the messages, in one place. Both sides check them. */
#pragma once

enum {
	PROTO_VERSION = 1,     /* spoken here */
	PROTO_VERSION_MIN = 1, /* oldest still understood */

	LIMIT_MESSAGE_BYTES = 4 * 1024 * 1024, /* = WIRE_MAX_MESSAGE_BYTES, asserted in msg.c */
	LIMIT_ARENA_BYTES = 16 * 1024 * 1024,  /* unpacked size of one message */
	LIMIT_RECORD_BYTES = 64 * 1024,	       /* one packed Record */
	LIMIT_BATCH_RECORDS = 2048,
	LIMIT_BATCH_BYTES = 1024 * 1024, /* where a sender closes a batch */

	LIMIT_NAME_BYTES = 256,	  /* comm, user, rule, image, container name … */
	LIMIT_PATH_BYTES = 4096,  /* paths */
	LIMIT_ARGS_BYTES = 8192,  /* all arguments of one exec */
	LIMIT_ADDRESS_BYTES = 16, /* 4 or 16 */
	LIMIT_OUTPUT_BYTES = 16384,
	LIMIT_ANCESTORS = 8,
	LIMIT_LABELS = 64,
	LIMIT_FIELDS = 128,
	LIMIT_TAGS = 64,
	LIMIT_SENSORS = 64,
	LIMIT_CREDIT = 8, /* batches under way at once */

	LIMIT_CMDLINE_BYTES = LIMIT_ARGS_BYTES + LIMIT_NAME_BYTES, /* name + " " + arguments */
	LIMIT_TEXT_BYTES = 4096,	      /* label values, descriptions, evidence, reasons */
	LIMIT_PEM_BYTES = 32 * 1024,	      /* a request, a certificate, a CA bundle */
	LIMIT_DOCUMENT_BYTES = 1024 * 1024,   /* Configuration */
	LIMIT_INVENTORY_BYTES = 16 * 1024 * 1024,	/* one packed Inventory */
	LIMIT_INVENTORY_ARENA_BYTES = 64 * 1024 * 1024, /* unpacked */
	LIMIT_PACKAGES = 100000,	/* of one layer */
	LIMIT_LAYERS = 512,		/* engines stop at 127 */
	LIMIT_PACKAGE_TEXT_BYTES = 1024, /* a package's name, version */
	LIMIT_IMAGE_LIST = 512,		/* labels, ports, names, arguments of one image */
	LIMIT_SETID_FILES = 1024,
	LIMIT_PROBLEMS = 256,
	LIMIT_KEY_BYTES = 32, /* SHA-256 */
	LIMIT_IMAGES_ASKED = 128,   /* of one request; with all their layers' keys 2 MiB */
	LIMIT_IMAGES_IN_USE = 1024, /* of one part */
	LIMIT_IMAGE_CONTAINERS = 1024,
	LIMIT_PACKAGES_IN_USE = 8192, /* of one image */
	LIMIT_BASE_IMAGES = 256,      /* of one request */
	LIMIT_PART_BYTES = 1024 * 1024,
	LIMIT_PARTS = LIMIT_INVENTORY_BYTES / LIMIT_PART_BYTES + 1, /* what won't compress grows a little */
	LIMIT_CONTAINER_LIST = 256,   /* mounts, networks, capabilities, devices … of one container */
	LIMIT_CONTAINER_PORTS = 1024, /* a published range is as many */
	LIMIT_CHECKS = 512,	      /* of one catalogue, or one report */
	LIMIT_TRAFFIC_PEERS = 64,
	LIMIT_POLICY_BYTES = LIMIT_DOCUMENT_BYTES,
	LIMIT_URLS = 8,
	LIMIT_SECRET_BYTES = 64,
	LIMIT_SECRET_BYTES_MIN = 16,
	LIMIT_TOKEN_TEXT_BYTES = 8192, /* "pkt1." and base64url */
	LIMIT_RETRY_MS = 3600 * 1000,  /* the longest a refusal may send an agent away */
};

/* Wall times are 1 .. this: 2200-01-01. A record from a host without a clock says 1970, not 0. */
#define LIMIT_UNIX_NS 7258118400000000000ULL
/* Matches that one finding may stand for: far above what a window can hold, far below where sums of
 * them overflow. */
#define LIMIT_FINDING_COUNT 1000000000000ULL
/* Bytes of one interval of traffic: 1 PiB, far above what a host can send in it. */
#define LIMIT_TRAFFIC (1ULL << 50)
