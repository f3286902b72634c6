#!/bin/sh
# Host keys are a guest's own: none are baked in, each guest makes one at its first boot. Only Ed25519, which takes
# milliseconds where an RSA key takes an emulated guest many seconds.
set -eu

rm -f /etc/ssh/ssh_host_*
echo 'HostKey /etc/ssh/ssh_host_ed25519_key' > /etc/ssh/sshd_config.d/wirt.conf

cat > /etc/systemd/system/wirt-ssh-key.service <<'UNIT'
[Unit]
Description=This guest's own SSH host key
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key
Before=ssh.service

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -q -t ed25519 -N "" -C "" -f /etc/ssh/ssh_host_ed25519_key

[Install]
WantedBy=ssh.service
UNIT
systemctl enable wirt-ssh-key.service
