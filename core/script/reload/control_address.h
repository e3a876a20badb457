// The names of the control socket: a server has two, and a client tries both. Abstract
// unix addresses, so that no file has to be agreed on.
#ifndef TIDEGATE_SCRIPT_RELOAD_CONTROL_ADDRESS_H
#define TIDEGATE_SCRIPT_RELOAD_CONTROL_ADDRESS_H

#include <sys/socket.h>
#include <sys/un.h>

// From the device and inode of dir: the same for every path that leads there. 0, with
// errno, when dir cannot be looked at.
socklen_t control_address_of_folder(const char *dir, struct sockaddr_un *out);

// From the path as it is written, made absolute: the same whatever is there now.
socklen_t control_address_of_path(const char *dir, struct sockaddr_un *out);

#endif
