/* worker.h - `picket-agent hash-worker`: reads the files it is asked for, slowly, and says their SHA-256. */
#pragma once

/* -1 where argv asks for something else, else the exit code. argv: hash-worker MAX_BYTES BYTES_PER_SECOND; the socket is
 * standard input. */
int hash_worker_main(int argc, char **argv);
