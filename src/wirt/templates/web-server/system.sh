#!/bin/sh
# A system that boots fast, the same way every time, and without a failed unit under every approach.
set -eu

# The root is the only file system; the approach or the kernel's command line says where it is.
: > /etc/fstab
# An empty file: every guest makes its own id at its first boot.
: > /etc/machine-id
cat > /etc/hosts <<'HOSTS'
127.0.0.1 localhost
::1 localhost ip6-localhost
HOSTS

systemctl set-default multi-user.target

# Unprivileged containers may not mount these, and nothing here uses them.
systemctl mask dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
    sys-kernel-config.mount sys-fs-fuse-connections.mount

# Nothing starts work of its own while a measurement runs.
systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
    e2scrub_reap.service fstrim.timer systemd-pstore.service systemd-tmpfiles-clean.timer

# What a server guest has no use for costs an emulated one most of a second each: drivers of screens and of disks that
# are not there, the lists of logins, and moving a journal that stays where it is.
systemctl mask modprobe@dm_mod.service modprobe@drm.service modprobe@loop.service \
    systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-journal-flush.service

# No keyboard and no screen: a console is only a log, and people come in with wirt exec.
systemctl mask getty@tty1.service getty-static.service console-getty.service serial-getty@ttyS0.service

# The journal stays in memory, and small, so that it never competes for the disk.
mkdir -p /etc/systemd/journald.conf.d
cat > /etc/systemd/journald.conf.d/wirt.conf <<'CONF'
[Journal]
Storage=volatile
RuntimeMaxUse=16M
CONF

# A container's own limit holds all of its services together. systemd gives each a share of it, 15 %, which of a small one is too little
# for a web server.
mkdir -p /etc/systemd/system.conf.d
cat > /etc/systemd/system.conf.d/wirt.conf <<'CONF'
[Manager]
DefaultTasksMax=infinity
CONF

rm -rf /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/log/*.log /var/log/apt/*
