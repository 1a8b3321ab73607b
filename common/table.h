/* table.h - columns for a terminal. Cells are asked for twice, to measure and to print, so that a table of
 * any length needs no memory. What is printed has been through show_text: an image can't speak to the
 * terminal. */
#pragma once
#include "common/out.h"

enum { TABLE_COLUMNS_MAX = 10, TABLE_GAP = 2, TABLE_CELL_MAX = 2048, TABLE_TURNS = 8 };

/* What does not fit gives way in turns, 1 first: in its turn a column is cut down, or hidden. */
struct table_column {
	const char *title;
	unsigned cut_turn, min; /* 0: never; else down to min columns */
	unsigned hide_turn;	/* 0: never */
	bool cut_front;		/* of a path the end tells more */
	bool is_right;
};
/* Appends the cell's text as it is; row: 0 .. rows - 1. *ret_colour: an escape sequence, or NULL. */
typedef void (*table_cell_fn)(void *arg, size_t row, size_t column, struct buf *out, const char **ret_colour);

struct table {
	const struct table_column *columns;
	size_t column_count, rows;
	unsigned width; /* of the terminal; 0 = any */
	bool is_coloured;
	unsigned indent;
	table_cell_fn cell;
	void *arg;
};

/* Columns that are empty in each row are left out. */
void table_write(const struct table *t, struct out *o);

#define TABLE_BOLD "\033[1m"
#define TABLE_DIM "\033[2m"
#define TABLE_RESET "\033[0m"
