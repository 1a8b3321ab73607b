/* cond_priv.h - the cursor that cond_parse.c moves and cond_lex.c reads with. */
#pragma once
#include "agent/rules/cond.h"

struct parser {
	struct arena *arena; /* borrowed */
	struct slice text;   /* stays as long as the tree */
	size_t pos;
	struct slice token; /* what was read last, escapes undone */
	struct slice last;  /* the same, for "unexpected token after" */
	unsigned depth, max_depth;
	struct err *err;
	size_t counted;	       /* line and column (0: nowhere yet) are of this place */
	unsigned line, column;
	int failed; /* the code of the first failure; later ones are not reported */
};

void lex_fail(struct parser *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
void lex_position(struct parser *p, size_t at, unsigned *ret_line, unsigned *ret_column);
/* Each reads one thing at the cursor and moves past it, or returns false and moves nothing. */
bool lex_blank(struct parser *p);
bool lex_str(struct parser *p, const char *s);	/* exactly these characters */
bool lex_word(struct parser *p, const char *s); /* and a blank after them */
bool lex_call(struct parser *p, const char *s); /* and "(" after them, read too */
/* A blank before, and after it a blank and a list or a name that is no keyword; only the word is read. */
bool lex_modifier(struct parser *p, const char *s);
bool lex_identifier(struct parser *p);
bool lex_field(struct parser *p);
bool lex_number(struct parser *p);
bool lex_bare(struct parser *p);
bool lex_bare_arg(struct parser *p);
/* false with p->failed set: the quoted string has a wrong escape. */
bool lex_quoted(struct parser *p);
