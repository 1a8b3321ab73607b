/* stream.c - see stream.h. Streams over descriptors and slices, and their digests. */
#include "agent/image/stream.h"

#include <errno.h>
#include <openssl/evp.h>

#include "agent/image/image_limits.h"
#include "common/text.h"

void stream_close(struct stream *s)
{
	if (s)
		s->close(s);
}

int stream_drain(struct stream *s, struct err *err)
{
	struct slice piece;
	int r;

	do
		r = s->read(s, &piece, err);
	while (r >= 0 && piece.n);
	return r;
}

/* ---- a descriptor ---- */

struct of_fd {
	struct stream s;
	int fd;
	bool is_pipe;
	uint64_t off, left;
	struct budget *budget;
	char buf[IMAGE_STREAM_BYTES];
};

/* A pipe gives what is there, perhaps a byte; who looks at the head of what comes needs some more. */
enum { PIPE_LEAST = 512 };

static ssize_t read_some(struct of_fd *f, size_t want)
{
	size_t got = 0;

	while (got < want) {
		ssize_t n = f->is_pipe ? read(f->fd, f->buf + got, want - got) :
					 pread(f->fd, f->buf, want, (off_t)f->off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		got += (size_t)n;
		if (!n || !f->is_pipe || got >= PIPE_LEAST)
			break;
	}
	return (ssize_t)got;
}

static int fd_read(struct stream *s, struct slice *ret, struct err *err)
{
	struct of_fd *f = (struct of_fd *)s;
	size_t want = f->left < sizeof(f->buf) ? (size_t)f->left : sizeof(f->buf);
	bool has_size = f->left != UINT64_MAX - f->off;

	ssize_t n = read_some(f, want);
	if (n < 0)
		return err_set(err, errno, "read");
	if (!n && want && has_size)
		return err_set(err, ERR_CORRUPT, "the file ends %llu bytes early", (unsigned long long)f->left);
	f->off += (uint64_t)n;
	f->left -= (uint64_t)n;
	f->budget->read += (uint64_t)n;
	if (f->budget->tick)
		f->budget->tick(f->budget);
	*ret = slice_from(f->buf, (size_t)n);
	return 0;
}

static bool fd_skip(struct stream *s, uint64_t n)
{
	struct of_fd *f = (struct of_fd *)s;

	if (f->is_pipe || n > f->left)
		return false;
	f->off += n;
	f->left -= n;
	return true;
}

static void plain_close(struct stream *s)
{
	free(s);
}

int stream_of_fd(int fd, bool is_pipe, uint64_t off, uint64_t size, struct budget *b, struct stream **ret,
		 struct err *err)
{
	struct of_fd *f = malloc(sizeof(*f));

	if (!f)
		return err_set(err, ENOMEM, "read");
	f->s = (struct stream){ fd_read, plain_close, fd_skip };
	f->fd = fd;
	f->is_pipe = is_pipe;
	f->off = off;
	f->left = size > UINT64_MAX - off ? UINT64_MAX - off : size;
	f->budget = b;
	*ret = &f->s;
	return 0;
}

/* ---- a slice ---- */

struct of_slice {
	struct stream s;
	struct slice left;
};

static int slice_read(struct stream *s, struct slice *ret, struct err *err)
{
	struct of_slice *f = (struct of_slice *)s;

	(void)err;
	*ret = slice_sub(f->left, 0, IMAGE_STREAM_BYTES);
	f->left = slice_sub(f->left, ret->n, f->left.n);
	return 0;
}

static bool slice_skip(struct stream *s, uint64_t n)
{
	struct of_slice *f = (struct of_slice *)s;

	if (n > f->left.n)
		return false;
	f->left = slice_sub(f->left, (size_t)n, f->left.n);
	return true;
}

int stream_of_slice(struct slice s, struct stream **ret, struct err *err)
{
	struct of_slice *f = malloc(sizeof(*f));

	if (!f)
		return err_set(err, ENOMEM, "read");
	*f = (struct of_slice){ { slice_read, plain_close, slice_skip }, s };
	*ret = &f->s;
	return 0;
}

/* ---- its digest ---- */

struct checked {
	struct stream s, *below;
	EVP_MD_CTX *hash; /* NULL: no digest to be had */
	uint8_t want[32];
	char *ret_digest; /* nullable: to be told, not checked */
	uint64_t left; /* UINT64_MAX at first: any size */
	bool any_size, is_done;
};

bool stream_is_digest(struct slice s)
{
	if (s.n != 71 || !slice_starts(s, SLICE_LIT("sha256:")))
		return false;
	for (size_t i = 7; i < s.n; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
			return false;
	return true;
}

static int check_end(struct checked *c, struct err *err)
{
	uint8_t got[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	c->is_done = true;
	if (!c->any_size && c->left)
		return err_set(err, ERR_CORRUPT, "it ends %llu bytes early", (unsigned long long)c->left);
	if (!c->hash)
		return 0;
	if (!EVP_DigestFinal_ex(c->hash, got, &n))
		return err_set(err, ERR_CRYPTO, "SHA-256");
	if (c->ret_digest) {
		memcpy(c->ret_digest, "sha256:", 7);
		text_hex(got, 32, c->ret_digest + 7);
		return 0;
	}
	if (n == sizeof(c->want) && !memcmp(got, c->want, n))
		return 0;
	char hex[65];
	return err_set(err, ERR_CORRUPT, "its content is not what its digest says, but sha256:%s",
		       text_hex(got, 32, hex));
}

static int checked_read(struct stream *s, struct slice *ret, struct err *err)
{
	struct checked *c = (struct checked *)s;

	*ret = SLICE_NONE;
	if (c->is_done)
		return 0;
	int r = c->below->read(c->below, ret, err);
	if (r < 0)
		return r;
	if (!ret->n)
		return check_end(c, err);
	if (!c->any_size && ret->n > c->left)
		return err_set(err, ERR_CORRUPT, "it is larger than its manifest says");
	c->left -= c->any_size ? 0 : ret->n;
	if (c->hash && !EVP_DigestUpdate(c->hash, ret->p, ret->n))
		return err_set(err, ERR_CRYPTO, "SHA-256");
	return 0;
}

static void checked_close(struct stream *s)
{
	struct checked *c = (struct checked *)s;

	stream_close(c->below);
	EVP_MD_CTX_free(c->hash);
	free(c);
}

static int new_checked(struct stream *below, bool hashes, struct checked **ret, struct err *err)
{
	CLEANUP(stream_closep) struct stream *taken = below;
	struct checked *c = calloc(1, sizeof(*c));

	if (!c)
		return err_set(err, ENOMEM, "read");
	c->s = (struct stream){ checked_read, checked_close, NULL };
	c->below = take_ptr(taken);
	c->any_size = true;
	*ret = c;
	if (!hashes)
		return 0;
	c->hash = EVP_MD_CTX_new();
	if (c->hash && EVP_DigestInit_ex(c->hash, EVP_sha256(), NULL))
		return 0;
	checked_close(&c->s);
	return err_set(err, ERR_CRYPTO, "SHA-256");
}

int stream_checked(struct stream *below, struct slice digest, uint64_t size, struct stream **ret,
		   struct err *err)
{
	struct checked *c;

	if (digest.n && !stream_is_digest(digest)) {
		stream_close(below);
		return err_set(err, ERR_CORRUPT, "'%.*s' is no SHA-256 digest",
			       (int)(digest.n > 80 ? 80 : digest.n), digest.p);
	}
	int r = new_checked(below, digest.n > 0, &c, err);
	if (r < 0)
		return r;
	c->left = size;
	c->any_size = size == UINT64_MAX;
	if (digest.n)
		(void)text_unhex(slice_sub(digest, 7, 64), c->want, sizeof(c->want));
	*ret = &c->s;
	return 0;
}

int stream_hashed(struct stream *below, char *ret_digest, struct stream **ret, struct err *err)
{
	struct checked *c;
	int r = new_checked(below, true, &c, err);

	if (r < 0)
		return r;
	c->ret_digest = ret_digest;
	*ret = &c->s;
	return 0;
}
