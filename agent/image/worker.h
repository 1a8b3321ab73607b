/* worker.h - the locked-down child that reads an image, as its parent starts and hears it. */
#pragma once
#include "agent/image/chan.h"
#include "agent/image/image.h"

#define IMAGE_WORKER_COMMAND "image-worker"
enum { WORKER_SOCK = 3 };

enum worker_form {
	WORKER_FOLDERS, /* layers as folders: the engine's storage, a directory */
	WORKER_ARCHIVE, /* one stream or file with all in it */
	WORKER_BLOBS,	/* manifests and blobs by digest */
};

/* What is to be done; plain, the same program reads it. */
struct job {
	uint32_t form;
	uint32_t layers;       /* WORKER_FOLDERS */
	bool has_config;       /* WORKER_FOLDERS: CHAN_ASK_CONFIG has an answer */
	bool is_overlay;       /* WORKER_FOLDERS: as overlayfs keeps them */
	bool has_drift;	       /* the last layer is a container's own */
	bool prefers_oci;      /* WORKER_ARCHIVE: index.json before manifest.json */
	bool with_lockfiles;
	bool reads_all;	       /* keeps CAP_DAC_READ_SEARCH */
	bool is_idle;
	char kind[16];	       /* Inventory.kind */
	char platform[64];     /* "": this host's */
	struct image_limits limits; /* none is 0 */
};

/* Never returns to its caller's program: the exit code. */
int worker_main(void);
