/* Sends and hears whole Ethernet frames on a card, as hexadecimal lines: what a guest can do to its neighbours.
 *
 *   frames CARD send          every line of standard input
 *   frames CARD hear MARK     prints "ready", then every frame until one that holds the text MARK, or 20 s are over
 */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void send_lines(int fd, const struct sockaddr_ll *card) {
    char line[8192];
    unsigned char frame[4096];

    while (fgets(line, sizeof line, stdin)) {
        size_t length = strspn(line, "0123456789abcdef") / 2;
        for (size_t i = 0; i < length; i++) {
            unsigned int byte;
            sscanf(line + 2 * i, "%2x", &byte);
            frame[i] = byte;
        }
        if (sendto(fd, frame, length, 0, (const void *)card, sizeof *card) < 0)
            fail("send");
    }
}

static void hear(int fd, const struct sockaddr_ll *card, const char *mark) {
    struct packet_mreq all = {.mr_ifindex = card->sll_ifindex, .mr_type = PACKET_MR_PROMISC};
    unsigned char frame[4096];

    if (bind(fd, (const void *)card, sizeof *card) < 0)
        fail("bind");
    if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) < 0)
        fail("promiscuous");
    alarm(20);
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct sockaddr_ll from;
        socklen_t size = sizeof from;
        ssize_t length = recvfrom(fd, frame, sizeof frame, 0, (void *)&from, &size);
        if (length < 0)
            fail("receive");
        if (from.sll_pkttype == PACKET_OUTGOING)
            continue;
        for (ssize_t i = 0; i < length; i++)
            printf("%02x", frame[i]);
        puts("");
        if (memmem(frame, length, mark, strlen(mark)))
            return;
    }
}

int main(int argc, char **argv) {
    int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
    struct sockaddr_ll card = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_ALL),
        .sll_ifindex = if_nametoindex(argc > 1 ? argv[1] : ""),
    };

    if (fd < 0)
        fail("socket");
    if (argc == 4 && strcmp(argv[2], "hear") == 0)
        hear(fd, &card, argv[3]);
    else
        send_lines(fd, &card);
    return 0;
}
