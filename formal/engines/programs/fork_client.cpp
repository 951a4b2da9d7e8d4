// Makes the fork server (fork_server.py) run the program by whose name this one is called, with the
// same arguments, folder, environment, input and output, and returns its exit code. When this
// process ends, the server, which watches the connection, ends the program.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

extern char **environ;

[[noreturn]] static void fail(const char *what) {
  perror(what);
  exit(127);
}

static void send_all(int server, const char *data, size_t size) {
  while (size > 0) {
    ssize_t sent = write(server, data, size);
    if (sent < 0) fail("write to the fork server");
    data += sent;
    size -= size_t(sent);
  }
}

// The size of what follows, and with it our standard files.
static void send_size(int server, uint32_t size) {
  int files[] = {0, 1, 2};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof files)] = {};
  iovec part = {&size, sizeof size};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof files);
  memcpy(CMSG_DATA(header), files, sizeof files);
  if (sendmsg(server, &message, 0) != sizeof size) fail("message to the fork server");
}

int main(int argc, char **argv) {
  const char *path = getenv("VERIDECODE_FORK_SERVER");
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (!path || strlen(path) >= sizeof address.sun_path) {
    fputs("VERIDECODE_FORK_SERVER names no socket\n", stderr);
    return 127;
  }
  strcpy(address.sun_path, path);
  int server = socket(AF_UNIX, SOCK_STREAM, 0);
  if (server < 0 || connect(server, reinterpret_cast<sockaddr *>(&address), sizeof address))
    fail(path);

  std::string request;
  auto add = [&](const char *text) { request.append(text, strlen(text) + 1); };
  char folder[4096];
  if (!getcwd(folder, sizeof folder)) fail("getcwd");
  const char *slash = strrchr(argv[0], '/');
  add(folder);
  add(std::to_string(argc).c_str());
  add(slash ? slash + 1 : argv[0]);
  for (int n = 1; n < argc; n++) add(argv[n]);
  for (char **each = environ; *each; each++) add(*each);
  send_size(server, uint32_t(request.size()));
  send_all(server, request.data(), request.size());

  uint8_t code;
  return read(server, &code, 1) == 1 ? code : 127;
}
