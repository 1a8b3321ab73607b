/* terms.h - what the filters of images and vulnerabilities share. Private to the store. */
#pragma once
#include "collector/store/store_priv.h"

/* yes, no: what kev:yes and the like compare with. */
bool terms_match_flag(const struct filter_term *t, bool value);
/* A real number; a term that has none never matches. */
bool terms_match_real(const struct filter_term *t, double value);
/* A severity; none and unknown count as info. */
bool terms_match_severity(const struct filter_term *t, unsigned severity);
/* Is any of the texts that sql gives for the number it? The first column of each row. "not" means of all. */
int terms_match_any(struct store *s, const struct filter_term *t, const char *sql, int64_t number, bool *ret,
		    struct err *err) WARN_UNUSED;
/* The same over a JSON array of texts. */
bool terms_match_list(const struct filter_term *t, const char *list);
/* Like terms_match_any for hosts: sql gives agents. */
int terms_match_hosts(struct store *s, const struct filter_term *t, const char *sql, int64_t number, bool *ret,
		      struct err *err) WARN_UNUSED;
/* Does an image go by it: by a name, a reference it runs by, its id (12 digits do) or a digest? */
int terms_match_image(struct store *s, const struct filter_term *t, int64_t image, const char *image_id,
		      const char *names, bool *ret, struct err *err) WARN_UNUSED;
