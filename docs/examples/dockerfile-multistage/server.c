/* A server of one page: whoever connects to $PORT gets page.html. */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char page[1 << 16];

static void answer(int client) {
  char request[4096], head[128];
  if (read(client, request, sizeof request) > 0) {
    snprintf(head, sizeof head,
             "HTTP/1.0 200 OK\r\nContent-Type: text/html\r\nContent-Length: %zu\r\n\r\n", strlen(page));
    if (write(client, head, strlen(head)) > 0 && write(client, page, strlen(page)) < 0)
      perror("write");
  }
  close(client);
}

int main(void) {
  const char *port = getenv("PORT");
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port ? atoi(port) : 5000)};
  int yes = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
  FILE *file = fopen("/page.html", "r");

  if (!file || !fread(page, 1, sizeof page - 1, file)) {
    perror("page.html");
    return 1;
  }
  signal(SIGPIPE, SIG_IGN);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 64)) {
    perror("listen");
    return 1;
  }
  for (;;) {
    int client = accept(listener, NULL, NULL);
    if (client >= 0)
      answer(client);
  }
}
