#!/bin/sh
# Own-kernel guests get ip=ADDRESS::GATEWAY:NETMASK:HOSTNAME:INTERFACE:off on the kernel's command line:
# systemd-network-generator turns it into a .network file, which systemd-networkd applies. In a container the engine
# has set the address before init runs, so both stay out of the way there.
set -eu

for unit in systemd-networkd.service systemd-networkd.socket systemd-network-generator.service; do
    mkdir -p "/etc/systemd/system/$unit.d"
    printf '[Unit]\nConditionVirtualization=!container\n' > "/etc/systemd/system/$unit.d/own-kernel.conf"
done
systemctl enable systemd-network-generator.service systemd-networkd.service
# Nothing waits for an address that is static.
systemctl disable systemd-networkd-wait-online.service
systemctl mask systemd-networkd-wait-online.service
