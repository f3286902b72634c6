#!/bin/sh
# A host that boots in half a minute although it is emulated. What it is tested for stays as Debian has it.
set -eu

: > /etc/fstab
: > /etc/machine-id
printf '127.0.0.1 localhost\n::1 localhost\n' > /etc/hosts
systemctl set-default multi-user.target

# The address comes on the kernel's command line.
systemctl enable systemd-network-generator.service systemd-networkd.service
systemctl disable systemd-networkd-wait-online.service

# Nothing starts work of its own while a test runs; nobody sits at a screen.
systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
    fstrim.timer getty@tty1.service getty-static.service console-getty.service serial-getty@ttyS0.service
# Debian's bridge of its own, which Wirt does not use.
systemctl disable lxc-net.service lxc.service
