#!/bin/sh
# The QEMU guest agent, through which guests with their own kernel are driven.
set -eu

# QEMU: nothing to do. Debian's own udev rule starts qemu-guest-agent.service when the virtio port
# org.qemu.guest_agent.0 appears. User-Mode Linux has no such port; its agent listens on the second serial line.
cat > /etc/systemd/system/wirt-agent.service <<'UNIT'
[Unit]
Description=QEMU guest agent on User-Mode Linux's second serial line
ConditionVirtualization=uml
# The line is there from the kernel's first moment: no need to wait for udev to say so.
After=systemd-tmpfiles-setup-dev.service

[Service]
ExecStart=/usr/sbin/qemu-ga --method=isa-serial --path=/dev/ttyS1
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
UNIT
systemctl enable wirt-agent.service
