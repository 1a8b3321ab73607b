/* fs.h - file systems whose files are not read: another machine or another program answers for them, and may not. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool hash_fs_may_hang(uint64_t magic)
{
	static const uint32_t those[] = {
		0x65735546, /* FUSE, virtiofs */
		0x6969,	    /* NFS */
		0xff534d42, /* CIFS */
		0xfe534d42, /* SMB2 */
		0x517b,	    /* SMB */
		0x00c36400, /* Ceph */
		0x01021997, /* 9p */
		0x5346414f, /* AFS */
		0x6b414653, /* kAFS */
		0x73757245, /* Coda */
		0x0bd00bd0, /* Lustre */
		0x19830326, /* BeeGFS */
		0x01161970, /* GFS2 */
		0x7461636f, /* OCFS2 */
		0x20030528, /* OrangeFS */
		0x9fa0,	    /* proc: what it holds is made when it is read */
		0x0187,	    /* autofs */
	};

	for (size_t i = 0; i < sizeof(those) / sizeof(*those); i++)
		if ((uint32_t)magic == those[i])
			return true;
	return false;
}
