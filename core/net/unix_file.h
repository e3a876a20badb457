// The file of a unix socket, which outlives a process that is killed: made, taken over from
// the dead, and removed by nobody but its owner.
#ifndef TIDEGATE_NET_UNIX_FILE_H
#define TIDEGATE_NET_UNIX_FILE_H

// A socket that listens at `path`, non-blocking; or -errno: EADDRINUSE when a process listens
// there, EEXIST when the file is no socket. Replaces the file of a process that is gone. *file
// is for unix_file_remove.
int unix_file_listen(const char *path, int backlog, int *file);

// Removes the file at `path` if it is still the one that unix_file_listen made, and not that
// of a successor. Closes `file`; nothing is done if it is -1.
void unix_file_remove(const char *path, int file);

#endif
